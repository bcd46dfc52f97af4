"""One row of the attack table, and what a target may answer to it.

Rule of this file: a row says what must come out before anything is run. The verdict is the same for all targets; where
a transport cannot carry the octets at all, the row says so as data, and the transport's own refusal is the verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["ACCEPTED", "CLASSES", "TRANSPORT", "Answer", "Case", "KeySet", "bearer"]

ACCEPTED = "accepted"
TRANSPORT = "refused by the transport"

CLASSES = (
    "header syntax",
    "structure",
    "base64url",
    "header JSON",
    "payload JSON",
    "none",
    "HMAC confusion",
    "key binding",
    "integrity",
    "ECDSA",
    "RSA",
    "EdDSA",
    "key injection",
    "kid",
    "crit",
    "JWE",
    "JSON serialization",
    "typ",
    "time",
    "issuer and audience",
    "cost",
    "key set",
)


@dataclass(frozen=True, slots=True)
class Case:
    """A request's `Authorization` values, and the code of the refusal that they must get, or `ACCEPTED`."""

    kind: str
    name: str
    expected: str
    values: tuple[bytes, ...] = field(repr=False)
    over_http: str | None = None
    """Where HTTP/1.1 itself refuses or cannot carry this: `TRANSPORT`."""
    large: bool = False
    """Larger than a transport need carry: over HTTP and gRPC its own refusal is as right as ours."""

    def right_verdicts(self, target: str) -> tuple[str, ...]:
        """The verdicts that are right for this target; the first is the one to expect."""
        if target == "http" and self.over_http is not None:
            return (self.over_http,)
        if target != "core" and self.large:
            return (self.expected, TRANSPORT)
        return (self.expected,)

    @property
    def hostile(self) -> bool:
        """Whether it must be refused."""
        return self.expected != ACCEPTED


@dataclass(frozen=True, slots=True)
class KeySet:
    """An odd JWK Set that its own issuer serves, as octets with HTTP headers; `case` is judged under it."""

    path: str
    body: bytes = field(repr=False)
    case: Case
    headers: Mapping[str, str] = field(default_factory=dict)
    chunked: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What a target answered: `ACCEPTED`, a code, `TRANSPORT`, or what went wrong in words."""

    verdict: str
    seconds: float
    """Wall clock."""
    detail: Mapping[str, Any] = field(default_factory=dict)


def bearer(kind: str, name: str, token: bytes, expected: str, **more: Any) -> Case:
    """A case whose token is presented as it should be."""
    return Case(kind, name, expected, (b"Bearer " + token,), **more)
