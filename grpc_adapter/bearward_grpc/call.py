"""The call that is being served: its caller, their token, and the rule by which it was admitted.

Rules of this file: one context variable, set before anything else is decided, so that no call inherits a caller from
the previous call or from the code that started the server. Both kinds of server share it.
"""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from bearward.access import Access
from bearward.errors import AuthError
from bearward.events import Verified
from bearward.principal import Principal
from bearward.stand_in import stand_in
from bearward.verifier import Verifier
from bearward_grpc.operations import Operations

__all__ = ["CALL", "Call", "CallGate", "StreamGuard", "StreamTerms", "current_principal"]


@dataclass(frozen=True, slots=True)
class StreamTerms:
    """Whether a stream ends with its token, and how many seconds later it may."""

    terminate: bool
    leeway: float


class StreamGuard(Protocol):
    """What ties a stream to its token."""

    ended: AuthError | None
    """Why the token ended, once it has."""

    def extend(self, principal: Principal) -> None:
        """Go on under this token."""


class CallGate(Protocol):
    """What a call needs of the gate that let it in."""

    operations: Operations
    verifier: Verifier
    streams: StreamTerms

    async def reauthenticate(self, call: Call, token: str, proof: str | None) -> Principal:
        """The caller by a token that is to prolong `call`, with a DPoP proof of its own where it is bound; raises `AuthError`."""

    def enter(self, call: Call, context: Any) -> None:
        """The handler of `call` begins: raise `AuthError` if its token is bound to another certificate than the caller's."""

    def explain_handler_refused(self, error: AuthError, call: Call | None) -> None:
        """Attach its explanation to what a handler of `call` raised, where refusals are explained."""

    def report_handler_refused(self, error: AuthError, call: Call | None) -> None:
        """`call`, whose handler was found, is refused with `error`."""

    def report_ended(self, error: AuthError, call: Call, principal: Principal) -> None:
        """The stream of `call` is ended with `error`."""

    def report_reauthenticated(self, call: Call, principal: Principal) -> None:
        """The caller of `call` goes on as `principal`."""


class Call:
    """A call that was admitted by `rule`. `principal` is None if the rule did not require one.

    It changes when the caller re-authenticates in band.
    """

    __slots__ = (
        "correlation_id",
        "event",
        "gate",
        "guard",
        "loop",
        "method",
        "principal",
        "queued_at",
        "rule",
        "token",
    )

    # Positional, since CPython 3.11 calls a function that has keyword-only arguments at twice the cost.
    def __init__(
        self, gate: CallGate, rule: Access, principal: Principal | None, token: str | None, method: str = ""
    ) -> None:
        self.gate: CallGate = gate
        self.rule: Access = rule
        self.principal: Principal | None = principal
        self.token: str | None = token
        self.method: str = method
        """Its full name, as the caller wrote it; empty for what all anonymous calls share."""
        self.correlation_id: str | None = None
        self.event: Verified | None = None
        """What was reported of its caller, for the span that begins with the handler."""
        self.queued_at: float | None = None
        """Since when it waits for a thread, by the verifier's monotonic clock, if it had to wait for something else first."""
        self.guard: StreamGuard | None = None
        self.loop: asyncio.AbstractEventLoop | None = None  # of the verifier, where the handler runs in a thread

    def __repr__(self) -> str:
        return f"<Call by {self.principal!r}>"


CALL: ContextVar[Call | None] = ContextVar("bearward_call", default=None)
"""The call that is being served; None if no interceptor of ours let it in."""


def current_principal() -> Principal | None:
    """The verified caller of the method that is being served.

    None in a public method, in an optional one that was called without a token, and outside any call. It works in
    handlers of all four kinds of method, on `grpc.aio` (plain `def` handlers too) and on `grpc.server`.
    """
    call = CALL.get()
    return stand_in() if call is None else call.principal
