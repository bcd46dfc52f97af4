"""The JWKS store: the keys of many issuers, one `IssuerKeys` each, on one event loop.

Rule of this file: configured issuers are kept permanently and refreshed in the background; tenants, which match a
template or are confirmed by a resolver, are created when first needed, refreshed when used, and bounded in number.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable
from typing import Any
from urllib.parse import urlsplit

from bearward.cache.client import SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import Clock, SystemClock
from bearward.errors import ConfigurationError, KeysNeededError
from bearward.events import Event
from bearward.fetch.client import IssuerHTTPClient
from bearward.forks import fork_safe, no_fork
from bearward.jose.jwk_set import JWKSet
from bearward.jwks import option_checks as check
from bearward.jwks.entry import Entry, HeldKeys
from bearward.jwks.fleet import IssuerFleet
from bearward.jwks.health import IssuerHealth
from bearward.jwks.issuer_keys import IssuerKeys, MissAction
from bearward.jwks.issuer_settings import IssuerSettings, OneKey, name_of_keys
from bearward.jwks.polling import poll_for_changes
from bearward.jwks.refresh import Refresher
from bearward.jwks.replacement import ConfiguredIssuer, Replacement
from bearward.jwks.snapshot import Snapshot
from bearward.jwks.source_chain import source_for, source_identity
from bearward.jwks.start import initial_fetch
from bearward.jwks.tenant_admission import TenantAdmission, Ticket
from bearward.jwks.tenant_keys import TenantKeys
from bearward.logs import log_events
from bearward.loop import LoopBinding

__all__ = ["HeldKeys", "IssuerKeys", "JWKSStore", "MissAction"]

_CACHE_TIMEOUT = 0.5
_POLL_INTERVAL = 0.5


class JWKSStore:
    """The keys of all trusted issuers. `start` and `aclose` run on the loop; `keys_of` on any thread."""

    def __init__(
        self,
        *,
        cache: str | Any = "memory://",
        cache_secret: bytes | None = None,
        unsafe_allow_unauthenticated_cache: bool = False,
        clock: Clock | None = None,
        on_change: Callable[[IssuerKeys], None] | None = None,
        max_tenants: int = 1000,
        emit: Callable[[Event], None] = log_events,
    ) -> None:
        if not isinstance(max_tenants, int) or max_tenants < 1:
            raise ConfigurationError("max_tenants", "must be a whole number from 1")
        self._binding = LoopBinding(clock or SystemClock())
        self._on_change = on_change
        self._emit = emit
        self._configured: dict[str, ConfiguredIssuer] = {}
        self._tenants = TenantKeys(max_tenants)
        self._admission = TenantAdmission(self._binding.clock.monotonic)
        self._lock = fork_safe(threading.RLock())  # making a tenant with configured keys promotes it at once
        self._secret = check.shared_secret(cache_secret)
        self._cache = self._shared_cache(cache)
        if self._secret is None and not self._cache.local and not unsafe_allow_unauthenticated_cache:
            raise check.missing_secret()
        self._polling: asyncio.Task[None] | None = None
        self._interval = _POLL_INTERVAL
        self._started = False
        self.replacing: asyncio.Lock = asyncio.Lock()
        """Held while other issuers are put in the place of those that are configured."""
        self.era: int = 0
        """Grows when other tenants are trusted than before: who asks for keys by older rules is refused them."""
        self._binding.on_rebind = self._begin
        self._binding.on_parent_lost = self._forget_parent

    def keys_of(self, issuer: IssuerSettings, *, vouched: bool = False, era: int | None = None) -> IssuerKeys:
        """The keys of `issuer`: those of a configured one, or of a tenant, created at the first call.

        `vouched`: a resolver says that this tenant exists; else it may be invented. Raises `KeysNeededError` if the
        `era` in which the caller found the tenant is over.
        """
        configured = self._configured.get(name_of_keys(issuer))
        if configured is not None:
            return configured.keys
        with self._lock:
            if era is not None and era != self.era:
                raise KeysNeededError
            name = name_of_keys(issuer)
            keys = self._tenants.find(name)
            if keys is not None:
                return keys
            keys, gone = self._tenants.add(name, lambda: self._create(issuer, self._ticket(issuer, vouched=vouched)))
        if gone is not None and gone.in_use:
            self._binding.call_soon(gone.close_when_idle)
        return keys

    def without_keys(self, issuer: IssuerSettings) -> IssuerKeys:
        """Keys of an issuer that holds none and fetches none: for a token that names no key that could exist."""
        keys = self._create(issuer, None)
        keys.accept(Entry(JWKSet(()), b"", self._binding.clock.now(), float("inf")))
        return keys

    def forget(self, issuer: str) -> None:
        """The policy of a tenant changed, or it is no longer trusted: its keys are not used again, nor what they verified."""
        with self._lock:
            gone = self._tenants.drop(issuer)
        if gone is None:
            return
        gone.invalidate()
        if gone.in_use:
            self._binding.call_soon(gone.close_when_idle)
        if self._on_change is not None:
            self._on_change(gone)

    def add(self, issuer: IssuerSettings) -> IssuerKeys:
        """The keys of a configured issuer, which stay for good."""
        known = self._configured.get(issuer.issuer)
        if known is None:
            known = self._configured[issuer.issuer] = ConfiguredIssuer(issuer, self._create(issuer, None))
        return known.keys

    def replacement(self) -> Replacement:
        """To prepare other configured issuers in the place of these."""
        return Replacement(self._configured, self._create)

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run `work()` on the store's loop."""
        if self._binding.bind():
            await work()
        else:
            await self._binding.run_on_bound_loop(work)

    async def prepare(self, replacement: Replacement) -> None:
        """Fetch the keys of issuers to come, each as its `start` option says; on the store's loop.

        Raises:
            StartError: required keys are not available. Nothing has changed then.
        """
        try:
            await asyncio.gather(*(initial_fetch(keys) for keys in replacement.fresh))
        except BaseException:
            for keys in replacement.fresh:
                keys.close_when_idle()
            raise

    def commit(self, replacement: Replacement, *, keep_tenants: bool) -> None:
        """Put the issuers in force; what others verified counts no more. On the store's loop, or before it has one."""
        gone = replacement.gone
        with self._lock:
            self._configured = replacement.issuers
            if not keep_tenants:
                self.era += 1
                gone += self._tenants.clear()
        for keys in gone:
            keys.invalidate()
            if keys.in_use:
                keys.close_when_idle()
        if self._polling is not None and self._interval != self._poll_interval():
            self._polling.cancel()
            self._poll()

    async def start(self, issuers: Iterable[IssuerSettings] = ()) -> None:
        """Bind to the running loop and fetch the keys of `issuers`, each as its `start` option says.

        Raises:
            StartError: the keys of an issuer with `start=StartMode.REQUIRED` are not available.
        """
        for issuer in issuers:
            self.add(issuer)
        self._started = True
        if not self._binding.bind():
            await self._binding.run_on_bound_loop(self.start)
            return
        if self._polling is None:
            self._begin()
        await asyncio.gather(*(initial_fetch(known.keys) for known in tuple(self._configured.values())))

    def _begin(self) -> None:
        """On a loop that was just bound, as the first one or instead of one that ended: start the background work."""
        self.replacing = asyncio.Lock()
        if self._started:
            self._poll()
            for known in self._configured.values():
                known.keys.rebind()

    def _forget_parent(self) -> None:
        """In a forked child: what is held is used again once its own loop refreshes it."""
        for keys in self._all():
            keys.forget_parent()

    def _poll(self) -> None:
        self._interval = self._poll_interval()
        self._polling = self._binding.spawn(poll_for_changes(self._most_recent_first, self._cache, self._interval))

    def _poll_interval(self) -> float:
        intervals = [known.keys.options.poll_interval for known in self._configured.values()]
        return min(intervals, default=_POLL_INTERVAL)

    async def aclose(self) -> None:
        """Cancel all tasks and close all connections. What is held stays; `start` may be called on another loop."""
        self._started, self._polling = False, None
        if self._binding.loop is not None and not self._binding.bind():
            await self._binding.run_on_bound_loop(self.aclose)
            return
        await self._binding.aclose()
        for keys in self._all():
            await keys.aclose()
        await self._cache.aclose()

    def health(self) -> tuple[IssuerHealth, ...]:
        """One per configured issuer, then one per tenant whose keys were held: invented tenants are not in it."""
        return tuple(keys.health() for keys in self._most_recent_first())

    def _most_recent_first(self) -> list[IssuerKeys]:
        with self._lock:
            return [*(known.keys for known in self._configured.values()), *self._tenants.proven()]

    def _shared_cache(self, cache: str | Any) -> SharedCache:
        clock = self._binding.clock
        if not isinstance(cache, str):  # an aiocache backend
            return SharedCache(lambda: cache, clock, timeout=_CACHE_TIMEOUT)
        make = backend_factory(cache, timeout=_CACHE_TIMEOUT)
        if make is None:
            return SharedCache(self._process_cache, clock, timeout=_CACHE_TIMEOUT, local=True)
        return SharedCache(make, clock, timeout=_CACHE_TIMEOUT)

    def _process_cache(self) -> Any:
        """Runs in a thread: importing aiocache, and what it imports, takes longer than all of bearward."""
        with no_fork:
            from bearward.cache.memory import process_cache

        if self._binding.loop is None:
            raise RuntimeError("the store is not started")
        return process_cache(self._binding.loop)

    def _all(self) -> list[IssuerKeys]:
        with self._lock:
            return [*(known.keys for known in self._configured.values()), *self._tenants.all()]

    def _ticket(self, issuer: IssuerSettings, *, vouched: bool) -> Ticket:
        provider = urlsplit(issuer.jwks_uri or issuer.pem_uri or issuer.metadata_uri or issuer.issuer).netloc.lower()
        return self._admission.ticket(provider, vouched=vouched)

    def _create(self, issuer: IssuerSettings, ticket: Ticket | None) -> IssuerKeys:
        source, options, clock = source_for(issuer), issuer.jwks_options, self._binding.clock
        settings = options.http_settings(unsafe_allow_http=issuer.unsafe_allow_http)
        client = IssuerHTTPClient(settings, clock=clock)
        shared: dict[str, Any] = {
            "source": source_identity(source, issuer),
            "options": options,
            "clock": clock,
            "secret": self._secret,
        }
        fleet = snapshot = None
        if issuer.static_keys is None and not getattr(source, "local", False):
            fleet = IssuerFleet(self._cache, name_of_keys(issuer), **shared)
        if options.snapshot_dir is not None and issuer.static_keys is None:
            snapshot = Snapshot(options.snapshot_dir, name_of_keys(issuer), **shared)
        keys = IssuerKeys(
            issuer.issuer,
            options,
            Refresher(source, client, options, clock, fleet=fleet, snapshot=snapshot),
            self._binding,
            on_change=self._on_change,
            on_first=None if ticket is None else self._promote,
            ticket=ticket,
            is_one_key=isinstance(issuer, OneKey),
            emit=self._emit,
        )
        if issuer.static_keys is not None:
            keys.accept(Entry(issuer.static_keys, b"", self._binding.clock.now(), float("inf")))
        return keys

    def _promote(self) -> None:
        with self._lock:
            gone = self._tenants.promote()
        for keys in gone:
            keys.close_when_idle()
