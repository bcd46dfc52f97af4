"""The trusted issuers of a verifier: which policy and which keys belong to an `iss`.

Rule of this file: an issuer is trusted because it is listed, because it fits a tenant template, or because a resolver
says so; the token itself never says where its keys are.
"""

from __future__ import annotations

from collections.abc import Sequence

from bearward.clock import Clock
from bearward.errors import ConfigurationError, KeysNeededError
from bearward.issuers.resolvers import Resolvers
from bearward.issuers.tenants import IssuerResolver, TenantIssuers
from bearward.jwks.store import IssuerKeys, JWKSStore
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Issuers"]

Trusted = tuple[TrustedIssuer, IssuerKeys]


class Issuers:
    """The policies and keys of all trusted issuers."""

    def __init__(
        self, issuers: Sequence[TrustedIssuer | TenantIssuers | IssuerResolver], store: JWKSStore, clock: Clock
    ) -> None:
        if not issuers:
            raise ConfigurationError("issuers", "must name at least one trusted issuer")
        self._store = store
        self.explicit: tuple[TrustedIssuer, ...] = tuple(
            issuer for issuer in issuers if isinstance(issuer, TrustedIssuer)
        )
        self._tenants = tuple(issuer for issuer in issuers if isinstance(issuer, TenantIssuers))
        resolvers = tuple(i for i in issuers if not isinstance(i, TrustedIssuer | TenantIssuers))
        if not all(callable(resolver) for resolver in resolvers):
            raise ConfigurationError("issuers", "must be TrustedIssuer, TenantIssuers or async resolvers")
        self._resolvers = Resolvers(resolvers, clock, store.forget)
        self._known: dict[str, Trusted] = {i.issuer: (i, store.add(i)) for i in self.explicit}
        if len(self._known) != len(self.explicit):
            raise ConfigurationError("issuers", "must not name the same issuer twice")

    def known(self, issuer: str) -> Trusted:
        """Policy and keys of `iss`, at once; raise `AuthError` (ISSUER_UNTRUSTED), or `KeysNeededError` to await `find`."""
        trusted = self._known.get(issuer)
        return trusted if trusted is not None else self._further(issuer)

    async def find(self, issuer: str) -> Trusted:
        """Policy and keys of `iss`, asking the resolvers; raise `AuthError` (ISSUER_UNTRUSTED, KEYS_UNAVAILABLE)."""
        try:
            return self.known(issuer)
        except KeysNeededError:
            policy = await self._resolvers.find(issuer)
        return policy, self._store.keys_of(policy, vouched=True)

    def last_known(self, issuer: str) -> Trusted:
        """Policy and keys of an `iss` that has let a call in, at once; raise `AuthError` if it would no longer."""
        trusted = self._known.get(issuer)
        if trusted is not None:
            return trusted
        policy = self._tenant(issuer)
        if policy is not None:
            return policy, self._store.keys_of(policy)
        policy = self._resolvers.last_known(issuer)
        return policy, self._store.keys_of(policy, vouched=True)

    def _further(self, issuer: str) -> Trusted:
        policy = self._tenant(issuer)
        if policy is not None:
            return policy, self._store.keys_of(policy)
        policy = self._resolvers.known(issuer)
        return policy, self._store.keys_of(policy, vouched=True)

    def _tenant(self, issuer: str) -> TrustedIssuer | None:
        for tenants in self._tenants:
            policy = tenants.issuer_for(issuer)
            if policy is not None:
                return policy
        return None

    def __repr__(self) -> str:
        return f"{len(self.explicit)} issuers, {len(self._tenants)} templates, {len(self._resolvers)} resolvers"
