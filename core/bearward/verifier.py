"""The verifier: the one object that a service holds. It combines the decisions (pure) with fetching (the JWKS store).

Rule of this file: the warm path is synchronous and touches no lock, no event loop and no aiocache. It awaits only if
the result needs keys that are not held.
"""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import NoReturn, Self

from bearward.clock import Clock, SystemClock, on_clock_set
from bearward.counters import Counters
from bearward.credential_place import CredentialPlace
from bearward.dpop.policy import DPoP
from bearward.dpop.replay import LocalReplays, Replays, checked_dpop
from bearward.errors import AuthError
from bearward.events import Observer
from bearward.health import Health
from bearward.issuers.registry import Issuers
from bearward.issuers.tenants import IssuerResolver, TenantIssuers
from bearward.jose import aws_lc
from bearward.jwks.replacement import Replacement
from bearward.jwks.store import JWKSStore
from bearward.logs import log_events
from bearward.loop import is_gone
from bearward.observers import Observers
from bearward.principal import Principal
from bearward.reporter import Reporter
from bearward.revocation.local import Revocations
from bearward.standing import Standings
from bearward.token_verification import TokenVerification
from bearward.trusted_issuer import TrustedIssuer
from bearward.verifier_explanation import TokenExplanation
from bearward.watches import Watch, Watches, weak_listener

__all__ = ["Verifier"]

_MEBIBYTE = 1024 * 1024
_NOT_SENT = (
    "a Verifier is not sent to another process, or copied: send its Settings, or its issuers, and make one there"
)


