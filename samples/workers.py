"""Several processes behind one listening socket: forked, supervised, and stopped together.

Rule of this file: Sanic's own worker manager is not used, because it takes seconds to start and does not stop when it is
told to before all of its workers have reported. A worker that dies stops them all: whoever started the server starts it
again.
"""

from __future__ import annotations

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import wait

from samples.command_line import STOPS

__all__ = ["run_workers"]

_STOP_TIMEOUT = 15.0
"""Seconds that a worker has to stop when it is told to."""


def run_workers(count: int, work: Callable[[], None]) -> None:
    """Run `work` in `count` processes until SIGTERM or SIGINT; exits with code 1 if one of them ends before that."""
    stop = threading.Event()
    # A signal between the fork and the handlers would be lost, or leave workers behind: it waits until all is set up.
    signal.pthread_sigmask(signal.SIG_BLOCK, STOPS)
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=_work, args=(work,), name=f"worker-{number}") for number in range(count)]
    for worker in workers:
        worker.start()
    for number in STOPS:
        signal.signal(number, lambda *_: stop.set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    sentinels = [worker.sentinel for worker in workers]
    while not stop.is_set() and not wait(sentinels, timeout=0.2):
        pass
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(_STOP_TIMEOUT)
        if worker.is_alive():
            worker.kill()
            worker.join()
    if not stop.is_set():
        print("a worker ended unexpectedly", file=sys.stderr)
        sys.exit(1)


def _work(work: Callable[[], None]) -> None:
    # Until the server has handlers of its own: SIGTERM ends the worker, a Ctrl-C in the terminal is its parent's.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    work()
