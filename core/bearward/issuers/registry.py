"""The trusted issuers of a verifier: which settings and which keys belong to an `iss`.

Rule of this file: an issuer is trusted because it is listed, because it matches a tenant template, or because a resolver
says so; the token itself never says where its keys are (RFC 8725 section 3.8).
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
"""An issuer's settings and its keys."""


class Issuers:
    """All trusted issuers, with their keys."""

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
        for resolver in resolvers:
            _check_resolver(resolver)
        self._resolvers = Resolvers(resolvers, clock, store.forget)
        self._known: dict[str, Trusted] = {i.issuer: (i, store.add(i)) for i in self.explicit}
        if len(self._known) != len(self.explicit):
            raise ConfigurationError("issuers", "must not name the same issuer twice")

    def known(self, issuer: str) -> Trusted:
        """Settings and keys of `iss`, without awaiting.

        Raises:
            AuthError: ISSUER_UNTRUSTED.
            KeysNeededError: a resolver must be asked: await `find`.
        """
        trusted = self._known.get(issuer)
        return trusted if trusted is not None else self._dynamic(issuer)

    async def find(self, issuer: str) -> Trusted:
        """Settings and keys of `iss`, asking the resolvers; raises `AuthError` (ISSUER_UNTRUSTED, KEYS_UNAVAILABLE)."""
        try:
            return self.known(issuer)
        except KeysNeededError:
            trusted = await self._resolvers.find(issuer)
        return self._with_keys(trusted)

    def standing(self, issuer: str) -> Trusted:
        """Settings and keys of an `iss` that has let a call in, as they are now, without awaiting.

        What has grown old is asked for in the background, so that a call that goes on for long meets a resolver's no and
        a key's withdrawal though nobody else asks. Raises `AuthError`: ISSUER_UNTRUSTED; KEYS_UNAVAILABLE where nothing
        is known of it any more.
        """
        try:
            trusted, keys = self.known(issuer)
        except KeysNeededError:
            self._resolvers.refresh(issuer)
            trusted, keys = self._with_keys(self._resolvers.last_known(issuer))
        if keys.current() is None:
            keys.fetch_soon()
        return trusted, keys

    def _dynamic(self, issuer: str) -> Trusted:
        return self._tenant(issuer) or self._with_keys(self._resolvers.known(issuer))

    def _tenant(self, issuer: str) -> Trusted | None:
        for tenants in self._tenants:
            trusted = tenants.issuer_for(issuer)
            if trusted is not None:
                keys = self._store.keys_of(trusted)
                if keys.current() is not None:  # the provider publishes keys for it: it is no invention
                    tenants.keep(issuer)
                return trusted, keys
        return None

    def _with_keys(self, trusted: TrustedIssuer) -> Trusted:
        """Of a tenant that a resolver vouches for: it is not invented."""
        return trusted, self._store.keys_of(trusted, vouched=True)

    def __repr__(self) -> str:
        return f"{len(self.explicit)} issuers, {len(self._tenants)} templates, {len(self._resolvers)} resolvers"


def _check_resolver(resolver: object) -> None:
    if not callable(resolver):
        hint = "; an issuer is TrustedIssuer(issuer, audience=…)" if isinstance(resolver, str) else ""
        hint = "; give several as separate arguments" if isinstance(resolver, list | tuple | set) else hint
        raise ConfigurationError("issuers", f"must be TrustedIssuer, TenantIssuers or async resolvers{hint}")
    if resolver in (TrustedIssuer, TenantIssuers):
        raise ConfigurationError("issuers", "must be an object, not the class: TrustedIssuer(issuer, audience=…)")
