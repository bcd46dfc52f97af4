"""Revocations that a fleet shares through a store: what one process revokes, all refuse within a second.

Rules of this file: judging stays in process and synchronous; a task asks the store for news, several times a second.
While the store fails, revoked here is revoked here, and shared later; what to do about tokens that others may have
revoked meanwhile is for the operator to say (`on_failure`), not for us to guess.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import re
from collections.abc import Iterable
from typing import Any, Literal

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import Clock
from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.loop import LoopBinding
from bearward.principal import Principal
from bearward.revocation.entry import Revocation, checked
from bearward.revocation.local import Revocations, short_name
from bearward.revocation.log import RevocationLog

__all__ = ["RevocationNotSharedError", "SharedRevocations"]

_log = logging.getLogger("bearward.revocation")

_TIMEOUT = 0.5
_START_WAIT = 1.0
_LEAST_SECRET = 16
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RevocationNotSharedError(Exception):
    """What was revoked is in force in this process, and will be shared as soon as the store answers."""

    def __init__(self) -> None:
        super().__init__("revoked in this process; to be shared as soon as the store answers")


class SharedRevocations(Revocations):
    """Revocations shared through Redis, Valkey or memcached; pass it to `Verifier`, which starts and closes it.

    `cache` is an aiocache URL. `on_failure` says what becomes of tokens while the store has not answered for `grace`
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
        _check(on_failure, cache_secret, name, poll_interval, grace)
        make = backend_factory(cache, timeout=_TIMEOUT) if isinstance(cache, str) else lambda: cache
        if make is None:
            raise ConfigurationError("cache", "must be a store that the fleet shares; without one, use Revocations")
        self._refuse = on_failure == "refuse"
        self._interval, self._grace = poll_interval, grace
        self._binding = LoopBinding(self._clock)
        self._cache = SharedCache(make, self._clock, timeout=_TIMEOUT, pause=poll_interval, purpose="revocations")
        place = f"bearward:revocations:{name}"
        self._log = RevocationLog(self._cache, self._clock, name=place, secret=cache_secret, learn=super().add)
        self._unshared: dict[tuple[str, str, str], Revocation] = {}
        self._waiting: list[asyncio.Future[None]] = []
        self._wake = asyncio.Event()
        self._users = 0
        self._answered = -math.inf
        self._state = "not started"
        self._up = False

    @property
    def available(self) -> bool:
        """Whether tokens can be judged: the store answers, or the operator chose to go on without it."""
        return self._up or not self._refuse

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Put entries in force here at once, and have them shared; await `flush` to know that they are."""
        entries = [checked(entry)._replace(name=short_name(entry.name)) for entry in revocations]
        super().add(entries)
        with self._lock:
            for entry in entries:
                self._unshared[entry[:3]] = entry
        self._binding.call_soon(self._wake.set)

    async def flush(self) -> None:
        """Return when all that was revoked here stands in the store.

        Raises `RevocationNotSharedError` where the store does not answer now: the entries stay in force here, and are
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
        """Raise `AuthError`: TOKEN_REVOKED, or REVOCATION_UNAVAILABLE while nobody can know."""
        if not self._up and self._refuse:
            raise AuthError(Refusal.REVOCATION_UNAVAILABLE, retry_after=1.0)
        super().check(principal)

    async def start(self) -> None:
        """Ask the store for what is known, for a second at most, and go on asking in the background."""
        self._users += 1
        if self._users > 1 and self._binding.loop is not None and not self._binding.loop.is_closed():
            return
        self._binding.bind()
        self._wake = asyncio.Event()
        self._state = "starting"
        first = asyncio.Event()
        self._binding.spawn(self._follow(first))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_START_WAIT):
                await first.wait()

    async def aclose(self) -> None:
        """Stop asking, after a last try to share what was not shared yet. From then on the store counts as failed."""
        self._users = max(0, self._users - 1)
        if self._users or self._binding.loop is None:
            return
        if self._unshared:
            with contextlib.suppress(RevocationNotSharedError, TimeoutError):
                async with asyncio.timeout(_TIMEOUT):
                    await self.flush()
        await self._binding.aclose()
        await self._cache.aclose()
        self._state = "closed"
        self._set_up(up=False)
        self._refuse_waiters()

    def health(self) -> str:
        """How it stands, in words."""
        refused = f", {self._log.refused} entries in the store refused" if self._log.refused else ""
        waiting = f", {len(self._unshared)} not shared yet" if self._unshared else ""
        if self._up:
            return f"{len(self)} entries, store: {self._state}{waiting}{refused}"
        choice = "refusing all tokens" if self._refuse else "accepting what is not known to be revoked"
        return f"{len(self)} entries, store: {self._state}, {choice}{waiting}{refused}"

    def __repr__(self) -> str:
        return f"<SharedRevocations: {self.health()}>"

    async def _follow(self, first: asyncio.Event) -> None:
        """Ask for news for ever."""
        while True:
            self._wake.clear()
            waiting, self._waiting = self._waiting, []
            state = await self._exchange()
            self._judge(state)
            for waiter in waiting:
                if not waiter.done():
                    waiter.set_exception(RevocationNotSharedError()) if state else waiter.set_result(None)
            first.set()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._wake.wait()

    async def _exchange(self) -> str:
        """Read what others revoked, write what we did; answers what failed, or nothing."""
        try:
            await self._log.read()
            with self._lock:
                self._unshared |= {entry[:3]: entry for entry in self._log.missing(self._listed())}
                entries = list(self._unshared.values())
            if entries:
                await self._log.append(entries)
                self._shared(entries)
            if self._log.is_due_anew(len(self)):
                self.forget(self._clock.now())
                await self._log.begin_anew(self.living())
        except CacheError as exc:
            return str(exc)
        except ConfigurationError:
            return "the list is full"
        except Exception:  # noqa: BLE001  (whatever it is, the task goes on, and the state says that it fails)
            _log.exception("sharing revocations failed in an unexpected way")
            return "internal error"
        return ""

    def _shared(self, entries: Iterable[Revocation]) -> None:
        with self._lock:
            for entry in entries:
                if self._unshared.get(entry[:3]) == entry:
                    del self._unshared[entry[:3]]

    def _judge(self, failure: str) -> None:
        now = self._clock.monotonic()
        if not failure:
            self._answered, self._state = now, "ok"
            self._set_up(up=True)
        else:
            if self._state != failure:
                _log.warning("revocations cannot be shared at the moment: %s", failure)
            self._state = failure
            if now - self._answered > self._grace:
                self._set_up(up=False)

    def _set_up(self, *, up: bool) -> None:
        if up != self._up:
            self._up = up
            if self._refuse:
                self.turn()

    def _refuse_waiters(self) -> None:
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            if not waiter.done():
                waiter.set_exception(RevocationNotSharedError())


def _check(on_failure: object, secret: object, name: object, poll_interval: object, grace: object) -> None:
    if on_failure not in ("refuse", "accept"):
        raise ConfigurationError("on_failure", 'must be "refuse" or "accept": there is no right answer for everyone')
    if not isinstance(secret, bytes) or len(secret) < _LEAST_SECRET:
        raise ConfigurationError("cache_secret", f"must be at least {_LEAST_SECRET} bytes")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise ConfigurationError("name", "must be 1 to 64 letters, digits, dots, dashes or underscores")
    for setting, value, least, most in (("poll_interval", poll_interval, 0.02, 1.0), ("grace", grace, 0.0, 3600.0)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ConfigurationError(setting, f"must be a number of seconds from {least:g} to {most:g}")
