"""The health of a verifier: one object, one line per issuer, and readiness, which follows from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bearward.jwks.health import IssuerHealth

__all__ = ["Health"]


@dataclass(frozen=True, slots=True)
class Health:
    """The state of the verifier: ready when it can verify tokens of at least one issuer."""

    ready: bool
    issuers: tuple[IssuerHealth, ...]
    cached_tokens: int
    revocations: str
    signatures: str = "cryptography"
    """Which library verifies signatures: `cryptography`, or `aws-lc` where it takes RS256, PS256 and ES256."""

    def to_dict(self) -> dict[str, Any]:
        """The same as JSON values, for a readiness page; no secrets, no claims."""
        return {
            "ready": self.ready,
            "issuers": [issuer.to_dict() for issuer in self.issuers],
            "cached_tokens": self.cached_tokens,
            "revocations": self.revocations,
            "signatures": self.signatures,
        }

    def __str__(self) -> str:
        return "\n".join(["ready" if self.ready else "not ready", *(issuer.line() for issuer in self.issuers)])
