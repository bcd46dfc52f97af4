"""The keys of one issuer: answers at once from what is held, and sees to it that something is held.

Rules of this file: `current` and `miss` are synchronous and safe on any thread; they read one immutable view and change
nothing. All state changes on the event loop, in one place per event. There is one flight at a time, and it belongs to
the store: whoever waits for it may be cancelled without ending it.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from enum import Enum

from bearward.errors import AuthError, Refusal
from bearward.jwks import freshness as machine
from bearward.jwks.entry import Entry, HeldKeys
from bearward.jwks.errors import FetchError, FetchFailure
from bearward.jwks.freshness import Answer, Freshness, Record, Why
from bearward.jwks.health import IssuerHealth
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.jwks.refresh import Ask, Refresher
from bearward.jwks.runtime import Runtime, logger
from bearward.jwks.unknown_kids import UnknownKids

__all__ = ["IssuerKeys", "Miss"]

_NEVER = -math.inf
_MIN_RETRY_AFTER = 1.0


class Miss(Enum):
    """What to do about a `kid` that is not in the set that was looked in."""

    UNKNOWN = "refuse at once: KEY_UNKNOWN"
    REREAD = "a newer set is held: look again"
    FETCH = "await refresh_after_miss"


class IssuerKeys:
    """One issuer's keys. Made by `JWKSStore.keys_of`."""

    def __init__(
        self,
        issuer: str,
        options: JWKSOptions,
        refresher: Refresher,
        runtime: Runtime,
        *,
        on_change: Callable[[IssuerKeys], None] | None = None,
        tended: bool = True,
    ) -> None:
        self.issuer = issuer
        self.options = options
        self._refresher = refresher
        self._runtime = runtime
        self._monotonic = runtime.clock.monotonic
        self._on_change = on_change
        self._tended = tended
        self._record = Record()
        self._entry: Entry | None = None
        self._held: HeldKeys | None = None
        # (held, when there is something to see to, until when held may be used): replaced as one, read without a lock
        self._view: tuple[HeldKeys | None, float, float] = (None, _NEVER, _NEVER)
        self._unknown = UnknownKids(options.max_unknown_kids, options.unknown_kid_ttl)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flight: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._asked = False
        self._waiting = 0
        self._attempts = 0
        self._error: FetchError | None = None
        self._error_at: float | None = None
        self._state = Freshness.UNAVAILABLE

    # -- any thread --------------------------------------------------------------------------------------------------

    def current(self) -> HeldKeys | None:
        """The keys to use now, or None where a caller has to `obtain` them. Never waits."""
        held, due, until = self._view
        now = self._monotonic()
        if now < due:
            return held
        if now >= until:
            return None
        if not self._asked:
            self._asked = True
            if not self._runtime.call(self._tend):
                self._asked = False
        return held

    def miss(self, kid: str | None, generation: int) -> Miss:
        """What to do about a `kid` that is not in the set of `generation`. Decides, changes nothing."""
        held, now = self._held, self._monotonic()
        if held is not None and held.generation > generation:
            return Miss.REREAD
        if self._record.refresh_at == math.inf or self._unknown.holds(kid, now):
            return Miss.UNKNOWN
        if self._flight is not None:
            return Miss.FETCH if self._waiting < self.options.max_waiting else Miss.UNKNOWN
        answer = machine.decide(self._record, self.options, now, Why.MISS)
        return Miss.FETCH if answer is Answer.REFRESH else Miss.UNKNOWN

    def health(self) -> IssuerHealth:
        """How it stands."""
        now, record, entry = self._monotonic(), self._record, self._entry
        state = machine.freshness(record, self.options, now)
        waiting_for_first_use = self.options.start is StartMode.LAZY and not record.failures
        health = {
            "issuer": self.issuer,
            "state": state,
            "ready": state is not Freshness.UNAVAILABLE or waiting_for_first_use,
            "generation": record.generation,
            "last_error": None if self._error is None else str(self._error),
            "last_error_at": self._error_at,
            "failures": record.failures,
            "next_refresh": self._next_refresh(now),
            "attempts": self._attempts,
            "cache": self._refresher.fleet_state(),
        }
        if entry is not None:
            health |= {
                "keys": len(entry.jwk_set.keys),
                "set_aside": entry.jwk_set.reasons(),
                "thumbprint": entry.jwk_set.thumbprint,
                "age": max(0.0, now - (record.fetched_at or now)),
                "last_success": entry.fetched_at,
                "stale_left": _finite(max(0.0, record.fresh_until + self.options.stale_if_error - now)),
            }
        return IssuerHealth(**health)  # type: ignore[arg-type]

    def __repr__(self) -> str:
        return f"<IssuerKeys {self.health().line()}>"

    # -- on the loop -------------------------------------------------------------------------------------------------

    async def obtain(self) -> HeldKeys:
        """The keys to use now, fetched if need be; all callers share one flight.

        Raises:
            AuthError: KEYS_UNAVAILABLE with `retry_after` in seconds.
        """
        held = self.current()
        if held is not None:
            return held
        if not self._attach():
            return await self._runtime.elsewhere(self.obtain())
        if self._flight is None and self._decide(Why.LOOKUP) is Answer.REFRESH:
            self._fly(Why.LOOKUP)
        await self._landed()
        return self._usable()

    async def refresh_after_miss(self, kid: str | None, generation: int) -> HeldKeys:
        """The keys after at most one refresh, for a caller whose `kid` was not in the set of `generation`.

        The answer may be the set that was looked in: then the `kid` is unknown.

        Raises:
            AuthError: KEYS_UNAVAILABLE, only if no usable set is held.
        """
        if not self._attach():
            return await self._runtime.elsewhere(self.refresh_after_miss(kid, generation))
        if self.miss(kid, generation) is Miss.FETCH:
            if self._flight is None:
                self._fly(Why.MISS, kid)
            await self._landed()
        return self._usable()

    def refresh(self) -> asyncio.Task[None]:
        """Refresh now, whatever the brake says: for start-up, and for sources that saw a change."""
        self._attach()
        return self._flight or self._fly(Why.LOOKUP)

    def adopt(self, entry: Entry) -> None:
        """Take an entry that another process, or an earlier life of this one, fetched."""
        self._take(entry)
        self._publish()

    @property
    def entry(self) -> Entry | None:
        """What is held, for those that keep it elsewhere."""
        return self._entry

    def retire(self) -> None:
        """No longer wanted: free what hangs on the loop."""
        self._tended = False
        self._runtime.spawn(self.aclose())

    async def aclose(self) -> None:
        """Stop the timer and close the connections; what is held stays."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._flight = None
        self._asked = False
        await self._refresher.aclose()

    def _attach(self) -> bool:
        """Whether we run on the store's loop. What hung on a loop that is gone is forgotten."""
        here = self._runtime.bind()
        if here and self._loop is not self._runtime.loop:
            self._loop = self._runtime.loop
            self._flight, self._timer, self._asked = None, None, False
        return here

    def _tend(self) -> None:
        """Something was due: refresh if the machine says so."""
        self._asked = False
        if self._flight is None and self._decide(Why.LOOKUP) in (Answer.USE_AND_REFRESH, Answer.REFRESH):
            self._fly(Why.LOOKUP)
        else:
            self._publish()

    def _decide(self, why: Why) -> Answer:
        return machine.decide(self._record, self.options, self._monotonic(), why)

    def _fly(self, why: Why, kid: str | None = None) -> asyncio.Task[None]:
        now = self._monotonic()
        self._record = machine.attempted(self._record, self.options, now)
        self._attempts += 1
        self._flight = self._runtime.spawn(self._refresh(Ask(why, self._entry, kid), now))
        self._publish()
        return self._flight

    async def _refresh(self, ask: Ask, began: float) -> None:
        result: Entry | FetchError
        try:
            result = await self._refresher.refresh(ask)
        except FetchError as exc:
            result = exc
        except Exception:  # noqa: BLE001  (a custom source may raise anything; it is logged)
            logger.exception("refreshing the keys of %s failed in an unexpected way", self.issuer)
            result = FetchError(FetchFailure.INTERNAL)
        finally:
            self._flight = None
        if isinstance(result, FetchError):
            self._fail(result)
        else:
            self._take(result)
            if ask.why is Why.MISS and not (ask.kid is not None and result.jwk_set.holds(ask.kid)):
                self._unknown.add(ask.kid, began)
        self._publish()

    async def _landed(self) -> None:
        """Wait for the flight, if there is one, and the waiting room is not full."""
        flight = self._flight
        if flight is None or self._waiting >= self.options.max_waiting:
            return
        self._waiting += 1
        try:
            await asyncio.wait((flight,))  # a cancelled waiter leaves the flight alone
        finally:
            self._waiting -= 1

    def _usable(self) -> HeldKeys:
        now = self._monotonic()
        if self._held is not None and now < machine.usable_until(self._record, self.options):
            return self._held
        wait = machine.next_attempt(self._record, self.options) - now
        raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=max(_MIN_RETRY_AFTER, wait if wait > 0 else 0.0))

    def _take(self, entry: Entry) -> None:
        """A usable entry came in: hold it, unless a newer one is held."""
        clock, held = self._runtime.clock, self._entry
        if held is not None and entry.fetched_at < held.fetched_at:
            return
        fetched = clock.monotonic() - max(0.0, clock.now() - entry.fetched_at)
        if self._record.fetched_at is not None:  # a wall clock that was set back must not make a new answer an old one
            fetched = max(fetched, self._record.fetched_at)
        self._record = machine.succeeded(self._record, self.options, fetched, entry.lifetime, self._runtime.jitter())
        self._entry, self._error = entry, None
        self._held = HeldKeys(entry.jwk_set, self._record.generation)
        if held is None or held.jwk_set.thumbprint != entry.jwk_set.thumbprint:
            self._changed(held)

    def _changed(self, before: Entry | None) -> None:
        self._unknown.clear()
        self._publish()
        if before is None:
            return
        logger.info("the key set changed: %s", self.health().line())
        if self._on_change is None:
            return
        try:
            self._on_change(self)
        except Exception:  # noqa: BLE001  (not ours; it is logged)
            logger.exception("what listens for new keys of %s failed", self.issuer)

    def _fail(self, error: FetchError) -> None:
        now = self._monotonic()
        self._record = machine.failed(self._record, self.options, now, self._runtime.jitter())
        first = self._error is None or self._error.failure is not error.failure
        self._error, self._error_at = error, self._runtime.clock.now()
        if first:
            logger.warning("keys cannot be refreshed: %s", self.health().line())

    def _publish(self) -> None:
        """Make the state visible to all threads, and set the timer for the next thing to see to."""
        until = machine.usable_until(self._record, self.options)
        due = until if self._flight is not None else min(until, machine.next_attempt(self._record, self.options))
        self._view = (self._held, due, until)
        state = machine.freshness(self._record, self.options, self._monotonic())
        if state is Freshness.AHEAD:
            state = Freshness.FRESH
        if state is not self._state:
            self._state = state
            logger.log(logging.WARNING if state in _WORRYING else logging.INFO, "keys: %s", self.health().line())
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._flight is None and self._tended and self._attempts:
            wait = machine.next_attempt(self._record, self.options) - self._monotonic()
            if wait < math.inf:
                self._timer = self._runtime.call_later(max(wait, _MIN_WAIT), self._tend)

    def _next_refresh(self, now: float) -> float | None:
        if self._flight is not None:
            return 0.0
        if self._record.fetched_at is None and not self._attempts:
            return None
        return _finite(max(0.0, machine.next_attempt(self._record, self.options) - now))


_WORRYING = frozenset({Freshness.STALE, Freshness.UNAVAILABLE})
_MIN_WAIT = 0.01


def _finite(seconds: float) -> float | None:
    return seconds if math.isfinite(seconds) else None
