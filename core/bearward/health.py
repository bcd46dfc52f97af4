"""The health of a verifier: one object, one line per issuer, and readiness, which follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from bearward.jwks.health import IssuerHealth

__all__ = ["Health"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the verifier: ready when it can verify tokens of at least one issuer."""

    ready: bool
    issuers: tuple[IssuerHealth, ...]
    cached_tokens: int
    revocations: str
    signatures: str = "cryptography"
    """Which library verifies signatures: `cryptography`, or `aws-lc` where it takes RS256, PS256 and ES256."""
    signatures_verified: int = 0
    """Tokens that were verified by their signature since the process started, and not remembered."""
    live_streams: int = 0
    """Calls, streams and sockets that end with their token."""
    refused: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    """Refusals by code, since the process started."""
    ended: Mapping[str, int] = field(default_factory=lambda: _NOTHING)
    """Streams and sockets that were ended before their handlers, by code."""
    rules: Mapping[str, Mapping[str, str]] = field(default_factory=lambda: _NOTHING)
    """By transport (`http`, `grpc`): who may call what, as the adapter decided it last; each rule as it reads in Python."""

    def for_operators(self) -> dict[str, Any]:
        """All of it as JSON values: also who may call what, and what is refused how often. Not for a public page."""
        counts: dict[str, Any] = {"signatures_verified": self.signatures_verified, "live_streams": self.live_streams}
        counts |= {"refused": dict(self.refused), "ended": dict(self.ended)}
        return {**self.to_dict(), **counts, "rules": {name: dict(rules) for name, rules in self.rules.items()}}

    def to_dict(self) -> dict[str, Any]:
        """The state as JSON values, for a readiness page that anyone may see; no secrets, claims, rules or counters."""
        return {
            "ready": self.ready,
            "issuers": [issuer.to_dict() for issuer in self.issuers],
            "cached_tokens": self.cached_tokens,
            "revocations": self.revocations,
            "signatures": self.signatures,
        }

    def __str__(self) -> str:
        return "\n".join(["ready" if self.ready else "not ready", *(issuer.line() for issuer in self.issuers)])
