"""The call that is being served: who calls, and by which token.

Rules of this file: one context variable, set to nothing before anything else is decided, so that no call inherits a
caller from the call before it or from whoever started the server. It is shared by both kinds of server.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from bearward.errors import AuthError
from bearward.principal import Principal

if TYPE_CHECKING:
    from bearward_grpc.gate import Gate
    from bearward_grpc.rules.policy import Rule

__all__ = ["CALL", "Call", "StreamGuard", "current_principal"]


class StreamGuard(Protocol):
    """What ties a stream to its token."""

    ended: AuthError | None
    """Why the token ended, once it has."""

    def extend(self, principal: Principal) -> None:
        """Go on under this token."""


class Call:
    """A call that was let in. `principal` changes when the caller re-authenticates in band."""

    __slots__ = ("gate", "guard", "loop", "principal", "rule", "token")

    def __init__(self, gate: Gate, rule: Rule, principal: Principal, token: str) -> None:
        self.gate: Gate = gate
        self.rule: Rule = rule
        self.principal: Principal = principal
        self.token: str = token
        self.guard: StreamGuard | None = None
        self.loop: asyncio.AbstractEventLoop | None = None  # of the verifier, where the handler runs in a thread

    def __repr__(self) -> str:
        return f"<Call by {self.principal!r}>"


CALL: ContextVar[Call | None] = ContextVar("bearward_call", default=None)


def current_principal() -> Principal | None:
    """The verified caller of the method that is being served; None in a public method and outside any call.

    Works in handlers of all four kinds of method, on `grpc.aio` (plain `def` handlers too) and on `grpc.server`.
    """
    call = CALL.get()
    return None if call is None else call.principal
