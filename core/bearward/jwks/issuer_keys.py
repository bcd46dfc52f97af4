"""The keys of one issuer: returned at once if they are held, otherwise fetched.

Rules of this file: `current` and `decide_on_miss` are synchronous and safe on any thread; they read one immutable view and
change nothing. All state changes on the event loop. One refresh is in flight at a time, and it belongs to the store: a
waiter may be cancelled without ending it.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable

from bearward.events import Event
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.forks import keep_for_parent
from bearward.jwks.entry import Entry, HeldKeys
from bearward.jwks.freshness import Decision, Trigger
from bearward.jwks.health import IssuerHealth
from bearward.jwks.key_events import KeyEvents
from bearward.jwks.key_state import KeyState, MissAction
from bearward.jwks.options import JWKSOptions
from bearward.jwks.refresh import Fleet, Refresher, RefreshRequest
from bearward.jwks.tenant_admission import Ticket
from bearward.jwks.unproven_tenant import UnprovenTenant
from bearward.logs import log_events
from bearward.loop import LoopBinding, Timer, WaiterLimit

__all__ = ["IssuerKeys", "MissAction"]

_NEVER = -math.inf
_MIN_WAIT = 0.01
_REFRESHES = (Decision.USE_AND_REFRESH, Decision.REFRESH)


class IssuerKeys:
    """One issuer's keys, made by `JWKSStore`. A tenant has a `ticket`; a configured issuer is refreshed in the background."""

    def __init__(
        self,
        issuer: str,
        options: JWKSOptions,
        refresher: Refresher,
        binding: LoopBinding,
        *,
        on_change: Callable[[IssuerKeys], None] | None = None,
        on_first: Callable[[], None] | None = None,
        ticket: Ticket | None = None,
        is_one_key: bool = False,
        emit: Callable[[Event], None] = log_events,
    ) -> None:
        self.issuer = issuer
        self.options = options
        self.refresher = refresher
        self._is_one_key = is_one_key
        self._binding = binding
        self._monotonic = binding.clock.monotonic
        self._on_change = on_change
        self._on_first = on_first
        self._tenant = None if ticket is None else UnprovenTenant(ticket, binding, self.load_remembered)
        self._state = KeyState(issuer, options, binding.clock, binding.jitter)
        # (held, when a refresh is due, until when held may be used): replaced as one, read without a lock
        self._view: tuple[HeldKeys | None, float, float] = (None, _NEVER, _NEVER)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._in_flight: asyncio.Task[None] | None = None
        self._in_flight_for = Trigger.LOOKUP
        self._timer = Timer(binding, self._refresh_if_due)
        self._invalidated = self._retired = False
        self._looked_at = _NEVER  # when the last request to the issuer that succeeded began
        self._refresh_requested = False
        self._waiting = WaiterLimit(options.max_waiters)
        self._events = KeyEvents(emit, self.health)

    def current(self) -> HeldKeys | None:
        """The keys to use now, or None if a caller has to await `get`. Never waits."""
        held, due, until = self._view
        now = self._monotonic()
        if now < due:
            return held
        if now >= until:
            return None
        self.fetch_soon()
        return held

    def fetch_soon(self) -> None:
        """Have keys fetched in the background if they are due, within the rate limit, without waiting for them."""
        if not self._refresh_requested:
            self._refresh_requested = True
            if not self._binding.call_soon(self._refresh_if_due):
                self._refresh_requested = False

    def decide_on_miss(self, kid: str | None, generation: int) -> MissAction:
        """What to do about a token that no key of the set of `generation` verified. Changes nothing."""
        return self._state.decide_on_miss(
            kid, generation, in_flight=self._in_flight is not None, queue_full=self._waiting.full
        )

    def retry_after(self) -> float:
        """Seconds after which a caller should try again that could not be served."""
        return self._state.retry_after()

    def health(self) -> IssuerHealth:
        """The health of these keys."""
        return self._state.health(
            in_flight=self._in_flight is not None, cache=self.refresher.fleet_state(), waiters=self._waiting.waiting
        )

    def __repr__(self) -> str:
        return f"<IssuerKeys {self.health().line()}>"

    async def get(self) -> HeldKeys:
        """The keys to use now, fetched if need be; all callers share one refresh.

        Raises:
            AuthError: KEYS_UNAVAILABLE with `retry_after` in seconds.
        """
        held = self.current()
        if held is not None:
            return held
        if not self._attach():
            return await self._binding.run_on_bound_loop(self.get)
        if (tenant := self._unproven_tenant) is not None and self.refresher.remembers:
            await tenant.recall(self._waiting)
        await self._await_refresh()
        if self._state.is_outdated:  # asked for before the loop stood still, and too old by now
            await self._await_refresh()
        return self._state.usable_or_refuse()

    async def _await_refresh(self) -> None:
        if self._in_flight is None and self._state.decide(Trigger.LOOKUP) is Decision.REFRESH:
            self._admit()
            self._start_refresh(Trigger.LOOKUP)
        await self._waiting.wait_for(self._in_flight)

    async def refresh_after_miss(self, kid: str | None, generation: int) -> HeldKeys:
        """The keys after at most one refresh, for a caller whose token no key of the set of `generation` verified.

        The result may be the set that was looked in: then the `kid` is unknown, or the signature is wrong.

        Raises:
            AuthError: KEYS_UNAVAILABLE, only if no usable set is held.
        """
        if not self._attach():
            return await self._binding.run_on_bound_loop(lambda: self.refresh_after_miss(kid, generation))
        trigger = self._state.miss_trigger(kid)
        if self._in_flight_for is Trigger.BAD_SIGNATURE:
            # It may have been sent before `kid` was published: what it does not bring says nothing about `kid`.
            await self._waiting.wait_for(self._in_flight)
        if self.decide_on_miss(kid, generation) is MissAction.FETCH:
            if self._in_flight is None:
                self._admit()
                self._start_refresh(trigger, kid)
            if await self._waiting.wait_for(self._in_flight):
                self._state.record_unknown_kid(kid, self._looked_at)
        return self._state.usable_or_refuse()

    def refresh(self) -> asyncio.Task[None]:
        """Refresh now, whatever the rate limit says: for start-up, and for a source that has changed."""
        self._attach()
        return self._in_flight or self._start_refresh(Trigger.LOOKUP)

    def accept(self, entry: Entry) -> None:
        """Accept an entry that another process, or an earlier run of this one, fetched."""
        self._apply(entry)
        self._save_snapshot(entry)

    async def load_remembered(self, *, from_fleet: bool = False) -> None:
        """Accept what an earlier run of this process left on disk, or what the shared cache holds, without asking the issuer."""
        if (entry := await self.refresher.remembered(from_fleet=from_fleet)) is not None:
            self._apply(entry)

    async def refresh_if_changed(self) -> None:
        """Refresh if the source says that it has changed."""
        changed = self._state.is_wanted and self._in_flight is None and await self.refresher.changed()
        if changed and not self._retired:  # meanwhile
            self.refresh()

    def forget_parent(self) -> None:
        """In a forked child: nothing refreshes what is held, so it is not to be seen until the first call has started that."""
        keep_for_parent(self._in_flight)
        self._detach()
        self._waiting = WaiterLimit(self.options.max_waiters)
        self._view = (None, _NEVER, _NEVER)

    @property
    def fleet(self) -> Fleet | None:
        """What is shared with other processes."""
        return self.refresher.fleet

    @property
    def entry(self) -> Entry | None:
        """What is held, to be stored elsewhere."""
        return self._state.entry

    @property
    def in_use(self) -> bool:
        """Whether it has timers, tasks or connections on the loop."""
        return self._loop is not None

    def invalidate(self) -> None:
        """Not to be used again: code that still has this object finds no keys in it. Any thread may call."""
        self._invalidated, self._view = True, (None, _NEVER, _NEVER)
        self._retired = True

    def close_when_idle(self) -> None:
        """No longer needed: close once a refresh that others wait for has ended. Nothing is refreshed any more."""
        self._retired = True
        self._binding.spawn(self._close_after_refresh())

    async def _close_after_refresh(self) -> None:
        if self._in_flight is not None:
            await asyncio.wait((self._in_flight,))
        await self.aclose()

    async def aclose(self) -> None:
        """Stop the timer and close the connections; what is held stays."""
        self._detach()
        await self.refresher.aclose()

    @property
    def has_no_such_key(self) -> bool:
        """Whether it is one key by its own URL, and the issuer says that there is none."""
        error = self._state.error
        return self._is_one_key and error is not None and error.failure is FetchFailure.NOT_FOUND

    @property
    def is_unproven(self) -> bool:
        """Whether this may be an invented tenant: one whose keys were never held."""
        return self._unproven_tenant is not None

    @property
    def _unproven_tenant(self) -> UnprovenTenant | None:
        return self._tenant if self._state.entry is None else None

    def _admit(self) -> None:
        """Raise `AuthError` if an unproven tenant may not cause a fetch now."""
        if (tenant := self._unproven_tenant) is not None:
            tenant.admit(self.refresher.give_way)

    def rebind(self) -> None:
        """The store is bound to this loop now: refresh from here."""
        if not self._retired:
            self._attach()

    def _attach(self) -> bool:
        """Whether this is the store's loop. Timers and tasks of a loop that is gone are forgotten."""
        here = self._binding.bind()
        if here and self._loop is not self._binding.loop:
            self._detach()
            self._loop = self._binding.loop
            self._update_view()
        return here

    def _detach(self) -> None:
        self._timer.set(None)
        self._loop, self._in_flight, self._refresh_requested = None, None, False
        if self._tenant is not None:
            self._tenant.forget_loop()

    def _refresh_if_due(self) -> None:
        """A refresh may be due: begin one if the state machine says so."""
        self._refresh_requested = False
        if self._retired or not self._attach():
            return
        if self._in_flight is None and self._state.decide(Trigger.LOOKUP) in _REFRESHES:
            self._start_refresh(Trigger.LOOKUP)
        else:
            self._update_view()

    def _start_refresh(self, trigger: Trigger, kid: str | None = None) -> asyncio.Task[None]:
        error = self._state.error
        skip_fleet = error is not None and error.failure is FetchFailure.PEER_FAILED
        request = RefreshRequest(trigger, self._state.entry, kid, skip_fleet)
        began = self._state.record_attempt(trigger)
        self._in_flight_for = trigger
        self._in_flight = self._binding.spawn(self._refresh(request, began))
        self._update_view()
        return self._in_flight

    async def _refresh(self, request: RefreshRequest, began: float) -> None:
        result: Entry | FetchError | None = None
        requested_at = self._binding.clock.now()
        try:
            result = await self.refresher.outcome(request, self._events.record_bug)
        finally:
            ours = self._in_flight is asyncio.current_task()
            if ours:
                self._in_flight = None
            if self._tenant is not None:
                self._tenant.end(succeeded=isinstance(result, Entry))
        if not ours:  # begun on a loop that was left behind, and continues there
            return
        is_unproven = self.is_unproven
        is_new_failure = self._apply(result, request.trigger)
        duration = self._monotonic() - began
        if isinstance(result, FetchError):
            self._events.record_failure(
                request.trigger, result, duration, is_new=is_new_failure, is_unproven=is_unproven
            )
        else:
            self._events.record_success(request.trigger, duration)
        await self._use_snapshot(result)
        if (
            isinstance(result, Entry) and result.fetched_at >= requested_at
        ):  # else the fleet's rate limit left us with it
            self._looked_at = began
            if request.trigger is Trigger.UNKNOWN_KID:
                self._state.record_unknown_kid(request.kid, began)

    async def _use_snapshot(self, result: Entry | FetchError) -> None:
        """Write what was fetched, or read what another process, or its operator, has written since."""
        if isinstance(result, Entry):
            self._save_snapshot(result)
        elif self._state.entry is None and self.refresher.snapshot is not None:
            await self.load_remembered()

    def _save_snapshot(self, entry: Entry) -> None:
        """Store it on disk if it was accepted, whichever process fetched it: all may be down at the next start."""
        held = self._state.entry
        loop = self._binding.loop  # none before the start, and one that is gone after a close
        runs = loop is not None and loop.is_running()
        if self.refresher.snapshot is not None and runs and held is not None and held.fetched_at == entry.fetched_at:
            self._binding.spawn(self.refresher.snapshot.save(held))

    def _apply(self, result: Entry | FetchError, trigger: Trigger = Trigger.LOOKUP) -> bool:
        """A refresh has ended: update the state, make it visible, report what changed; whether it failed in a new way."""
        before, is_new_failure = self._state.held, False
        if isinstance(result, FetchError):
            is_new_failure = self._state.record_failure(result, trigger)
        else:
            self._state.accept(result)
        changed = self._state.held is not before
        self._update_view()
        if before is None and changed and self._on_first is not None:
            self._on_first()
        now = self._state.held
        if changed and before is not None and now is not None:
            self._events.record_change(
                before.jwk_set, now.jwk_set, lambda: self._on_change(self) if self._on_change is not None else None
            )
        return is_new_failure

    def _update_view(self) -> None:
        """Make the state visible to all threads, and set the timer for the next refresh."""
        state = self._state
        until = state.usable_until()
        due = until if self._in_flight is not None else min(until, state.next_attempt())
        if not self._invalidated:
            self._view = (state.held, due, until)
        self._events.record_state(state.freshness())
        timed = (
            self.in_use and self._tenant is None and self._in_flight is None and state.is_wanted and not self._retired
        )
        self._timer.set(max(state.next_attempt() - self._monotonic(), _MIN_WAIT) if timed else None)
