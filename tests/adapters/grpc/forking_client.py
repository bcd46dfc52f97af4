"""Run as a program: a process that forks while it fetches a token for its calls.

    python -m tests.adapters.grpc.forking_client

Prints, as JSON, whose token the child used, whose the parent, and how many were asked for in the child.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time

from bearward.client_credentials.grant import Grant
from bearward_grpc.client.held_token import HeldToken

PARENT = os.getpid()
TIMEOUT = 30


def main() -> None:
    """Fork in the middle of a fetch."""
    begun, release, asked = threading.Event(), threading.Event(), list[int]()

    def ask() -> Grant:
        asked.append(os.getpid())
        if os.getpid() == PARENT:
            begun.set()
            release.wait(TIMEOUT)
        return Grant(token="parent" if os.getpid() == PARENT else "child", lifetime=60.0)

    held = HeldToken(ask, refresh_margin=1.0, monotonic=time.monotonic)
    waiting = threading.Thread(target=held.token)
    waiting.start()
    begun.wait(TIMEOUT)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        told = [held.token(), held.token(), asked.count(os.getpid())]
        os.write(write, json.dumps(told).encode())
        os._exit(0)
    told = json.loads(os.read(read, 1000))
    os.waitpid(child, 0)
    release.set()
    waiting.join(TIMEOUT)
    sys.stdout.write(json.dumps({"child": told, "parent": held.token()}) + "\n")


if __name__ == "__main__":
    main()
