"""The keys of one issuer: answers at once from what is held, and sees to it that something is held.

Rules of this file: `current` and `miss` are synchronous and safe on any thread; they read one immutable view and change
nothing. All state changes on the event loop. There is one flight at a time, and it belongs to the store: whoever waits
for it may be cancelled without ending it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from bearward.errors import AuthError, Refusal
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.jwks.entry import Entry, HeldKeys
from bearward.jwks.freshness import Answer, Why
from bearward.jwks.health import IssuerHealth
from bearward.jwks.key_state import KeyState, Miss
from bearward.jwks.options import JWKSOptions
from bearward.jwks.refresh import Ask, Fleet, Refresher
from bearward.jwks.snapshot import Snapshot
from bearward.jwks.state_log import Announcer
from bearward.loop import Alarm, Runtime, WaitingRoom

__all__ = ["IssuerKeys", "Miss"]

_NEVER = -math.inf
_MIN_WAIT = 0.01
_MIN_RETRY_AFTER = 1.0
_MAX_NEWCOMERS = 32
"""How many tenants that never had keys may be asked for at a time: strangers can invent any number of them."""


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
        on_first: Callable[[], None] | None = None,
        snapshot: Snapshot | None = None,
        tended: bool = True,
    ) -> None:
        self.issuer = issuer
        self.options = options
        self._refresher = refresher
        self._runtime = runtime
        self._monotonic = runtime.clock.monotonic
        self._on_change = on_change
        self._on_first = on_first
        self._snapshot = snapshot
        self._tended = tended
        self._state = KeyState(issuer, options, runtime.clock, runtime.jitter)
        # (held, when there is something to see to, until when held may be used): replaced as one, read without a lock
        self._view: tuple[HeldKeys | None, float, float] = (None, _NEVER, _NEVER)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._flight: asyncio.Task[None] | None = None
        self._alarm = Alarm(runtime, self._tend)
        self._gone = False
        self._asked = False
        self._waiting = WaitingRoom(options.max_waiters)
        self._announce = Announcer(self.health)

    # On any thread ------------------------------------------------------------------------------------------------

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
        return self._state.judge_miss(kid, generation, flying=self._flight is not None, full=self._waiting.full)

    def retry_after(self) -> float:
        """Seconds that a caller should wait who could not be served."""
        return self._state.retry_after()

    def health(self) -> IssuerHealth:
        """How it stands."""
        return self._state.health(flying=self._flight is not None, cache=self._refresher.fleet_state())

    def __repr__(self) -> str:
        return f"<IssuerKeys {self.health().line()}>"

    # On the loop --------------------------------------------------------------------------------------------------

    async def obtain(self) -> HeldKeys:
        """The keys to use now, fetched if need be; all callers share one flight.

        Raises:
            AuthError: KEYS_UNAVAILABLE with `retry_after` in seconds.
        """
        held = self.current()
        if held is not None:
            return held
        if not self._attach():
            return await self._runtime.elsewhere(self.obtain)
        if self._flight is None and self._state.decide(Why.LOOKUP) is Answer.REFRESH:
            if self._is_newcomer and self._runtime.newcomers >= _MAX_NEWCOMERS:
                raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=_MIN_RETRY_AFTER)
            self._fly(Why.LOOKUP)
        await self._waiting.wait_for(self._flight)
        return self._usable()

    async def refresh_after_miss(self, kid: str | None, generation: int) -> HeldKeys:
        """The keys after at most one refresh, for a caller whose `kid` was not in the set of `generation`.

        The answer may be the set that was looked in: then the `kid` is unknown.

        Raises:
            AuthError: KEYS_UNAVAILABLE, only if no usable set is held.
        """
        if not self._attach():
            return await self._runtime.elsewhere(lambda: self.refresh_after_miss(kid, generation))
        if self.miss(kid, generation) is Miss.FETCH:
            if self._flight is None:
                self._fly(Why.MISS, kid)
            if await self._waiting.wait_for(self._flight):
                self._state.miss(kid)
        return self._usable()

    def refresh(self) -> asyncio.Task[None]:
        """Refresh now, whatever the brake says: for start-up, and for a source that saw a change."""
        self._attach()
        return self._flight or self._fly(Why.LOOKUP)

    def adopt(self, entry: Entry) -> None:
        """Take an entry that another process, or an earlier life of this one, fetched."""
        self._settle(entry)
        self._keep(entry)

    async def load_snapshot(self) -> None:
        """Take what an earlier life of this process left on disk, if it is configured and worth it."""
        entry = None if self._snapshot is None else await self._snapshot.load()
        if entry is not None:
            self._settle(entry)

    async def refresh_if_changed(self) -> None:
        """Refresh if the source says that it has something new."""
        if self._state.attempts and self._flight is None and await self._refresher.changed():
            self.refresh()

    @property
    def watched(self) -> bool:
        """Whether the source can tell that it has something new."""
        return self._refresher.watched

    @property
    def fleet(self) -> Fleet | None:
        """What is shared with other processes."""
        return self._refresher.fleet

    @property
    def entry(self) -> Entry | None:
        """What is held, for those that keep it elsewhere."""
        return self._state.entry

    @property
    def in_use(self) -> bool:
        """Whether anything of it hangs on the loop."""
        return self._loop is not None

    def forget(self) -> None:
        """Not to be used again: whoever still has this object finds no keys in it. Any thread may call."""
        self._gone, self._view = True, (None, _NEVER, _NEVER)

    def retire(self) -> None:
        """No longer wanted: free what hangs on the loop, once a flight that others wait for has landed."""
        self._runtime.spawn(self._leave())

    async def _leave(self) -> None:
        if self._flight is not None:
            await asyncio.wait((self._flight,))
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the timer and close the connections; what is held stays."""
        self._detach()
        await self._refresher.aclose()

    @property
    def _is_newcomer(self) -> bool:
        """Whether this may be an invention: a tenant that never had keys."""
        return not self._tended and self._state.entry is None

    def move(self) -> None:
        """The store has moved to this loop: tend the keys from here."""
        self._attach()
        self._publish()

    def _attach(self) -> bool:
        """Whether we run on the store's loop. What hung on a loop that is gone is forgotten."""
        here = self._runtime.bind()
        if here and self._loop is not self._runtime.loop:
            self._detach()
            self._loop = self._runtime.loop
        return here

    def _detach(self) -> None:
        self._alarm.set(None)
        self._loop, self._flight, self._asked = None, None, False

    def _tend(self) -> None:
        """Something was due: refresh if the machine says so."""
        self._asked = False
        if not self._attach():
            return
        if self._flight is None and self._state.decide(Why.LOOKUP) in (Answer.USE_AND_REFRESH, Answer.REFRESH):
            self._fly(Why.LOOKUP)
        else:
            self._publish()

    def _fly(self, why: Why, kid: str | None = None) -> asyncio.Task[None]:
        error = self._state.error
        alone = error is not None and error.failure is FetchFailure.PEER_FAILED
        ask = Ask(why, self._state.entry, kid, alone)
        began = self._state.attempt()
        self._flight = self._runtime.spawn(self._refresh(ask, began))
        if self._is_newcomer:
            self._runtime.count_newcomer(self._flight)
        self._publish()
        return self._flight

    async def _refresh(self, ask: Ask, began: float) -> None:
        result: Entry | FetchError
        asked_at = self._runtime.clock.now()
        try:
            result = await self._refresher.refresh(ask)
        except FetchError as exc:
            result = exc
        except Exception:  # noqa: BLE001  (a custom source may raise anything; it is logged)
            self._announce.bug()
            result = FetchError(FetchFailure.INTERNAL)
        finally:
            ours = self._flight is asyncio.current_task()
            if ours:
                self._flight = None
        if not ours:  # begun on a loop that was left behind, and goes on there
            return
        self._settle(result)
        if not isinstance(result, FetchError):
            self._keep(result)
        if (
            ask.why is Why.MISS and isinstance(result, Entry) and result.fetched_at >= asked_at
        ):  # not of the fleet's brake
            self._state.miss(ask.kid, began)

    def _keep(self, entry: Entry) -> None:
        """On disk, if it was taken, whoever fetched it: the process that starts next may find issuer and fleet down."""
        held = self._state.entry
        if self._snapshot is not None and held is not None and held.fetched_at == entry.fetched_at:
            self._runtime.spawn(self._snapshot.save(held))

    def _usable(self) -> HeldKeys:
        held = self._state.usable()
        if held is None:
            raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=self._state.retry_after())
        return held

    def _settle(self, result: Entry | FetchError) -> None:
        """An answer came in, or failed to: change the state, make it visible, and tell."""
        before, news = self._state.held, False
        if isinstance(result, FetchError):
            news = self._state.fail(result)
        else:
            self._state.take(result)
        changed = self._state.held is not before
        self._publish()
        if before is None and changed and self._on_first is not None:
            self._on_first()
        if news and not self._is_newcomer:  # its name came with a token that nobody has verified
            self._announce.failure()
        if changed and before is not None:
            self._announce.other_keys(lambda: self._on_change(self) if self._on_change is not None else None)

    def _publish(self) -> None:
        """Make the state visible to all threads, and set the timer for the next thing to see to."""
        state = self._state
        until = state.usable_until()
        due = until if self._flight is not None else min(until, state.next_attempt())
        if not self._gone:
            self._view = (state.held, due, until)
        self._announce.state(state.freshness())
        due = self._tended and self._flight is None and bool(state.attempts)
        self._alarm.set(max(state.next_attempt() - self._monotonic(), _MIN_WAIT) if due else None)
