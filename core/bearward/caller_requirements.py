"""Requirements that read the same for every issuer: a right, an issuer, a tenant.

Rules of this file: as in `requirements.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from bearward.claim_names import RightsFrom
from bearward.claim_paths import claim_at
from bearward.errors import AuthError, ConfigurationError
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.requirements import Requirement

__all__ = ["issuer_is", "right", "tenant_is"]


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


def tenant_is(parameter: str, *, claim: str | tuple[str, ...]) -> Requirement:
    """The caller's tenant, in `claim` (a name, or a path as a tuple), is the one in the request's path.

    `parameter` is the name of the path's parameter: `/tenants/<tenant>/orders`. Where the transport has no path with
    parameters (gRPC) such a rule is refused when it is made, and whatever binds no parameter lets nobody in. Raises
    `ConfigurationError`.

    >>> tenant_is("tenant", claim="tid")
    tenant_is('tenant', claim='tid')
    """
    if not isinstance(parameter, str) or not parameter:
        raise ConfigurationError("tenant_is", "must name a parameter of the path")
    return _TenantIs(parameter, RightsFrom(claim).claim)


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


@dataclass(frozen=True, slots=True, repr=False)
class _TenantIs(Requirement):
    parameter: str
    claim: str | tuple[str, ...]
    tenant: str | None = None
    """Of the request; None until it is known."""

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        held = claim_at(principal.claims, self.claim)
        if self.tenant and isinstance(held, str) and held == self.tenant:
            return None
        name = self.claim if isinstance(self.claim, str) else ".".join(self.claim)
        return AuthError(Refusal.CLAIM_INSUFFICIENT, claim=name)

    @property
    def parameters(self) -> tuple[str, ...]:
        return (self.parameter,)

    def bound_to(self, values: Mapping[str, Any]) -> Requirement:
        return replace(self, tenant=str(values[self.parameter])) if self.parameter in values else self

    def __repr__(self) -> str:
        return f"tenant_is({self.parameter!r}, claim={self.claim!r})"
