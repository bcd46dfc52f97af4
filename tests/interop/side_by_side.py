"""Runs rows side by side: a row waits more than it works, for processes to start and for tokens to expire.

Rules of this file: outcomes come in the order of the rows. Each worker is a process of its own, started afresh (grpc does
not survive a fork), and told to stop when the run is: then it stops what its row started.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence

from tests.interop.runner import run, stop_when_told
from tests.interop.sheet import Row
from tests.interop.table import Outcome

__all__ = ["run_all"]

_WORKERS = 2
"""More would make the rows that see a short-lived token end wait for the processor."""


def run_all(rows: Sequence[Row]) -> list[Outcome]:
    """Run the rows, two at a time."""
    context = multiprocessing.get_context("spawn")
    with context.Pool(min(_WORKERS, len(rows)), stop_when_told) as pool:
        return pool.map(run, rows, chunksize=1)
