"""The guard of a marked function: it refuses every call that no gate admitted by the function's own rule.

Rules of this file: pure; it knows no framework and makes no other decision. An adapter registers a gate, which says by
which rule a call was admitted. Without an adapter, or if its gate was never installed, no gate says so, and a marked
function refuses every call.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from functools import wraps
from types import MethodType
from typing import Any, Final, Protocol

from bearward.errors import AuthError
from bearward.principal import Principal
from bearward.stand_in import refusal_by, refusal_by_awaiting

__all__ = ["End", "Gate", "Listener", "guarded", "name_of", "on_unguarded_call", "register_gate", "unmarked"]

Gate = Callable[[tuple[Any, ...]], Any]
"""From the positional arguments of a call to the rule by which a gate let it in; None if it knows of no such call."""
End = Callable[[str, Any, tuple[Any, ...]], Awaitable[object] | None]
"""Ends an unguarded call in a framework's own way: raises, or returns what does so once it is awaited."""
Listener = Callable[[str, Any], None]
"""Called with the name and the rule of a function that refused a call."""

_GUARD: Final = "__bearward_guard__"
"""Where a guard keeps itself and its function: a decorator that copies the note is seen not to be the guard."""
_gates: list[Gate] = []
_ends: list[End] = []
_listeners: list[Listener] = []


def register_gate(applied: Gate, end: End | None = None) -> None:
    """Have marks ask `applied` by which rule a call was admitted; an adapter calls this when it is imported.

    `end` is called with the name, the rule and the arguments of a call that no gate admitted, for frameworks that would
    treat the `AuthError` as a bug. It receives every such call, and ignores those that are not its own.
    """
    _gates.append(applied)
    if end is not None:
        _ends.append(end)


def on_unguarded_call(listener: Listener) -> None:
    """Have `listener` called with the name and the rule of every function that refuses a call no gate admitted."""
    _listeners.append(listener)


def unmarked(target: Any) -> Any:
    """The function behind the guard of a mark, bound as `target` is; anything else unchanged.

    For an adapter that has decided by the mark itself, and so needs no second check.
    """
    if isinstance(target, MethodType):
        inner = unmarked(target.__func__)
        return target if inner is target.__func__ else MethodType(inner, target.__self__)
    guard, function = getattr(target, _GUARD, (None, None))
    return function if guard is target else target


def guarded(function: Any, rule: _Rule) -> Any:
    """`function`, of the same kind to code that inspects it, behind a check that a gate admitted the call by `rule`."""
    if inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        guard = _guarded_async(function, rule)
    else:
        guard = _guarded_sync(function, rule)
    setattr(guard, _GUARD, (guard, function))
    return guard


def name_of(target: object) -> str:
    """How a function or class is called in messages."""
    return getattr(target, "__qualname__", type(target).__name__)


class _Rule(Protocol):
    def refusal(self, principal: Principal, now: float) -> AuthError | None: ...

    async def refusal_awaiting(self, principal: Principal, now: float) -> AuthError | None: ...


def _is_let_in(rule: object, arguments: tuple[Any, ...]) -> bool:
    return any(applied(arguments) == rule for applied in _gates)


def _endings(function: Any, rule: object, arguments: tuple[Any, ...]) -> list[Awaitable[object]]:
    """Notify the listeners, and have the frameworks end the call; the result must be awaited, if that is possible."""
    name = name_of(function)
    for listener in _listeners:
        listener(name, rule)
    endings = [end(name, rule, arguments) for end in _ends]
    return [ending for ending in endings if ending is not None]


def _check(function: Any, rule: _Rule, arguments: tuple[Any, ...]) -> None:
    """Raise `AuthError`, or what the framework raises, unless a gate let this call in by `rule`."""
    refused = None if _is_let_in(rule, arguments) else refusal_by(rule.refusal)
    if refused is not None:
        for ending in _endings(function, rule, arguments):
            getattr(ending, "close", lambda: None)()  # a coroutine, which cannot be awaited here
        raise refused


async def _check_async(function: Any, rule: _Rule, arguments: tuple[Any, ...]) -> None:
    """The same, for functions that can wait for the framework, and for a check of the rule."""
    refused = None if _is_let_in(rule, arguments) else await refusal_by_awaiting(rule.refusal_awaiting)
    if refused is not None:
        for ending in _endings(function, rule, arguments):
            await ending
        raise refused


def _guarded_async(function: Any, rule: _Rule) -> Any:
    if inspect.iscoroutinefunction(function):

        @wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            await _check_async(function, rule, args)
            return await function(*args, **kwargs)

        return coroutine

    @wraps(function)
    async def items(*args: Any, **kwargs: Any) -> Any:
        await _check_async(function, rule, args)
        async with aclosing(function(*args, **kwargs)) as inner:
            async for item in inner:
                yield item

    return items


def _guarded_sync(function: Any, rule: _Rule) -> Any:
    if inspect.isgeneratorfunction(function):

        @wraps(function)
        def items(*args: Any, **kwargs: Any) -> Any:
            _check(function, rule, args)
            return (yield from function(*args, **kwargs))

        return items

    @wraps(function)
    def plain(*args: Any, **kwargs: Any) -> Any:
        _check(function, rule, args)
        return function(*args, **kwargs)

    return plain
