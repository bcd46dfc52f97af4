"""Who calls where no credentials are presented: no one, except within a test that says who.

Rules of this file: pure. It is set by `bearward.testing.acting_as` and by nothing else: no setting, no variable of the
environment and no request reaches it, and it ends with the block that set it. It is asked only where a gate would
otherwise refuse a call for want of credentials.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from bearward.errors import AuthError
from bearward.principal import Principal
from bearward.refusals import Refusal

__all__ = ["StandIn", "is_stand_in", "refusal_by", "refusal_by_awaiting", "stand_in", "unsafe_set_stand_in"]

_BASIS: Final = object()
"""What the verification of a stand-in rests on: nothing."""


class StandIn(NamedTuple):
    """Who calls, and the clock by which rules that depend on time decide, in seconds since the epoch."""

    principal: Principal
    now: Callable[[], float]


_current: list[StandIn] = []


def stand_in() -> Principal | None:
    """Who calls where no credentials are presented; None outside of a test that says so."""
    return _current[-1].principal if _current else None


def is_stand_in(principal: Principal) -> bool:
    """Whether the principal was set by a test, and so rests on no token that could be checked again."""
    return principal._basis is _BASIS  # noqa: SLF001


def refusal_by(decide: Callable[[Principal, float], AuthError | None]) -> AuthError | None:
    """The refusal of a function that is called directly: what its rule says of the stand-in; NO_RULE if there is none."""
    if not _current:
        return AuthError(Refusal.NO_RULE)
    principal, now = _current[-1]
    return decide(principal, now())


async def refusal_by_awaiting(decide: Callable[[Principal, float], Awaitable[AuthError | None]]) -> AuthError | None:
    """The same, for a function that can await what its rule asks."""
    if not _current:
        return AuthError(Refusal.NO_RULE)
    principal, now = _current[-1]
    return await decide(principal, now())


def unsafe_set_stand_in(principal: Principal, now: Callable[[], float]) -> Callable[[], None]:
    """Have every call without credentials be made by `principal`, until the returned function is called."""
    marked = Principal.from_verified_claims(principal.to_dict(), principal.key_thumbprint, _BASIS, principal._names)  # noqa: SLF001
    held = StandIn(marked.proven_by(principal.proof), now)
    _current.append(held)

    def end() -> None:
        _current[:] = [one for one in _current if one is not held]

    return end
