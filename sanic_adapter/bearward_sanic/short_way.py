"""The short way of a request that brings a token in `Authorization` and nothing else to be looked at.

Rules of this file: only for routes that any verified token opens, requests without a body, and verifiers whose tokens are
nowhere else; whatever is not that goes the usual way. The decision is the same, and no token is verified twice for it:
a refusal that is found here is the refusal. What counts in a server is how little code and data a request touches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple

from sanic import Request

from bearward import AuthError, Principal, Verifier
from bearward_sanic.authentication import Authenticator
from bearward_sanic.connection_memory import AUTHORIZATION, NONE, ONCE, SEEN, SeenCredentials
from bearward_sanic.context import OUTCOME, set_outcome, state_of
from bearward_sanic.streams import LiveRequests

__all__ = ["Reports", "ShortWay"]

Admitted = Callable[[Request, Principal], None]


class Reports(NamedTuple):
    """Who is told that a decision starts, that a request is admitted, and that one is for credentials seen before."""

    started: Callable[[Request], None]
    admitted: Admitted
    again: Admitted


class ShortWay:
    """Admits what can be admitted at a glance. `reports` are told, or None where nobody observes."""

    def __init__(
        self,
        verifier: Verifier,
        authenticator: Authenticator,
        live: LiveRequests,
        reports: Reports | None,
    ) -> None:
        self._is_still_valid = verifier.is_still_valid
        self._authenticator = authenticator
        self._track = live.track
        self._started: Callable[[Request], None] | None = None if reports is None else reports.started
        self._admitted: Admitted | None = None if reports is None else reports.admitted
        self._again: Admitted | None = None if reports is None else reports.again

    def admit(self, request: Request) -> AuthError | Literal[True] | None:
        """Whether the request is admitted, or why it is refused; None: decide in the usual way.

        Credentials that the connection brings again are recognized; others are verified, and only noted.
        """
        conn_info, stream = request.conn_info, request.stream
        if conn_info is None or stream.request_body:  # type: ignore[union-attr]
            return None
        values, held = request.headers.getall(AUTHORIZATION, NONE), conn_info.ctx.__dict__
        seen: SeenCredentials | None = held.get(SEEN)
        if seen is None or seen.values != values:
            seen, found, report = None, self._verify(request, values, held), self._admitted
        else:
            report = self._again
            found = None if seen.entry is None or not self._is_still_valid(seen.entry) else seen.principal
        if found.__class__ is not Principal:
            return found  # type: ignore[return-value]
        ctx = request.ctx
        try:
            ctx.principal = found
            ctx._bearward_outcome = True  # noqa: SLF001  (what OUTCOME names)
        except AttributeError:  # a context of the application's, with `__slots__`
            set_outcome(request, found, True)
        if seen is None or seen.tracked is not stream:
            self._track(request, seen)
        if report is not None:
            report(request, found)
        return True

    def _verify(self, request: Request, values: list[str], held: dict[str, Any]) -> Principal | AuthError | None:
        """Credentials that are not those of the connection's latest request: verified, unless they come a second time."""
        if held.get(ONCE) == values:
            return None
        if self._started is not None:
            self._started(request)
        if state_of(request).get(OUTCOME) is not None:  # Sanic asks again on its error path
            return None
        found = self._authenticator.verify_header(values)
        if found.__class__ is Principal:
            held[ONCE] = values
        elif found is not None:
            self._authenticator.remember_refusal(request, values, found)  # type: ignore[arg-type]
        return found
