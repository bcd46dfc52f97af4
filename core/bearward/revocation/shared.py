"""Revocations that a fleet shares through a store: what one process revokes, all refuse within a second.

Rules of this file: checking is in process and synchronous; a task polls the store several times a second. While the
store fails, local revocations take effect here and are shared later; what happens to tokens that others may have
revoked meanwhile is the operator's decision (`on_failure`). Whether the store responded recently is decided by the
clock of the calling thread: a task that hangs with its event loop postpones nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any, Literal, NamedTuple

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import Clock
from bearward.errors import AuthError, BearwardError, ConfigurationError
from bearward.events import Event, Observer, RevocationStoreDown, RevocationStoreUp
from bearward.forks import keep_for_parent
from bearward.logs import log_events
from bearward.loop import LoopBinding
from bearward.observers import Observers, notify
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.revocation.entry import Name, Revocation, bounded_name, validated
from bearward.revocation.local import Revocations
from bearward.revocation.log import RevocationLog
from bearward.revocation.options import STORE_TIMEOUT, SharingOptions

__all__ = ["RevocationNotSharedError", "SharedRevocations"]

_log = logging.getLogger("bearward.revocation")

_START_WAIT = 1.0
_MAX_LOGS = 3
"""Logs that may be begun by others while one exchange lasts."""
_NOT_SHARED = "revoked in this process; to be shared as soon as the store responds"


class _Close(NamedTuple):
    loop: asyncio.AbstractEventLoop
    ended: asyncio.Event


class RevocationNotSharedError(BearwardError):
    """What was revoked is in force in this process, and will be shared as soon as the store responds."""

    def __init__(self, message: str = _NOT_SHARED) -> None:
        super().__init__(message)


class SharedRevocations(Revocations):
    """Revocations shared through Redis, Valkey or memcached; pass it to `Verifier`, which starts and closes it.

    `cache` is an aiocache URL. `on_failure` says what becomes of tokens while the store has not responded for `grace`
    seconds: `"refuse"` refuses all of them (REVOCATION_UNAVAILABLE) and ends what is being watched, `"accept"` goes on
    by what is known here. `cache_secret`, at least 16 bytes, authenticates the entries. Fleets with different `name`s
    do not see each other. `poll_interval`, in seconds, is how often the store is asked for news. Raises
    `ConfigurationError`.

    >>> SharedRevocations(cache="redis://cache:6379/0", on_failure="refuse", cache_secret=b"0123456789abcdef")
    <SharedRevocations: 0 entries, store: not started, refusing all tokens>
    """

    def __init__(
        self,
        *,
        cache: str | Any,
        on_failure: Literal["refuse", "accept"],
        cache_secret: bytes,
        name: str = "default",
        poll_interval: float = 0.25,
        grace: float = 2.0,
        clock: Clock | None = None,
    ) -> None:
        super().__init__(clock=clock)
        self._options = SharingOptions(
            on_failure=on_failure, cache_secret=cache_secret, name=name, poll_interval=poll_interval, grace=grace
        )
        make = backend_factory(cache, timeout=STORE_TIMEOUT) if isinstance(cache, str) else lambda: cache
        if make is None:
            raise ConfigurationError("cache", "must be a store that the fleet shares; without one, use Revocations")
        self._binding = LoopBinding(self._clock)
        self._binding.on_parent_lost = self._forget_parent
        self._cache = SharedCache(make, self._clock, timeout=STORE_TIMEOUT, pause=poll_interval, purpose="revocations")
        place = f"bearward:revocations:{name}"
        self._log = RevocationLog(self._cache, self._clock, name=place, secret=cache_secret, learn=super().add)
        self._unshared: dict[Name, Revocation] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._all_shared = False
        self._wake = asyncio.Event()
        self._users = 0
        self._closing: _Close | None = None
        """While a close lasts, which a start waits for."""
        self._state = "not started"
        self._last_success = -math.inf
        self._started_at = -math.inf
        self._known_until = -math.inf
        self._was_known = False
        self._observers: weakref.WeakSet[Observers] = weakref.WeakSet()

    @property
    def store_responds(self) -> bool:
        """Whether what others revoked is known here, but for the last seconds; by the clock of this moment."""
        return self._clock.monotonic() <= self._known_until

    @property
    def lag(self) -> float | None:
        """Seconds since the store was last read, or since the start if it never was; None before that."""
        since = max(self._last_success, self._started_at)
        return None if since == -math.inf else self._clock.monotonic() - since

    @property
    def available(self) -> bool:
        """Whether tokens can be checked: the store responds, or the operator chose to continue without it."""
        return not self._options.refuse or self.store_responds

    @property
    def revision(self) -> int:
        """As in process; none that a verification was made under while tokens cannot be checked."""
        return self._revision if self.available else -1

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Apply entries here at once, and have them shared; await `flush` to know that they are."""
        entries = [validated(entry)._replace(name=bounded_name(entry.name)) for entry in revocations]
        super().add(entries)
        with self._lock:
            for entry in entries:
                self._unshared[entry.key] = entry
        self._binding.call_soon(self._wake.set)

    async def flush(self) -> None:
        """Return when everything that was revoked here is in the store.

        Raises `RevocationNotSharedError` if the store does not respond now: the entries stay in force here, and are
        shared as soon as it does.
        """
        loop = self._binding.loop
        if loop is None or not loop.is_running():
            raise RevocationNotSharedError
        if loop is not asyncio.get_running_loop():
            return await self._binding.run_on_bound_loop(self.flush)
        waiter: asyncio.Future[None] = loop.create_future()
        self._waiting.append(waiter)
        self._wake.set()
        return await waiter

    def check(self, principal: Principal) -> None:
        """Raise `AuthError`: TOKEN_REVOKED, or REVOCATION_UNAVAILABLE while that cannot be known."""
        if not self.available:
            raise AuthError(Refusal.REVOCATION_UNAVAILABLE, retry_after=1.0)
        super().check(principal)

    async def start(self) -> None:
        """Read the store, for at most a second, and keep polling it in the background."""
        self._users += 1
        while (close := self._close_here()) is not None:
            await close.ended.wait()
        if not self._users:  # closed once more meanwhile
            return
        if self._users > 1 and self._binding.loop is not None and not self._binding.loop.is_closed():
            return
        self._binding.bind()
        self._wake = asyncio.Event()
        self._state = "starting"
        self._started_at = self._clock.monotonic()
        first = asyncio.Event()
        self._binding.spawn(self._sync_loop(first))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_WAIT):
                await first.wait()

    async def aclose(self) -> None:
        """Stop polling, after a last attempt to share what was not shared yet. From then on the store counts as failed."""
        self._users = max(0, self._users - 1)
        if self._users:
            return
        if (close := self._close_here()) is not None:
            await close.ended.wait()
            return
        if self._binding.loop is None:
            return
        self._closing = close = _Close(asyncio.get_running_loop(), asyncio.Event())
        try:
            await self._close()
        finally:
            close.ended.set()
            if self._closing is close:
                self._closing = None

    def _close_here(self) -> _Close | None:
        """The close that is under way on the running loop."""
        close = self._closing
        return close if close is not None and close.loop is asyncio.get_running_loop() else None

    async def _close(self) -> None:
        try:
            if self._unshared:
                with contextlib.suppress(RevocationNotSharedError, TimeoutError):
                    async with asyncio.timeout(STORE_TIMEOUT):
                        await self.flush()
        finally:  # also for who waits no longer: nothing may go on asking the store
            await self._stop()

    async def _stop(self) -> None:
        await self._binding.aclose()
        await self._cache.aclose()
        self._state, self._known_until = "closed", -math.inf
        self._announce_availability()
        self._settle_waiters(self._waiting, shared=False)

    def observe(self, observers: Observers) -> Callable[[], None]:
        """As said there: they are called when the store fails, and when it responds again."""
        self._observers.add(observers)
        return lambda: None  # they are not kept

    def _forget_parent(self) -> None:
        """In a forked child: nothing reads the store until the verifier is started there."""
        keep_for_parent(self._waiting, self._wake, self._closing)
        self._users, self._waiting, self._wake, self._closing = 0, [], asyncio.Event(), None

    def health(self) -> str:
        """The state, in words."""
        rejected = f", {self._log.rejected} entries in the store rejected" if self._log.rejected else ""
        waiting = f", {len(self._unshared)} not shared yet" if self._unshared else ""
        choice = "" if self.store_responds else f", {self._options.consequence}"
        return f"{len(self)} entries, store: {self._state_now()}{choice}{waiting}{rejected}"

    def __repr__(self) -> str:
        return f"<SharedRevocations: {self.health()}>"

    def _state_now(self) -> str:
        return "not asked any more" if self._state == "ok" and not self.store_responds else self._state

    async def _sync_loop(self, first: asyncio.Event) -> None:
        """Ask for news forever."""
        while True:
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            began = self._clock.monotonic()
            self._all_shared = False
            try:
                failure = await self._sync_once()
                self._record(began, failure)
            finally:  # also where the list is closed meanwhile
                self._settle_waiters(waiting, shared=self._all_shared)
            first.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._options.poll_interval):
                    await self._wake.wait()

    async def _sync_once(self) -> str:
        """Read what others revoked, write what we did; returns what failed, or nothing."""
        try:
            await self._exchange()
        except CacheError as exc:
            return str(exc)
        except ConfigurationError:
            return "the list is full"
        except Exception:  # noqa: BLE001  (whatever it is, the task goes on, and the state says that it fails)
            _log.exception("sharing revocations failed in an unexpected way")
            return "internal error"
        return "its entries were overwritten" if self._log.damaged else ""

    async def _exchange(self) -> None:
        for _ in range(_MAX_LOGS):
            await self._log.read()
            entries = self._to_be_shared()
            if not entries or await self._log.append(entries):
                self._mark_shared(entries)
                self._all_shared = True  # whatever fails after this
                break
        else:
            raise CacheError("new logs are begun all the time")
        if self._log.needs_rotation(len(self)):
            self.prune(self._clock.now())
            await self._log.rotate(self.entries())

    def _to_be_shared(self) -> list[Revocation]:
        with self._lock:
            self._unshared |= {entry.key: entry for entry in self._log.missing(self._listed())}
            return list(self._unshared.values())

    def _mark_shared(self, entries: Iterable[Revocation]) -> None:
        with self._lock:
            for entry in entries:
                if self._unshared.get(entry.key) == entry:  # else it was made stricter meanwhile
                    del self._unshared[entry.key]

    def _record(self, began: float, failure: str) -> None:
        """What the store said at `began` is what is known: an answer is as old as its question."""
        options = self._options
        if not failure:
            self._last_success, self._known_until = began, began + options.patience
        else:
            self._known_until = min(self._known_until, self._last_success + options.grace)
        if failure and failure != self._state:
            self._emit(RevocationStoreDown(failure, f"after {options.grace:g} s {options.consequence}"))
        elif not failure and self._state not in ("ok", "starting"):
            self._emit(RevocationStoreUp())
        self._state = failure or "ok"
        self._announce_availability()

    def _emit(self, event: Event) -> None:
        """Call each observer once, however many verifiers share both it and this list."""
        observers: dict[int, Observer] = {id(log_events): log_events}
        observers |= {id(one): one for each in self._observers for one in each.all}
        for observer in observers.values():
            notify(observer, event)

    def _announce_availability(self) -> None:
        known, self._was_known = self._was_known, self.store_responds
        if known != self._was_known and self._options.refuse:
            self.invalidate_caches()

    @staticmethod
    def _settle_waiters(waiting: list[asyncio.Future[None]], *, shared: bool) -> None:
        for waiter in waiting:
            if not waiter.done():
                waiter.set_result(None) if shared else waiter.set_exception(RevocationNotSharedError())
