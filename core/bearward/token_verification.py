"""The verification of a token by what is held, and the fetch of what is not: the hot path, and what is behind it.

Rule of this file: what passes by the cache is synchronous and touches no lock, no event loop and no aiocache. It awaits
only if the result needs keys that are not held. Nothing is reported to observers: the caller does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from bearward.basis import basis_of
from bearward.claims import issuer_claim, validity_window
from bearward.clock import Clock
from bearward.credential_place import CredentialPlace
from bearward.dpop.replay import Replays
from bearward.errors import AuthError, ConfigurationError, KeysNeededError
from bearward.issuers.registry import Issuers
from bearward.loop import is_gone
from bearward.newer_keys import refusal_or_fetch, refused_by
from bearward.placed_form import parse_placed
from bearward.principal import Principal, parsed_claims
from bearward.recheck import RECHECK_INTERVAL, Standing, recheck, seconds_left
from bearward.refusals import Refusal
from bearward.reporter import concerning
from bearward.revocation.local import Revocations
from bearward.single_use import UseNeededError, refusal_of_use, use_of
from bearward.standing import Standings, presented_by
from bearward.token_cache import (
    NOT_YET,
    CacheEntry,
    CountingTokenCache,
    TokenCache,
    TokenCacheCounts,
    estimated_bytes,
    token_digest,
)
from bearward.trusted_issuer import TrustedIssuer
from bearward.verification import verify_token

__all__ = ["TokenVerification"]

_MAX_FETCHES = 3
"""Keys may rotate again while they are fetched; one request waits for no more than so many."""


_fast_new = tuple.__new__  # a NamedTuple's own constructor is one more call


class TokenVerification:
    """How `Verifier` verifies; a class of its own for the length of the file only."""

    replays: Replays
    """Which proofs, and which tokens that count once, were used already."""
    _issuers: Issuers
    _needs_binding: bool
    _standings: Standings

    def __init__(self, clock: Clock, revocations: Revocations | None, token_cache_bytes: int, *, counts: bool) -> None:
        self.now: Callable[[], float] = clock.now
        """The verifier's clock, in seconds since the epoch."""
        self.monotonic: Callable[[], float] = clock.monotonic
        """Its monotonic clock, in seconds."""
        if isinstance(token_cache_bytes, bool) or not isinstance(token_cache_bytes, int) or token_cache_bytes < 0:
            raise ConfigurationError("token_cache_bytes", "must be a number of bytes, 0 for no cache")
        kind = CountingTokenCache if counts else TokenCache
        self._cache = kind(max_bytes=token_cache_bytes) if token_cache_bytes else None
        self.signatures_verified: int = 0
        """How many tokens were verified by their signature, and not remembered; about right where threads verify."""
        self.revocations: Revocations = Revocations(clock=clock) if revocations is None else revocations
        self._started: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Bind to the running event loop and fetch keys."""
        raise NotImplementedError

    async def _verify_awaiting(self, token: str, allow_bound: bool, place: CredentialPlace | None = None) -> Principal:  # noqa: FBT001
        try:
            return self._verify_now(token, allow_bound, place)
        except UseNeededError as used:
            return await self._record_use(used)
        except KeysNeededError as needed:
            return await self._verify_by_fetching(token, needed, allow_bound, place)

    # Not keyword-only, since CPython 3.11 calls a function that has such arguments at twice the cost.
    def _verify_now(self, token: str, allow_bound: bool, place: CredentialPlace | None = None) -> Principal:  # noqa: FBT001
        cache = self._cache
        # No JOSE header begins otherwise ("{" encodes as "e"), so garbage is not worth a hash.
        if cache is None or token[:1] != "e" or len(token) > cache.max_token:
            return self._verify(token, None, allow_bound, place)
        digest = token_digest(token, place)
        entry = cache.get(digest)
        if entry is not None:
            principal, current, held, revision, checked_at, recheck_at, bound, _ = entry
            if (allow_bound or not bound) and (
                (current() is held and revision == self.revocations.revision and checked_at <= self.now() < recheck_at)
                or self._renew(cache, digest, entry)
            ):
                return principal
        return self._verify(token, digest, allow_bound, place)

    @property
    def token_cache(self) -> TokenCacheCounts:
        """The cache of verified tokens in numbers."""
        cache = self._cache
        if cache is None:
            return TokenCacheCounts()
        return TokenCacheCounts(cache.hits, cache.misses, cache.evictions, len(cache))

    def cached_entry(self, token: str) -> CacheEntry | None:
        """The cache entry of a token that `verify_now` accepted, for a connection that sends it again and again.

        Keep it with the connection, call `is_still_valid` each time, and call `verify_now` once that is false: the
        decision is the same, without hashing the token. None for a token that is bound to a certificate, since each
        connection has to prove it again.
        """
        if self._cache is None or not token.isascii() or len(token) > self._cache.max_token:
            return None
        digest = token_digest(token)
        entry = self._cache.get(digest)
        if entry is None or entry.bound:
            return None
        return self._with_end(self._cache, digest, entry) if entry.recheck_at == NOT_YET else entry

    def is_still_valid(self, entry: CacheEntry) -> bool:
        """Whether `verify_now` would return the principal of `entry` without another check; any thread may call.

        False at the latest half a minute after the token was checked: `verify_now` then checks it again.
        """
        _, current, held, revision, checked_at, recheck_at, _, _ = entry
        return current() is held and revision == self.revocations.revision and checked_at <= self.now() < recheck_at

    def check_still_valid(self, principal: Principal, *, leeway: float = 0.0) -> None:
        """Raise `AuthError` if the principal's token would be refused now; any thread may call.

        The reason may be expiry, revocation, a withdrawn key, or an issuer that is no longer trusted, or trusted on
        other terms. Keys that are temporarily unavailable end no call. `leeway`, in seconds, is added to the issuer's
        own.
        """
        self._standings.check(principal, leeway)

    def seconds_until_expiry(self, principal: Principal, *, leeway: float = 0.0) -> float:
        """Seconds until the principal's token expires or grows too old; negative after that."""
        return seconds_left(principal, self._standings.of(principal, leeway))

    async def _verify_by_fetching(
        self,
        token: str,
        needed: KeysNeededError,
        allow_bound: bool,  # noqa: FBT001
        place: CredentialPlace | None,
    ) -> Principal:
        fetches = 0
        while fetches < _MAX_FETCHES:
            issuers = self._issuers
            try:
                await self._fetch_keys_for(token, needed.generation, place)
                return self._verify_now(token, allow_bound, place)
            except UseNeededError as used:
                return await self._record_use(used)
            except KeysNeededError as again:
                if again.refused is not None and again.generation == needed.generation:
                    raise again.refused from None  # the refresh brought no other set: once is enough for one caller
                needed = again
            fetches += issuers is self._issuers  # what issuers brought that were replaced meanwhile, counts for nothing
        raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0)

    def _verify(
        self,
        token: str,
        digest: bytes | None,
        allow_bound: bool,  # noqa: FBT001
        place: CredentialPlace | None,
    ) -> Principal:
        # Read first: what is revoked, or trusted on other terms, meanwhile must not look as if it was checked.
        revision = self.revocations.revision
        unverified, now = parse_placed(token, place), self.now()
        policy, keys = self._issuers.known(issuer_claim(unverified.claims), unverified, place)
        held = keys.current()
        jwk_set = None if held is None else held.jwk_set
        try:
            principal = verify_token(unverified, policy, jwk_set, now, allow_bound=allow_bound)
            if self._needs_binding and "cnf" not in unverified.claims:
                raise AuthError(Refusal.SENDER_CONSTRAINT_REQUIRED)
            self.revocations.check(principal)
        except AuthError as refused:
            raise refusal_or_fetch(refused, unverified, keys, held) from None
        self.signatures_verified += 1
        if policy.single_use:
            self._use_once(principal, policy, now)
        elif digest is not None and self._cache is not None and held is not None:
            bound, cost = "cnf" in unverified.claims, estimated_bytes(unverified.payload)
            entry = _fast_new(CacheEntry, (principal, keys.current, held, revision, now, NOT_YET, bound, cost))
            self._cache.put(digest, entry)
        return principal

    def _use_once(self, principal: Principal, policy: TrustedIssuer, now: float) -> None:
        try:
            use = use_of(principal, policy, now)
            if self.replays.is_shared:
                raise UseNeededError(principal, use)
            self.replays.record_now(use, now)
        except AuthError as refused:
            raise concerning(refusal_of_use(refused), principal) from None

    async def _record_use(self, needed: UseNeededError) -> Principal:
        try:
            await self.replays.record(needed.use, self.now())
        except AuthError as refused:
            raise concerning(refusal_of_use(refused), needed.principal) from None
        return needed.principal

    def _renew(self, cache: TokenCache, digest: bytes, entry: CacheEntry) -> bool:
        """Check everything again that a cached token depends on; it is then relied on for another interval.

        False if it must be verified again, since newer keys may be needed. Raises as `verify_now` does. At the first
        hit it is what was checked a moment ago, and only its end is not known yet.
        """
        if entry.recheck_at == NOT_YET and self.is_still_valid(self._with_end(cache, digest, entry)):
            return True
        cache.drop(digest)
        principal, now, revision = (
            entry.principal,
            self.now(),
            self.revocations.revision,
        )  # read before it is checked by
        policy, keys = self._issuers.known(principal.issuer, *presented_by(principal))
        held = keys.current()
        if held is None or policy.single_use:  # by settings that came later: then it counts once from here on
            return False
        standing = Standing(policy, held.jwk_set, self.revocations.check, now)
        try:
            recheck(principal, standing)
        except AuthError as refused:
            if refused.refusal is Refusal.KEY_WITHDRAWN:
                return False
            raise concerning(refused, principal) from None
        until = now + min(seconds_left(principal, standing), RECHECK_INTERVAL)
        cache.put(digest, CacheEntry(principal, keys.current, held, revision, now, until, entry.bound, entry.cost))
        return True

    @staticmethod
    def _with_end(cache: TokenCache, digest: bytes, entry: CacheEntry) -> CacheEntry:
        """The entry of a token that is asked for again, with its end, which most never need."""
        basis, until = basis_of(entry.principal), entry.checked_at + RECHECK_INTERVAL
        if basis is not None:
            until = min(validity_window(parsed_claims(entry.principal), basis.policy)[1], until)
        ending = entry._replace(recheck_at=until)
        cache.put(digest, ending)
        return ending

    def _seconds_until_recheck(self, principal: Principal, leeway: float) -> float:
        return self._standings.seconds_until_recheck(principal, leeway)

    async def _fetch_keys_for(self, token: str, generation: int | None, place: CredentialPlace | None) -> None:
        """Fetch what an answer for `token` needs; a rare path, so the token is simply taken apart again.

        Who looked in a key set says in which: of many that missed in the same one, one fetches.
        """
        if self._started is None or is_gone(self._started):
            await self.start()
        unverified, issuers = parse_placed(token, place), self._issuers
        _, keys = await issuers.find(issuer_claim(unverified.claims), unverified, place)
        try:
            if generation is None:
                await keys.get()
            else:
                await keys.refresh_after_miss(unverified.header.kid, generation)
        except AuthError as unavailable:
            if issuers is not self._issuers:
                return  # replaced meanwhile, and these keys closed: those in their place are asked
            if keys.has_no_such_key:
                raise refused_by(keys, None, AuthError(Refusal.KEY_UNKNOWN)) from None
            raise refused_by(keys, None, unavailable) from None
