"""What the store has to know of a trusted issuer, and nothing more (pure).

Rule of this file: the store depends on this protocol, not on the policy; `TrustedIssuer` satisfies it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Protocol

from bearward.jose.jwk_set import JWKSet
from bearward.jwks.options import JWKSOptions

__all__ = ["PER_KID", "IssuerSettings", "OneKey", "has_safe_name", "name_of_keys"]

PER_KID: Final = "{kid}"
"""In a `pem_uri`: each key has a URL of its own."""
_SAFE_KID: Final = re.compile(r"[A-Za-z0-9_-]{1,128}")


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
    def pem_uri(self) -> str | None:
        """The configured address of keys in PEM."""
        ...

    @property
    def metadata_uri(self) -> str | None:
        """The configured address of the metadata."""
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


@dataclass(frozen=True, slots=True)
class OneKey:
    """One key of an issuer that publishes each at its own URL; the store treats it as a tenant, which may be invented."""

    of: IssuerSettings
    kid: str

    @property
    def issuer(self) -> str:
        """The issuer identifier."""
        return self.of.issuer

    @property
    def jwks_uri(self) -> str | None:
        """None: there is no set."""
        return None

    @property
    def pem_uri(self) -> str:
        """The address of this key."""
        return (self.of.pem_uri or "").replace(PER_KID, self.kid)

    @property
    def metadata_uri(self) -> str | None:
        """None: its address is known."""
        return None

    @property
    def static_keys(self) -> JWKSet | None:
        """None: it is fetched."""
        return None

    @property
    def jwks_options(self) -> JWKSOptions:
        """Those of the issuer."""
        return self.of.jwks_options

    @property
    def unsafe_allow_http(self) -> bool:
        """As for the issuer."""
        return self.of.unsafe_allow_http


def has_safe_name(kid: str | None) -> bool:
    """Whether a `kid` may stand in a URL: nothing in it can be a path, a query or an escape."""
    return kid is not None and _SAFE_KID.fullmatch(kid) is not None


def name_of_keys(settings: IssuerSettings) -> str:
    """By which the store, the shared cache and snapshots know the keys.

    That of one key begins with a space, as no issuer does: else a tenant could call itself like another issuer's key.
    """
    return f" {settings.kid} {settings.issuer}" if isinstance(settings, OneKey) else settings.issuer
