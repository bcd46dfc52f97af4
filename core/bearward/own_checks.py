"""A check of one's own in a rule: a function of the caller, synchronous or asynchronous, that refuses with its own code.

Rules of this file: only `True` lets a caller in. Whatever else a check gives back, raises, or takes too long for, refuses,
and is logged where it is a mistake. A rule decides without I/O: a check that must be awaited is named by
`CheckNeededError`, and awaited by who asked (`Access.refusal_awaiting`).
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from bearward.bug_reports import report_bug
from bearward.errors import AuthError, CheckNeededError, ConfigurationError
from bearward.principal import Principal
from bearward.refusals import OwnRefusal, Refusal
from bearward.requirements import Requirement

__all__ = ["OwnCheck", "own_check"]

_LOG: Final = logging.getLogger("bearward.checks")
_CODE: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_MAX_CODE: Final = 64
_CODES: Final = frozenset(refusal.code for refusal in Refusal)
_MESSAGE: Final = re.compile(r"[ !#-\[\]-~]{1,200}")
"""What an `error_description` may hold (RFC 6750 section 3)."""
_MAX_TIMEOUT: Final = 60.0


def own_check(
    function: Callable[..., Any],
    *,
    code: str,
    message: str = Refusal.CHECK_FAILED.message,
    parameters: Collection[str] = (),
    timeout: float = 5.0,
) -> Requirement:
    """`function(principal)` must return True; otherwise the caller is refused with `code`, as 403 or PERMISSION_DENIED.

    `function` may be `async def`; it is then awaited for at most `timeout` seconds, after the token was verified and only
    if the rest of the rule asks for it. On grpc.server it runs on the verifier's own event loop; a plain function runs
    where the rule is decided, and must not wait. `parameters` are names of the parameters of the request's path, given to
    `function` by name. `code` is a name in lower case with underscores that the catalogue of refusals does not hold, and
    `message` the fixed text beside it.

    An `AuthError` that `function` raises is the refusal. Anything else that it raises is logged and refuses the caller
    (INTERNAL_ERROR); an `OSError` or a timeout does so with CHECK_UNAVAILABLE, since the caller may try again. Raises
    `ConfigurationError`.

    >>> from bearward import scope
    >>> def in_office(principal):
    ...     return principal.claims.get("office") == "Bergen"
    >>> scope("orders:write") & own_check(in_office, code="not_in_office")
    scope('orders:write') & own_check(in_office, code='not_in_office')
    """
    if not callable(function) or isinstance(function, Requirement | type):
        raise ConfigurationError("own_check", "must be given a function of the principal")
    if isinstance(parameters, str) or any(not isinstance(name, str) or not name for name in parameters):
        raise ConfigurationError("own_check.parameters", "must be names of parameters of the path")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout <= _MAX_TIMEOUT:
        raise ConfigurationError("own_check.timeout", "must be a number of seconds, above 0 and at most 60")
    kind = _AwaitedCheck if _is_async(function) else _PlainCheck
    return kind(function, _own_refusal(code, message), tuple(dict.fromkeys(parameters)), float(timeout))


def _own_refusal(code: object, message: object) -> OwnRefusal:
    if not isinstance(code, str) or len(code) > _MAX_CODE or not _CODE.fullmatch(code) or code in _CODES:
        raise ConfigurationError("own_check.code", "must be a new name in lower case, with underscores: not_in_office")
    if not isinstance(message, str) or not _MESSAGE.fullmatch(message):
        raise ConfigurationError("own_check.message", "must be 1 to 200 printable ASCII characters, without quotes")
    return OwnRefusal(code, message)


@dataclass(frozen=True, slots=True, repr=False)
class OwnCheck(Requirement):
    """A function of the principal, and what a caller who does not pass it is told."""

    function: Callable[..., Any]
    own: OwnRefusal
    names: tuple[str, ...]
    timeout: float
    values: tuple[tuple[str, Any], ...] | None = None
    """Of the request; None until they are known."""

    @property
    def parameters(self) -> tuple[str, ...]:
        """The parameters of the path that the function is given."""
        return self.names

    def bound_to(self, values: Mapping[str, Any]) -> Requirement:
        """The check for a request whose path has these parameters."""
        if not all(name in values for name in self.names):
            return self
        return replace(self, values=tuple((name, values[name]) for name in self.names))

    def _refused(self) -> AuthError:
        return AuthError(Refusal.CHECK_FAILED, own=self.own)

    def _is_unbound(self) -> bool:
        """Whether the path lacks what the check needs: then nobody is let in."""
        return bool(self.names) and self.values is None

    def _call(self, principal: Principal) -> Any:
        return self.function(principal, **dict(self.values or ()))

    def _verdict(self, answer: object) -> AuthError | None:
        if answer is True:
            return None
        if answer is False:
            return self._refused()
        if inspect.iscoroutine(answer):
            answer.close()
        return self._failed(TypeError("an own check must return True or False, or be `async def`"))

    def _failed(self, error: Exception) -> AuthError:
        if isinstance(error, AuthError):
            return error
        report_bug(_LOG, f"the check {self!r} failed", error)
        is_passing = isinstance(error, OSError)  # TimeoutError is one
        return AuthError(Refusal.CHECK_UNAVAILABLE if is_passing else Refusal.INTERNAL_ERROR)

    def __repr__(self) -> str:
        name = getattr(self.function, "__qualname__", type(self.function).__name__).rpartition("<locals>.")[2]
        return f"own_check({name}, code={self.own.code!r})"


class _PlainCheck(OwnCheck):
    __slots__ = ()

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        if self._is_unbound():
            return self._refused()
        try:
            return self._verdict(self._call(principal))
        except Exception as error:  # noqa: BLE001  (whatever it is, it is no reason to let anybody in)
            return self._failed(error)


class _AwaitedCheck(OwnCheck):
    __slots__ = ()

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        if self._is_unbound():
            return self._refused()
        raise CheckNeededError(self, principal)

    async def ask(self, principal: Principal) -> AuthError | None:
        """The refusal of this caller, or None."""
        try:
            async with asyncio.timeout(self.timeout) as limit:
                answer = await self._call(principal)
            if limit.expired():  # it swallowed its cancellation
                raise TimeoutError
            return self._verdict(answer)
        except Exception as error:  # noqa: BLE001
            return self._failed(error)

    def answered(self, check: object, refused: AuthError | None) -> Requirement:
        return _Answered(refused) if self == check else self


@dataclass(frozen=True, slots=True, repr=False)
class _Answered(Requirement):
    """A check that was awaited for one caller."""

    refused: AuthError | None

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        return self.refused

    def __repr__(self) -> str:
        return "an answered check"


def _is_async(function: Any) -> bool:
    return inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(getattr(function, "__call__", None))  # noqa: B004
