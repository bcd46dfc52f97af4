"""Checks of one's own in a rule, and whom each rule lets in: for the core and every transport."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from bearward import AuthError, Principal, Refusal, Requirement, own_check, scope

__all__ = [
    "ASKED",
    "BOTH",
    "CASES",
    "OWNER",
    "WHO",
    "broken",
    "is_ada",
    "is_ada_in_store",
    "named",
    "owns_note",
    "owns_note_in_store",
]

ASKED: list[str] = []
"""The subjects whom an asynchronous check was asked about."""


def is_ada(principal: Principal) -> bool:
    """A check that looks at the principal only."""
    return principal.subject == "ada"


async def is_ada_in_store(principal: Principal) -> bool:
    """One that asks elsewhere first."""
    ASKED.append(str(principal.subject))
    await asyncio.sleep(0)
    return principal.subject == "ada"


class Store:
    """An object whose call is asynchronous."""

    async def __call__(self, principal: Principal) -> bool:
        return await is_ada_in_store(principal)


async def never(principal: Principal) -> bool:
    """A store that does not answer."""
    await asyncio.Event().wait()
    return True


async def too_late(principal: Principal) -> bool:
    """A store whose client turns a cancellation into an answer."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return True


def truthy(principal: Principal) -> Any:
    """Somebody's mistake: what it gives back is not True."""
    return principal.subject


def unawaited(principal: Principal) -> Any:
    """Another: a plain function that gives back what must be awaited."""
    return is_ada_in_store(principal)


def broken(principal: Principal) -> bool:
    """A bug."""
    raise KeyError(principal.subject)


async def broken_later(principal: Principal) -> bool:
    """A bug, after a while."""
    await asyncio.sleep(0)
    raise KeyError(principal.subject)


def unreachable(principal: Principal) -> bool:
    """A store that is down."""
    raise ConnectionRefusedError


async def unreachable_later(principal: Principal) -> bool:
    """The same, asynchronously."""
    raise ConnectionRefusedError


def says_which(principal: Principal) -> bool:
    """A check that names its refusal itself."""
    raise AuthError(Refusal.TOKEN_REVOKED)


def owns_note(principal: Principal, note: str) -> bool:
    """Whether the note in the path is the caller's own."""
    return principal.subject == note


async def owns_note_in_store(principal: Principal, note: str) -> bool:
    """The same, asked elsewhere."""
    await asyncio.sleep(0)
    return principal.subject == note


def named(function: Callable[..., Any], **more: Any) -> Requirement:
    """The check under its code."""
    return own_check(function, code="not_ada", message="only ada may do this", **more)


@dataclass(frozen=True)
class Case:
    """A rule, and with which code it refuses ada and bob; None: it lets them in."""

    requirement: Requirement
    ada: str | None
    bob: str | None


BOTH = "not_ada"
OWNER = named(owns_note, parameters=["note"]) & named(owns_note_in_store, parameters=["note"])
CASES = {
    "plain": Case(named(is_ada), None, BOTH),
    "asynchronous": Case(named(is_ada_in_store), None, BOTH),
    "asynchronous object": Case(named(Store()), None, BOTH),
    "and a scope that is there": Case(scope("a") & named(is_ada_in_store), None, BOTH),
    "and a scope that is not": Case(named(is_ada_in_store) & scope("b"), "scope_insufficient", BOTH),
    "or a scope that is there": Case(named(is_ada_in_store) | scope("a"), None, None),
    "or a scope that is not": Case(scope("b") | named(is_ada_in_store), None, "scope_insufficient"),
    "twice in one rule": Case(named(is_ada_in_store) & (scope("b") | named(is_ada_in_store)), None, BOTH),
    "two of them": Case(named(is_ada_in_store) & own_check(Store(), code="other"), None, BOTH),
    "not True": Case(named(truthy), "internal_error", "internal_error"),
    "not awaited": Case(named(unawaited), "internal_error", "internal_error"),
    "a bug": Case(named(broken), "internal_error", "internal_error"),
    "a bug, later": Case(named(broken_later), "internal_error", "internal_error"),
    "unreachable": Case(named(unreachable), "check_unavailable", "check_unavailable"),
    "unreachable, later": Case(named(unreachable_later), "check_unavailable", "check_unavailable"),
    "no answer": Case(named(never, timeout=0.05), "check_unavailable", "check_unavailable"),
    "an answer after its time": Case(named(too_late, timeout=0.05), "check_unavailable", "check_unavailable"),
    "a refusal of its own": Case(named(says_which), "token_revoked", "token_revoked"),
}
WHO = [(name, who) for name in CASES for who in ("ada", "bob")]
