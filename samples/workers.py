"""Several processes behind one listening socket: forked, supervised, and stopped together.

Rule of this file: Sanic's own worker manager is not used, because it takes seconds to start and does not stop when it is
told to before all of its workers have reported. A worker that dies stops them all, and so does their parent's death,
however it died: whoever started the server starts it again, on the same port.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess

from samples.command_line import RELOAD, STOPS, ignore_reload

__all__ = ["run_workers"]

_STOP_TIMEOUT = 15.0
"""Seconds that a worker has to stop when it is told to."""
_ORPHAN_TIMEOUT = 2.5
"""Seconds that a worker has to stop when its parent is gone: the port is wanted by the next server."""


def run_workers(count: int, work: Callable[[], None]) -> None:
    """Run `work` in `count` processes until SIGTERM or SIGINT; exits with code 1 if one of them ends before that.

    SIGHUP is handed on to each of them.
    """
    stop = threading.Event()
    # A signal between the fork and the handlers would be lost, or leave workers behind: it waits until all is set up.
    signal.pthread_sigmask(signal.SIG_BLOCK, (*STOPS, RELOAD))
    context = multiprocessing.get_context("fork")
    # The parent alone keeps the writing end open, so that the reading end reports its death.
    alive, parent = os.pipe()
    workers = [
        context.Process(target=_work, args=(work, alive, parent), name=f"worker-{number}") for number in range(count)
    ]
    for worker in workers:
        worker.start()
    for number in STOPS:
        signal.signal(number, lambda *_: stop.set())
    signal.signal(RELOAD, lambda *_: _hand_on(RELOAD, workers))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPS, RELOAD))
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


def _hand_on(number: signal.Signals, workers: Iterable[BaseProcess]) -> None:
    for worker in workers:
        if worker.pid is not None and worker.is_alive():
            os.kill(worker.pid, number)


def _work(work: Callable[[], None], alive: int, parent: int) -> None:
    os.close(parent)
    threading.Thread(target=_end_with_parent, args=(alive,), name="parent", daemon=True).start()
    # Until the server has its own handlers: SIGTERM ends the worker, a Ctrl-C in the terminal is its parent's.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    ignore_reload()
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (*STOPS, RELOAD))
    work()


def _end_with_parent(alive: int) -> None:
    """Stop this worker, cleanly if possible, once its parent is gone: a killed parent stops no worker itself."""
    os.read(alive, 1)  # returns at the end of the file: nothing is ever written
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_ORPHAN_TIMEOUT)
    os._exit(1)