class Verifier(TokenVerification, TokenExplanation):
    """Verifies bearer tokens of trusted issuers.

    `issuers`: one or more `TrustedIssuer`, `TenantIssuers` or async resolvers, tried in this order. `jwks_cache`: an
    aiocache URL (`memory://`, `redis://…`, `rediss://…`, `memcached://…`, `unix://…`) in which a fleet shares key sets;
    `jwks_cache_secret` authenticates its entries, and is required for a shared cache (without it whoever can write to
    the cache can plant keys, which `unsafe_allow_unauthenticated_cache` accepts). `token_cache_bytes`: the size of the
    cache of verified tokens, 0 for none. `dpop`: accept tokens bound to a key, with a proof of it (RFC 9449), and
    `replays`: where used proofs, and tokens that count once, are recorded (in this process by default). `observers`: functions that are called
    with each event of `bearward.events`. `explain`: refusals say why, check by check, for development on loopback, and
    `unsafe_explain_remote` anywhere. Raises `ConfigurationError`.

    Until `start` a verifier is configuration only. It binds to the event loop that starts it (or that first awaits
    `verify`), and may be started again, on another loop, after `aclose`.

    >>> Verifier()
    Traceback (most recent call last):
        ...
    bearward.errors.ConfigurationError: issuers: must name at least one trusted issuer
    """

    def __init__(
        self,
        *issuers: TrustedIssuer | TenantIssuers | IssuerResolver,
        jwks_cache: str = "memory://",
        jwks_cache_secret: bytes | None = None,
        unsafe_allow_unauthenticated_cache: bool = False,
        token_cache_bytes: int = 16 * _MEBIBYTE,
        revocations: Revocations | None = None,
        dpop: DPoP | None = None,
        replays: Replays | None = None,
        clock: Clock | None = None,
        observers: Iterable[Observer] = (),
        explain: bool = False,
        unsafe_explain_remote: bool = False,
    ) -> None:
        self._explain_if(explain, unsafe_explain_remote)
        self._clock = clock or SystemClock()
        self._counters = Counters()
        self.observers: Observers = Observers((log_events, self._counters, *observers))
        """Who is called with what happens here; an adapter reports to them through a `Reporter`."""
        super().__init__(self._clock, revocations, token_cache_bytes, counts=self.observers.verified)
        self._watches = Watches(self._seconds_until_recheck)
        on_clock_set(self._clock, self._watches.look)
        self._reporter = Reporter(self.observers)
        self._store = JWKSStore(
            cache=jwks_cache,
            cache_secret=jwks_cache_secret,
            unsafe_allow_unauthenticated_cache=unsafe_allow_unauthenticated_cache,
            clock=self._clock,
            on_change=lambda keys: self._watches.look(keys.issuer),
            emit=self.observers.emit,
        )
        self._issuers = Issuers(issuers, self._store, self._clock)
        self.dpop: DPoP | None = checked_dpop(dpop, replays)
        """What is asked of DPoP proofs; None if the scheme is not offered."""
        self._needs_binding = dpop is not None and dpop.required
        self.replays: Replays = LocalReplays() if replays is None else replays
        self._standings = Standings(self._issuers, self.revocations, self.now)
        # Revocations may be shared, and outlive this verifier: they must not keep it.
        for stop in (
            self.revocations.on_change(weak_listener(self._watches)),
            self.revocations.observe(self.observers),
        ):
            weakref.finalize(self, stop).atexit = False
        self.observers.attach(self)

    async def start(self) -> None:
        """Bind to the running event loop and fetch keys, best effort; an issuer that is down does not make this fail.

        Raises `AuthError` (KEYS_UNAVAILABLE) only for an issuer whose options say that its keys are required.
        """
        bound, self._started = self._started, asyncio.get_running_loop()
        starting = [self._store.start(self._issuers.with_one_set)]
        if bound is None or is_gone(bound):
            starting.append(self.revocations.start())
        await asyncio.gather(*starting)

    async def aclose(self) -> None:
        """Stop fetching, close connections, forget cached tokens."""
        started, self._started = self._started is not None, None
        if self._cache is not None:
            self._cache.clear()
        await self._store.aclose()
        await self.replays.aclose()
        if started:
            await self.revocations.aclose()

    async def replace_issuers(self, *issuers: TrustedIssuer | TenantIssuers | IssuerResolver) -> None:
        """Trust these issuers instead, as one step, while tokens are verified; any loop may call.

        The keys of new issuers are fetched first, each as its `start` option says; an issuer that is fetched as before
        keeps its keys. From then on every cached token, connection and live stream is held to the new settings, and
        what they do not admit ends. Settings that are refused change nothing.

        Raises:
            ConfigurationError: the issuers are not valid together, or their tokens have other places than before.
            AuthError: KEYS_UNAVAILABLE, for an issuer whose options say that its keys are required.
        """
        if self._started is None or is_gone(self._started):
            self._put_in_force(*self._successor(issuers))
        else:
            await self._store.run(lambda: self._replace_issuers(issuers))

    async def _replace_issuers(self, issuers: tuple[TrustedIssuer | TenantIssuers | IssuerResolver, ...]) -> None:
        async with self._store.replacing:
            replacement, successor = self._successor(issuers)
            await self._store.prepare(replacement)
            self._put_in_force(replacement, successor)

    def _successor(
        self, issuers: tuple[TrustedIssuer | TenantIssuers | IssuerResolver, ...]
    ) -> tuple[Replacement, Issuers]:
        replacement = self._store.replacement()
        successor = Issuers(issuers, self._store, self._clock, replacement)
        successor.check_places(self._issuers)
        return replacement, successor

    def _put_in_force(self, replacement: Replacement, successor: Issuers) -> None:
        same_tenants = successor.take_over(self._issuers)
        self._issuers = successor
        self._standings = Standings(successor, self.revocations, self.now)
        self._store.commit(replacement, keep_tenants=same_tenants)
        self.revocations.invalidate_caches()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:  # then `__aexit__` is not called
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def verify_now(
        self, token: str, *, unsafe_allow_bound: bool = False, place: CredentialPlace | None = None
    ) -> Principal:
        """The principal of `token`, verified with the keys that are held; any thread may call.

        `place` is where the token was found, None for `Authorization`; a token whose issuer has another place is refused.

        With `unsafe_allow_bound` a token that is bound to a key (`cnf`, RFC 7800) is accepted, and the caller must
        check the binding: `bearward.adapters.authenticate`.

        Raises:
            AuthError: the token is refused.
            KeysNeededError: the result needs a fetch: await `verify` then.
        """
        try:
            principal = self._verify_now(token, unsafe_allow_bound, place)
        except AuthError as refused:
            self._reporter.refused(refused)
            raise
        if self._reporter.verified_wanted and not self._reporter.counted(principal):
            self._reporter.verified(principal)
        return principal

    async def verify(
        self, token: str, *, unsafe_allow_bound: bool = False, place: CredentialPlace | None = None
    ) -> Principal:
        """The principal of `token`; awaits only where keys must be fetched. As `verify_now` but for that.

        Raises:
            AuthError: the token is refused, or KEYS_UNAVAILABLE: what it takes to judge it are not available.
        """
        try:
            principal = await self._verify_awaiting(token, unsafe_allow_bound, place)
        except AuthError as refused:
            self._reporter.refused(refused)
            raise
        if self._reporter.verified_wanted and not self._reporter.counted(principal):
            self._reporter.verified(principal)
        return principal

    def watch(self, principal: Principal, on_end: Callable[[AuthError], None], *, leeway: float = 0.0) -> Watch:
        """Have `on_end` called once, on the running event loop, when the principal's token has ended."""
        return self._watches.add(principal, on_end, leeway)

    @property
    def issuers(self) -> tuple[str, ...]:
        """The configured issuers; not those that a resolver or a template has added since."""
        return tuple(dict.fromkeys(issuer.issuer for issuer in self._issuers.explicit))

    @property
    def places(self) -> frozenset[CredentialPlace]:
        """Where the tokens of some issuers are, besides `Authorization`: an adapter looks there too."""
        return self._issuers.places

    def dpop_nonce(self) -> str | None:
        """The nonce to send to clients now (RFC 9449 section 9); None if nonces are off."""
        return None if self.dpop is None or self.dpop.nonces is None else self.dpop.nonces.current(self.now())

    @property
    def live_streams(self) -> int:
        """How many calls, streams and sockets are under watch."""
        return len(self._watches)

    @property
    def ready(self) -> bool:
        """Whether tokens of at least one issuer can be verified."""
        return self.health().ready

    def health(self) -> Health:
        """The state of each issuer's keys; and what was refused, and who may call what."""
        issuers = self._store.health()
        return Health(
            ready=self.revocations.available and (not issuers or any(issuer.ready for issuer in issuers)),
            issuers=issuers,
            cached_tokens=len(self._cache) if self._cache is not None else 0,
            revocations=self.revocations.health(),
            signatures="aws-lc" if aws_lc.is_used() else "cryptography",
            signatures_verified=self.signatures_verified,
            live_streams=self.live_streams,
            refused=self._counters.refused,
            ended=self._counters.ended,
            rules=self._counters.rules,
        )

    def __reduce__(self) -> NoReturn:
        """Raise `TypeError`: a verifier belongs to its process."""
        raise TypeError(_NOT_SENT)

    def __repr__(self) -> str:
        cached = "no token cache" if self._cache is None else f"{len(self._cache)} cached tokens"
        state = "started" if self._started else "not started"
        return f"<Verifier of {self._issuers!r}, {cached}, {len(self._watches)} watches, {state}>"
