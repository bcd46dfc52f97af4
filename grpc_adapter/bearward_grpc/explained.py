"""The explanation of a refused call, as a trailer; for development, where the verifier was asked to explain.

Rules of this file: gRPC tells an interceptor no address that the server listens on, so each call is looked at: a caller
from beyond loopback gets no explanation, unless the verifier was told `unsafe_explain_remote`. It is bounded, since a
call with more than 8 KiB of metadata is dropped.
"""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from bearward.explanation import Explanation, Verdict
from bearward.fetch.urls import is_loopback_host

__all__ = ["KEY", "Explained"]

KEY = "bearward-explanation"
"""The trailer: JSON, an array of checks."""
_MOST = 4096


class Explained:
    """The trailer of one refused call, and who may see it."""

    __slots__ = ("_anywhere", "_text")

    def __init__(self, explanation: Explanation, *, anywhere: bool) -> None:
        self._text = _bounded(explanation)
        self._anywhere = anywhere

    def trailers(self, context: Any) -> tuple[tuple[str, str], ...]:
        """The trailer for the caller of a call; none for one from beyond loopback."""
        return ((KEY, self._text),) if self._anywhere or _is_local(context.peer()) else ()


def _is_local(peer: str) -> bool:
    """Whether a caller is on this machine: `ipv4:127.0.0.1:1234`, `ipv6:[::1]:1234`, `unix:`."""
    kind, _, address = unquote(peer).partition(":")
    return kind == "unix" or is_loopback_host(address.rpartition(":")[0].strip("[]"))


def _bounded(explanation: Explanation) -> str:
    checks = [check.to_dict() for check in explanation.checks]
    text = json.dumps(checks, separators=(",", ":"))
    if len(text) <= _MOST:
        return text
    wrong = [check.to_dict() for check in explanation.checks if check.verdict is Verdict.WRONG]
    while len(wrong) > 1 and len(json.dumps(wrong, separators=(",", ":"))) > _MOST:
        wrong.pop()
    return json.dumps(wrong, separators=(",", ":"))[:_MOST]
