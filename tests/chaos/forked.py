"""`python -m tests.chaos.forked`: the sample's methods over grpc.server, in a child whose parent had started the verifier.

Rule of this file: the parent holds keys before it forks, and serves nothing itself; the child uses what it inherits.
"""

from __future__ import annotations

import os
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from types import FrameType

import grpc

from bearward_grpc import SyncAuthInterceptor, VerifierThread, metadata_size_options
from samples.command_line import Parser, load, open_notes, print_ready, stop_event, wait_for_stop
from samples.grpc_methods import RULES, SyncMethods
from samples.notes import MEMORY
from samples.service import ProtectedService
from samples.v1 import sample_pb2_grpc


def serve(background: VerifierThread, stop: threading.Event) -> None:
    """In the child, until it is told to stop."""
    pool = ThreadPoolExecutor(16)
    auth = SyncAuthInterceptor(background, RULES, pool=pool)
    server = grpc.server(pool, interceptors=[auth], options=metadata_size_options())
    sample_pb2_grpc.add_ProtectedServiceServicer_to_server(SyncMethods(ProtectedService(open_notes(MEMORY))), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print_ready("grpc", "127.0.0.1", port)
    wait_for_stop(stop)
    server.stop(1).wait()
    background.stop()


def main() -> None:
    """Start the verifier, fork, and wait for the child."""
    parser = Parser("python -m tests.chaos.forked")
    parser.add_config()
    background = VerifierThread(load(parser.parse_args().config).verifier())
    background.start(wait=None)
    child = os.fork()
    if child == 0:
        serve(background, stop_event())
        os._exit(0)

    def hand_on(number: int, _: FrameType | None) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGTERM, hand_on)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
