"""The trusted issuers of a verifier: which policy and which keys belong to an `iss`.

Rule of this file: an issuer is trusted because it is listed, because it fits a tenant template, or because a resolver
says so; the token itself never says where its keys are. What resolvers answered is remembered within bounds.
"""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Sequence

from bearward.clock import Clock
from bearward.errors import AuthError, ConfigurationError, KeysNeeded, Refusal
from bearward.jwks.store import IssuerKeys, JWKSStore
from bearward.policy import TrustedIssuer
from bearward.tenants import IssuerResolver, TenantIssuers

__all__ = ["Issuers"]

_log = logging.getLogger("bearward.issuers")

_MAX_RESOLVED = 4096
_MAX_RESOLVING = 64
_UNTRUSTED_FOR = 60.0
_RESOLVE_TIMEOUT = 10.0
_MAX_ISSUER = 1024

Trusted = tuple[TrustedIssuer, IssuerKeys]


class Issuers:
    """The policies and keys of all trusted issuers."""

    def __init__(
        self, issuers: Sequence[TrustedIssuer | TenantIssuers | IssuerResolver], store: JWKSStore, clock: Clock
    ) -> None:
        if not issuers:
            raise ConfigurationError("issuers", "must name at least one trusted issuer")
        self._store = store
        self._clock = clock
        self.explicit: tuple[TrustedIssuer, ...] = tuple(
            issuer for issuer in issuers if isinstance(issuer, TrustedIssuer)
        )
        self._tenants = tuple(issuer for issuer in issuers if isinstance(issuer, TenantIssuers))
        self._resolvers = tuple(i for i in issuers if not isinstance(i, TrustedIssuer | TenantIssuers))
        if not all(callable(resolver) for resolver in self._resolvers):
            raise ConfigurationError("issuers", "must be TrustedIssuer, TenantIssuers or async resolvers")
        self._known: dict[str, Trusted] = {i.issuer: (i, store.add(i)) for i in self.explicit}
        if len(self._known) != len(self.explicit):
            raise ConfigurationError("issuers", "must not name the same issuer twice")
        self._resolved: OrderedDict[str, tuple[TrustedIssuer | None, float]] = OrderedDict()
        self._resolving: dict[str, asyncio.Task[TrustedIssuer | None]] = {}

    def known(self, issuer: str) -> Trusted:
        """Policy and keys of `iss`, at once; raise `AuthError` (ISSUER_UNTRUSTED), or `KeysNeeded` to await `find`."""
        trusted = self._known.get(issuer)
        return trusted if trusted is not None else self._further(issuer)

    async def find(self, issuer: str) -> Trusted:
        """Policy and keys of `iss`, asking the resolvers; raise `AuthError` (ISSUER_UNTRUSTED, KEYS_UNAVAILABLE)."""
        try:
            return self.known(issuer)
        except KeysNeeded:
            policy = await self._resolve(issuer)
        if policy is None:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        return policy, self._store.keys_of(policy)

    def _further(self, issuer: str) -> Trusted:
        for tenants in self._tenants:
            policy = tenants.issuer_for(issuer)
            if policy is not None:
                return policy, self._store.keys_of(policy)
        if not self._resolvers or len(issuer) > _MAX_ISSUER:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        answer = self._resolved.get(issuer)
        if answer is None or (answer[0] is None and self._clock.now() >= answer[1]):
            raise KeysNeeded
        if answer[0] is None:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        return answer[0], self._store.keys_of(answer[0])

    async def _resolve(self, issuer: str) -> TrustedIssuer | None:
        task = self._resolving.get(issuer)
        if task is None:
            if len(self._resolving) >= _MAX_RESOLVING:  # callers never queue behind a limiter
                raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0)
            task = self._resolving[issuer] = asyncio.create_task(self._ask(issuer))
            task.add_done_callback(lambda _: self._resolving.pop(issuer, None))
        return await asyncio.shield(task)  # one caller's cancellation is not everyone's

    async def _ask(self, issuer: str) -> TrustedIssuer | None:
        policy: TrustedIssuer | None = None
        try:
            async with asyncio.timeout(_RESOLVE_TIMEOUT):
                for resolver in self._resolvers:
                    policy = await resolver(issuer)
                    if policy is not None:
                        break
        except Exception as error:  # noqa: BLE001  (whatever a user's resolver raises: our fault, not the caller's)
            _log.error("an issuer resolver failed: %s", type(error).__name__)
            raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0) from None
        if policy is not None and policy.issuer != issuer:
            _log.error("an issuer resolver answered with the policy of another issuer")
            policy = None
        self._resolved[issuer] = (policy, self._clock.now() + _UNTRUSTED_FOR)
        if len(self._resolved) > _MAX_RESOLVED:
            self._resolved.popitem(last=False)
        return policy

    def __repr__(self) -> str:
        return f"{len(self.explicit)} issuers, {len(self._tenants)} templates, {len(self._resolvers)} resolvers"
