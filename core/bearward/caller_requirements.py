"""Requirements that read the same for every issuer: a right, an issuer, a tenant.

Rules of this file: as in `requirements.py`.
"""

from __future__ import annotations

from dataclasses import dataclass

from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.principal import Principal
from bearward.requirements import Requirement

__all__ = ["issuer_is", "right"]


def right(*names: str) -> Requirement:
    """All of these rights, wherever the caller's issuer puts them: `rights=` of its `TrustedIssuer` says where.

    An issuer of which nothing is said grants its scopes. Raises `ConfigurationError`.

    >>> right("orders:read") | right("admin")
    right('orders:read') | right('admin')
    """
    if not names or any(not isinstance(name, str) or not name for name in names):
        raise ConfigurationError("right", "must name at least one right, each a non-empty string")
    return _Right(tuple(dict.fromkeys(names)))


def issuer_is(*issuers: str) -> Requirement:
    """One of these issuers vouches for the caller, each the exact `iss`. Raises `ConfigurationError`.

    >>> issuer_is("https://login.example") & right("orders:read")
    issuer_is('https://login.example') & right('orders:read')
    """
    if not issuers or any(not isinstance(issuer, str) or not issuer for issuer in issuers):
        raise ConfigurationError("issuer_is", "must name at least one issuer, each the exact `iss`")
    return _IssuerIs(tuple(dict.fromkeys(issuers)))


@dataclass(frozen=True, slots=True, repr=False)
class _Right(Requirement):
    names: tuple[str, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        held = principal.rights
        return None if held.issuperset(self.names) else AuthError(Refusal.CLAIM_INSUFFICIENT)

    def __repr__(self) -> str:
        return f"right({', '.join(map(repr, self.names))})"


@dataclass(frozen=True, slots=True, repr=False)
class _IssuerIs(Requirement):
    issuers: tuple[str, ...]

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        return None if principal.issuer in self.issuers else AuthError(Refusal.CLAIM_INSUFFICIENT, claim="iss")

    def __repr__(self) -> str:
        return f"issuer_is({', '.join(map(repr, self.issuers))})"
