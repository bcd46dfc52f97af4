"""The JWKS store: the keys of many issuers, one `IssuerKeys` each, on one event loop.

Rule of this file: explicit issuers stay for good and are tended in the background; those that a pattern or a resolver
brought (tenants) are made when first asked for, refreshed when used, and kept within bounds.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from bearward.cache.client import SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import Clock, SystemClock
from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.fetch.client import HTTPClient
from bearward.jwks.entry import Entry, HeldKeys
from bearward.jwks.fleet import IssuerFleet
from bearward.jwks.health import IssuerHealth
from bearward.jwks.issuer_keys import IssuerKeys, Miss
from bearward.jwks.options import StartMode
from bearward.jwks.polling import watch
from bearward.jwks.refresh import Refresher
from bearward.jwks.snapshot import Snapshot
from bearward.jwks.source import Source
from bearward.jwks.source_chain import description, source_of
from bearward.jwks.tenant_keys import TenantKeys
from bearward.loop import Runtime

if TYPE_CHECKING:
    from bearward.trusted_issuer import TrustedIssuer

__all__ = ["HeldKeys", "IssuerKeys", "JWKSStore", "Miss", "StartError"]

_CACHE_TIMEOUT = 0.5
_POLL_INTERVAL = 0.5
_LEAST_SECRET = 16


class JWKSStore:
    """The keys of all trusted issuers. `start` and `aclose` run on the loop; `keys_of` on any thread."""

    def __init__(
        self,
        *,
        cache: str | Any = "memory://",
        cache_secret: bytes | None = None,
        clock: Clock | None = None,
        on_change: Callable[[IssuerKeys], None] | None = None,
        max_tenants: int = 1000,
    ) -> None:
        if not isinstance(max_tenants, int) or max_tenants < 1:
            raise ConfigurationError("max_tenants", "must be a whole number from 1")
        self._runtime = Runtime(clock or SystemClock())
        self._on_change = on_change
        self._explicit: dict[str, IssuerKeys] = {}
        self._tenants = TenantKeys(max_tenants)
        self._lock = threading.RLock()  # making a tenant with configured keys promotes it at once
        self._secret = _checked(cache_secret)
        self._cache = self._shared_cache(cache)
        self._watch: asyncio.Task[None] | None = None
        self._started = False
        self._runtime.on_move = self._begin

    def keys_of(self, issuer: TrustedIssuer) -> IssuerKeys:
        """The keys of `issuer`: those of an explicit one, or of a tenant, made at the first call."""
        explicit = self._explicit.get(issuer.issuer)
        if explicit is not None:
            return explicit
        with self._lock:
            keys = self._tenants.find(issuer.issuer)
            if keys is not None:
                return keys
            keys, gone = self._tenants.add(issuer.issuer, lambda: self._make(issuer, tended=False))
        if gone is not None and gone.in_use:
            self._runtime.call(gone.retire)
        return keys

    def forget(self, issuer: str) -> None:
        """The policy of a tenant is another one now, or none: its keys are not used again, nor what they verified."""
        with self._lock:
            gone = self._tenants.drop(issuer)
        if gone is None:
            return
        gone.forget()
        if gone.in_use:
            self._runtime.call(gone.retire)
        if self._on_change is not None:
            self._on_change(gone)

    def add(self, issuer: TrustedIssuer) -> IssuerKeys:
        """The keys of an explicit issuer, which stay for good."""
        keys = self._explicit.get(issuer.issuer)
        if keys is None:
            keys = self._explicit[issuer.issuer] = self._make(issuer, tended=True)
        return keys

    async def start(self, issuers: Iterable[TrustedIssuer] = ()) -> None:
        """Bind to the running loop and see to the keys of `issuers`, each as its `start` option says.

        Raises:
            StartError: the keys of an issuer with `start=StartMode.REQUIRED` cannot be had.
        """
        for issuer in issuers:
            self.add(issuer)
        self._started = True
        if not self._runtime.bind():
            await self._runtime.elsewhere(self.start)
            return
        if self._watch is None:
            self._begin()
        await asyncio.gather(*(self._warm(keys) for keys in self._explicit.values()))

    def _begin(self) -> None:
        """On a loop that was just taken, as a new one or instead of one that ended: what runs in the background."""
        if self._started:
            intervals = [keys.options.poll_interval for keys in self._explicit.values()]
            self._watch = self._runtime.spawn(watch(self._by_use, self._cache, min(intervals, default=_POLL_INTERVAL)))
            for keys in self._explicit.values():
                keys.move()

    async def aclose(self) -> None:
        """End all tasks and close all connections. What is held stays; `start` may be called on another loop."""
        self._started, self._watch = False, None
        if self._runtime.loop is not None and not self._runtime.bind():
            await self._runtime.elsewhere(self.aclose)
            return
        await self._runtime.aclose()
        for keys in self._all():
            await keys.aclose()
        await self._cache.aclose()

    def health(self) -> tuple[IssuerHealth, ...]:
        """One per explicit issuer, then one per tenant that has had keys: strangers cannot add to it."""
        return tuple(keys.health() for keys in self._by_use())

    def _by_use(self) -> list[IssuerKeys]:
        with self._lock:
            return [*self._explicit.values(), *self._tenants.proven()]

    def _shared_cache(self, cache: str | Any) -> SharedCache:
        clock = self._runtime.clock
        if not isinstance(cache, str):  # an aiocache backend of the caller's own
            return SharedCache(lambda: cache, clock, timeout=_CACHE_TIMEOUT)
        make = backend_factory(cache, timeout=_CACHE_TIMEOUT)
        if make is None:
            return SharedCache(self._process_cache, clock, timeout=_CACHE_TIMEOUT, local=True)
        return SharedCache(make, clock, timeout=_CACHE_TIMEOUT)

    def _process_cache(self) -> Any:
        """Runs in a thread: importing aiocache, and what it imports, takes longer than all of bearward."""
        from bearward.cache.memory import process_cache

        if self._runtime.loop is None:
            raise RuntimeError("the store is not started")
        return process_cache(self._runtime.loop)

    def _all(self) -> list[IssuerKeys]:
        with self._lock:
            return [*self._explicit.values(), *self._tenants.all()]

    def _make(self, issuer: TrustedIssuer, *, tended: bool) -> IssuerKeys:
        client = HTTPClient(issuer.jwks_options, unsafe_allow_http=issuer.unsafe_allow_http, clock=self._runtime.clock)
        source, options, clock = source_of(issuer), issuer.jwks_options, self._runtime.clock
        shared: dict[str, Any] = {
            "source": _fingerprint(source, issuer),
            "options": options,
            "clock": clock,
            "secret": self._secret,
        }
        fleet = snapshot = None
        if issuer.static_keys is None and not getattr(source, "local", False):
            fleet = IssuerFleet(self._cache, issuer.issuer, **shared)
        if options.snapshot_dir is not None and issuer.static_keys is None:
            snapshot = Snapshot(options.snapshot_dir, issuer.issuer, **shared)
        keys = IssuerKeys(
            issuer.issuer,
            options,
            Refresher(source, client, options, clock, fleet),
            self._runtime,
            on_change=self._on_change,
            on_first=None if tended else self._promote,
            snapshot=snapshot,
            tended=tended,
        )
        if issuer.static_keys is not None:
            keys.adopt(Entry(issuer.static_keys, b"", self._runtime.clock.now(), float("inf")))
        return keys

    def _promote(self) -> None:
        with self._lock:
            gone = self._tenants.promote()
        for keys in gone:
            keys.retire()

    async def _warm(self, keys: IssuerKeys) -> None:
        mode = keys.options.start
        if keys.current() is None:
            await keys.load_snapshot()
        if mode is StartMode.LAZY or keys.current() is not None:
            return
        flight = keys.refresh()
        wait = keys.options.start_wait if mode is StartMode.EAGER else None
        await asyncio.wait((flight,), timeout=wait)
        if mode is StartMode.REQUIRED and keys.current() is None:
            raise StartError(keys.issuer)


def _checked(secret: bytes | None) -> bytes | None:
    if secret is not None and (not isinstance(secret, bytes) or len(secret) < _LEAST_SECRET):
        raise ConfigurationError("cache_secret", f"must be at least {_LEAST_SECRET} bytes")
    return secret


def _fingerprint(source: Source, issuer: TrustedIssuer) -> str:
    """From where and how a document may have been fetched: only those who agree on it take it from one another."""
    options = issuer.jwks_options
    how = (options.ca_file, options.proxy, options.same_origin, options.unsafe_allow_private_addresses)
    return repr((description(source), issuer.unsafe_allow_http, *map(str, how)))


class StartError(AuthError):
    """KEYS_UNAVAILABLE at start, for an issuer whose keys are required then."""

    def __init__(self, issuer: str) -> None:
        super().__init__(Refusal.KEYS_UNAVAILABLE)
        self.issuer = issuer

    def __str__(self) -> str:
        return f"the keys of {self.issuer} are required at start and cannot be had"
