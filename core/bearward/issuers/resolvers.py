"""What resolvers answered: whom they trust, for how long that is believed, and how they are asked.

Rules of this file: a yes is believed for some minutes, then asked for again in the background, so that an issuer that is
no longer trusted does not stay so; a resolver that fails takes nothing away for an hour. A no is remembered for a minute,
among its like: no flood of invented issuers pushes out one that is trusted, or keeps it from being asked about. Times are
those of the monotonic clock.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from bearward.clock import Clock
from bearward.errors import AuthError, KeysNeededError, Refusal
from bearward.issuers.tenants import IssuerResolver
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Resolvers"]

T = TypeVar("T")

_log = logging.getLogger("bearward.issuers")

_MOST = 4096
_MOST_STRANGERS = 64
"""How many issuers that nobody has vouched for may be asked about at a time."""
_MAX_ISSUER = 1024
_TIMEOUT = 10.0
_UNTRUSTED_FOR = 60.0
_TRUSTED_FOR = 300.0
_ASK_BEHIND = 60.0
"""For so long after that the old answer is given, and the resolver asked in the background."""
_IF_ERROR = 3600.0
_PAUSE = 5.0


@dataclass(frozen=True, slots=True)
class _Yes:
    policy: TrustedIssuer
    asked_at: float
    pause_until: float = 0.0
    """After a failure: not asked again before, and then in the background."""


class Resolvers:
    """Async resolvers, asked in order. `on_change` is called with an issuer whose policy is another one now, or none."""

    def __init__(self, resolvers: Sequence[IssuerResolver], clock: Clock, on_change: Callable[[str], None]) -> None:
        self._resolvers = tuple(resolvers)
        self._monotonic = clock.monotonic
        self._on_change = on_change
        self._trusted: dict[str, _Yes] = {}
        self._untrusted: dict[str, float] = {}
        self._asking: dict[tuple[asyncio.AbstractEventLoop, str], asyncio.Task[TrustedIssuer | None]] = {}

    def known(self, issuer: str) -> TrustedIssuer:
        """The policy for `issuer`, at once; any thread may ask.

        Raises:
            AuthError: ISSUER_UNTRUSTED.
            KeysNeededError: the resolvers must be asked: await `find`.
        """
        if not self._resolvers or len(issuer) > _MAX_ISSUER:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        now, yes = self._monotonic(), self._trusted.get(issuer)
        if yes is not None:
            if now >= max(yes.asked_at + _TRUSTED_FOR, yes.pause_until) and not self._ask_behind(issuer, yes, now):
                raise KeysNeededError
            return yes.policy
        if now < self._untrusted.get(issuer, now):
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        raise KeysNeededError

    def last_known(self, issuer: str) -> TrustedIssuer:
        """The policy for `issuer` as it was last told, however long ago: for calls that it has let in.

        Raises:
            AuthError: ISSUER_UNTRUSTED, or KEYS_UNAVAILABLE where nothing is known any more.
        """
        yes = self._trusted.get(issuer)
        if yes is not None:
            return yes.policy
        if not self._resolvers or issuer in self._untrusted:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0)

    async def find(self, issuer: str) -> TrustedIssuer:
        """The policy for `issuer`, asked for if need be; all callers of one loop share one question.

        Raises:
            AuthError: ISSUER_UNTRUSTED; KEYS_UNAVAILABLE where the resolvers fail, or too much is being asked.
        """
        try:
            return self.known(issuer)
        except KeysNeededError:
            policy = await asyncio.shield(self._ask(issuer))  # one caller's cancellation is not everyone's
        if policy is None:
            raise AuthError(Refusal.ISSUER_UNTRUSTED)
        return policy

    def _ask_behind(self, issuer: str, yes: _Yes, now: float) -> bool:
        """Have the resolvers asked in the background; False where the old answer is too old for that."""
        past = now - yes.asked_at - _TRUSTED_FOR
        if past >= (_IF_ERROR if yes.pause_until else _ASK_BEHIND):
            return False
        try:
            self._ask(issuer)
        except RuntimeError:  # on a thread without a loop: the next one on a loop asks
            return past < _ASK_BEHIND
        return True

    def _ask(self, issuer: str) -> asyncio.Task[TrustedIssuer | None]:
        name = asyncio.get_running_loop(), issuer
        task = self._asking.get(name)
        if task is None:
            if issuer not in self._trusted and self._strangers() >= _MOST_STRANGERS:  # callers never queue
                raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0)
            task = self._asking[name] = name[0].create_task(self._resolve(issuer))
            task.add_done_callback(lambda done: self._asked(name, done))
        return task

    def _strangers(self) -> int:
        for name in [name for name in self._asking if name[0].is_closed()]:  # left behind with its loop
            self._asking.pop(name, None)
        return sum(issuer not in self._trusted for _, issuer in self._asking)

    def _asked(self, name: tuple[asyncio.AbstractEventLoop, str], done: asyncio.Task[TrustedIssuer | None]) -> None:
        self._asking.pop(name, None)
        if not done.cancelled():
            done.exception()  # seen, if nobody waits

    async def _resolve(self, issuer: str) -> TrustedIssuer | None:
        asked_at = self._monotonic()
        try:
            async with asyncio.timeout(_TIMEOUT):
                policy = await self._first(issuer)
        except Exception as error:  # noqa: BLE001  (whatever a user's resolver raises: our fault, not the caller's)
            _log.error("an issuer resolver failed: %s", type(error).__name__)
            return self._in_spite_of_failure(issuer)
        self._learn(issuer, policy, asked_at)
        return policy

    async def _first(self, issuer: str) -> TrustedIssuer | None:
        for resolver in self._resolvers:
            policy = await resolver(issuer)
            if policy is None:
                continue
            if not isinstance(policy, TrustedIssuer):
                raise TypeError("a resolver must answer a TrustedIssuer or None")
            if policy.issuer == issuer:
                return policy
            _log.error("an issuer resolver answered with the policy of another issuer")
            return None
        return None

    def _in_spite_of_failure(self, issuer: str) -> TrustedIssuer:
        now, yes = self._monotonic(), self._trusted.get(issuer)
        if yes is None or now >= yes.asked_at + _TRUSTED_FOR + _IF_ERROR:
            raise AuthError(Refusal.KEYS_UNAVAILABLE, retry_after=1.0) from None
        self._trusted[issuer] = replace(yes, pause_until=now + _PAUSE)
        return yes.policy

    def _learn(self, issuer: str, policy: TrustedIssuer | None, asked_at: float) -> None:
        before = self._trusted.pop(issuer, None)
        self._untrusted.pop(issuer, None)
        if policy is None:
            _add(self._untrusted, issuer, asked_at + _UNTRUSTED_FOR)
        else:
            _add(self._trusted, issuer, _Yes(policy, asked_at))
        if before is not None and before.policy != policy:
            self._on_change(issuer)

    def __len__(self) -> int:
        return len(self._resolvers)


def _add(known: dict[str, T], issuer: str, answer: T) -> None:
    """The oldest answer goes first; one that is asked for again is a new one."""
    known[issuer] = answer
    if len(known) > _MOST:
        del known[next(iter(known))]
