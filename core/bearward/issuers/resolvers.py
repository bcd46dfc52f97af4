"""The results of resolvers: which issuers they trust, for how long a result is cached, and how resolvers are called.

Rules of this file: a positive result is cached for 5 minutes and then refreshed in the background, so that an issuer
that is no longer trusted does not stay trusted; while a resolver fails, known issuers stay for another hour. A negative
result is cached for a minute, in a separate cache: no flood of invented issuers evicts a trusted one, or prevents its
lookup. Times are those of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import TypeVar

from bearward.clock import Clock
from bearward.errors import AuthError, KeysNeededError
from bearward.issuers.tenants import IssuerResolver
from bearward.loop import is_gone
from bearward.refusals import Refusal
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Resolvers"]

T = TypeVar("T")

_log = logging.getLogger("bearward.issuers")

_MAX_ENTRIES = 4096
_MAX_ADMITTED = 65_536
"""Issuers of live calls whose last result is kept, whatever else is looked up."""
_MAX_PENDING_UNKNOWN = 64
"""How many unknown issuers may be looked up concurrently."""
_MAX_ISSUER = 1024
_TIMEOUT = 10.0
_NEGATIVE_TTL = 60.0
_POSITIVE_TTL = 300.0
_STALE_WHILE_REFRESHING = 60.0
"""For so long after that the old result is used while the resolver is called in the background."""
_STALE_IF_ERROR = 3600.0
_RETRY_INTERVAL = 5.0
_LOG_INTERVAL = 60.0
"""A caller can name any issuer, so what a lookup logs is limited."""


@dataclass(frozen=True, slots=True)
class _Trusted:
    issuer: TrustedIssuer
    resolved_at: float
    retry_at: float = 0.0
    """After a failure: not looked up again before this, and then in the background."""


class Resolvers:
    """Async resolvers, called in order. `on_change` is called with an issuer whose settings changed, or that has none."""

    def __init__(self, resolvers: Sequence[IssuerResolver], clock: Clock, on_change: Callable[[str], None]) -> None:
        self._resolvers = tuple(resolvers)
        self._monotonic = clock.monotonic
        self._on_change = on_change
        self._trusted: dict[str, _Trusted] = {}
        self._untrusted: dict[str, float] = {}
        self._admitted: dict[str, _Trusted | None] = {}
        """The last result about issuers of live calls, None if it was negative: no other issuer pushes them out."""
        self._log_from = 0.0
        self._not_logged = 0
        self._pending: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[TrustedIssuer | None]] = {}

    def known(self, issuer: str) -> TrustedIssuer:
        """The settings of `issuer`, without awaiting; any thread may call.

        Raises:
            AuthError: ISSUER_UNTRUSTED.
            KeysNeededError: the resolvers must be called: await `find`.
        """
        if not self._resolvers or len(issuer) > _MAX_ISSUER or not issuer.isprintable():
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        now, known = self._monotonic(), self._trusted.get(issuer)
        if known is not None:
            if now >= max(known.resolved_at + _POSITIVE_TTL, known.retry_at) and not self._refresh_in_background(
                issuer, known, now
            ):
                raise KeysNeededError
            return known.issuer
        if now < self._untrusted.get(issuer, now):
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        raise KeysNeededError

    def last_known(self, issuer: str) -> TrustedIssuer:
        """The settings of `issuer` by the last result, however old: for calls that were admitted by it.

        Raises:
            AuthError: ISSUER_UNTRUSTED, or KEYS_UNAVAILABLE where nothing is known any more.
        """
        known = self._last_result(issuer)
        if known is not None:
            return known.issuer
        if not self._resolvers or issuer in self._untrusted or issuer in self._admitted:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0)

    def refresh(self, issuer: str) -> None:
        """Have `issuer`, which has let a call in, looked up anew in the background, on a running loop; nobody waits."""
        known = self._last_result(issuer)
        if known is None or self._monotonic() >= max(known.resolved_at + _POSITIVE_TTL, known.retry_at):
            with contextlib.suppress(RuntimeError):  # no loop here
                self._look_up(issuer, invented=False).add_done_callback(lambda done: self._note_admitted(issuer, done))

    def _last_result(self, issuer: str) -> _Trusted | None:
        return self._trusted.get(issuer) or self._admitted.get(issuer)

    def _note_admitted(self, issuer: str, done: asyncio.Task[TrustedIssuer | None]) -> None:
        if not done.cancelled() and done.exception() is None:
            known = self._trusted.get(issuer)
            if done.result() is None or known is not None:
                _add(self._admitted, issuer, known, _MAX_ADMITTED)

    async def find(self, issuer: str) -> TrustedIssuer:
        """The settings of `issuer`, looked up if necessary; all callers of one loop share one lookup.

        Raises:
            AuthError: ISSUER_UNTRUSTED; KEYS_UNAVAILABLE where the resolvers fail, or too many lookups are pending.
        """
        try:
            return self.known(issuer)
        except KeysNeededError:
            looking = self._look_up(issuer)
        try:
            trusted = await asyncio.shield(looking)  # one caller's cancellation is not everyone's
        except AuthError as shared:  # and each caller is refused with an error of its own
            raise copy(shared) from None
        if trusted is None:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        return trusted

    def _refresh_in_background(self, issuer: str, known: _Trusted, now: float) -> bool:
        """Look up again in the background; False if the old result is too old for that."""
        past = now - known.resolved_at - _POSITIVE_TTL
        if past >= (_STALE_IF_ERROR if known.retry_at else _STALE_WHILE_REFRESHING):
            return False
        try:
            self._look_up(issuer)
        except RuntimeError:  # on a thread without a loop: the next caller on a loop does it
            return past < _STALE_WHILE_REFRESHING
        return True

    def _look_up(self, issuer: str, *, invented: bool = True) -> asyncio.Task[TrustedIssuer | None]:
        """The lookup of `issuer`, which may be `invented` by a caller unless something is known of it."""
        name = asyncio.get_running_loop(), issuer
        task = self._pending.get(name)
        if task is None:
            may_be_invented = invented and issuer not in self._trusted
            if may_be_invented and self._pending_unknown() >= _MAX_PENDING_UNKNOWN:  # callers never queue
                raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0)
            task = self._pending[name] = name[0].create_task(self._resolve(issuer))
            task.add_done_callback(lambda done: self._lookup_done(name, done))
        return task

    def _pending_unknown(self) -> int:
        for name in [name for name in self._pending if is_gone(name[0])]:  # left behind with its loop
            self._pending.pop(name, None)
        return sum(issuer not in self._trusted for _, issuer in self._pending)

    def _lookup_done(
        self, name: tuple[asyncio.AbstractEventLoop, str], done: asyncio.Task[TrustedIssuer | None]
    ) -> None:
        self._pending.pop(name, None)
        if not done.cancelled():
            done.exception()  # retrieved, in case no caller waits

    async def _resolve(self, issuer: str) -> TrustedIssuer | None:
        resolved_at = self._monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT):
                trusted = await self._first(issuer)
        except Exception as error:  # noqa: BLE001  (whatever a user's resolver raises: our fault, not the caller's)
            self._log_error(f"an issuer resolver failed: {type(error).__name__}")
            return self._stale_after_failure(issuer)
        self._record(issuer, trusted, resolved_at)
        return trusted

    async def _first(self, issuer: str) -> TrustedIssuer | None:
        for resolver in self._resolvers:
            trusted = await resolver(issuer)
            if trusted is None:
                continue
            if not isinstance(trusted, TrustedIssuer):
                raise TypeError("a resolver must return a TrustedIssuer or None")
            if trusted.publishes_keys_one_by_one:
                raise TypeError("a resolver's issuer must have one set of keys, not a pem_uri with {kid}")
            if trusted.issuer == issuer:
                return trusted
            self._log_error("an issuer resolver returned the settings of another issuer")
            return None
        return None

    def _stale_after_failure(self, issuer: str) -> TrustedIssuer:
        now, known = self._monotonic(), self._trusted.get(issuer)
        if known is None or now >= known.resolved_at + _POSITIVE_TTL + _STALE_IF_ERROR:
            raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0) from None
        self._trusted[issuer] = replace(known, retry_at=now + _RETRY_INTERVAL)
        return known.issuer

    def _log_error(self, message: str) -> None:
        """At most one line a minute, which says how many there were."""
        now = self._monotonic()
        if now < self._log_from:
            self._not_logged += 1
            return
        more = f" ({self._not_logged} more errors in the last minutes)" if self._not_logged else ""
        self._log_from, self._not_logged = now + _LOG_INTERVAL, 0
        _log.error("%s%s", message, more)

    def _record(self, issuer: str, trusted: TrustedIssuer | None, resolved_at: float) -> None:
        if resolved_at < self._resolved_at(issuer):  # a lookup on another loop began later, and knows better
            return
        before = self._last_result(issuer)
        self._trusted.pop(issuer, None)
        self._untrusted.pop(issuer, None)
        known = None if trusted is None else _Trusted(trusted, resolved_at)
        if known is None:
            _add(self._untrusted, issuer, resolved_at + _NEGATIVE_TTL)
        else:
            _add(self._trusted, issuer, known)
        if issuer in self._admitted:
            self._admitted[issuer] = known
        if before is not None and before.issuer != trusted:
            self._on_change(issuer)

    def _resolved_at(self, issuer: str) -> float:
        known = self._trusted.get(issuer)
        return known.resolved_at if known is not None else self._untrusted.get(issuer, -math.inf) - _NEGATIVE_TTL

    def __len__(self) -> int:
        return len(self._resolvers)


def _add(known: dict[str, T], issuer: str, result: T, most: int | None = None) -> None:
    """The oldest result is dropped first; a refreshed one is a new one."""
    known.pop(issuer, None)
    known[issuer] = result
    if len(known) > (_MAX_ENTRIES if most is None else most):
        del known[next(iter(known))]
