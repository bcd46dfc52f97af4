"""From all that the fuzzer found, the few small inputs that go everywhere in the core that all of them go."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

import bearward

__all__ = ["minimized"]

_CORE = str(Path(bearward.__file__).parent)
Step = tuple[str, int, int]


def minimized(inputs: Iterable[bytes], target: Callable[[bytes], None], most: int) -> list[bytes]:
    """At most `most` inputs, the smallest first, each of which takes a step that those before it do not take."""
    kept: list[bytes] = []
    taken: set[Step] = set()
    for octets in sorted(set(inputs), key=lambda octets: (len(octets), octets)):
        steps = _steps(octets, target)
        if not steps <= taken:
            taken |= steps
            kept.append(octets)
        if len(kept) == most:
            break
    return kept


def _steps(octets: bytes, target: Callable[[bytes], None]) -> set[Step]:
    """Each change from one line of the core to another."""
    steps: set[Step] = set()
    before = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal before
        if not frame.f_code.co_filename.startswith(_CORE):
            return None
        if event == "line":
            steps.add((frame.f_code.co_filename, before, frame.f_lineno))
            before = frame.f_lineno
        return trace

    former = sys.gettrace()
    sys.settrace(trace)
    try:
        target(octets)
    finally:
        sys.settrace(former)
    return steps
