"""What the store has to know of a trusted issuer, and nothing more (pure).

Rule of this file: the store depends on this protocol, not on the policy; `TrustedIssuer` satisfies it.
"""

from __future__ import annotations

from typing import Protocol

from bearward.jose.jwk_set import JWKSet
from bearward.jwks.options import JWKSOptions

__all__ = ["IssuerSettings"]


class IssuerSettings(Protocol):
    """Where the keys of one issuer are, and how they are fetched."""

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        ...

    @property
    def jwks_uri(self) -> str | None:
        """The configured address of the key set."""
        ...

    @property
    def static_keys(self) -> JWKSet | None:
        """The key set, if it is configured and never fetched."""
        ...

    @property
    def jwks_options(self) -> JWKSOptions:
        """How keys are fetched and kept."""
        ...

    @property
    def unsafe_allow_http(self) -> bool:
        """Whether keys may be fetched over plain http from anywhere."""
        ...
