"""The front door: what every request passes before its body, its handler and anybody's code.

Rules of this file: it is synchronous where nothing must be awaited, because that is the hot path; it decides once per
request and remembers, since Sanic runs request middleware again on its error path; it returns a refusal and never
raises one. What it does not know is refused.

It stands as the first request middleware, or, where there is no other, right before the handler: the same place in a
request's life, without what Sanic's call of a middleware costs (a coroutine and a look at what it returned).
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from inspect import isawaitable
from typing import Any, Final

from sanic import HTTPResponse, Request
from sanic_routing.route import Route

from bearward import AUTHENTICATED, AuthError, KeysNeededError, Principal, Refusal, Verifier
from bearward.bug_reports import report_bug
from bearward.confirmation import check_certificate
from bearward_sanic.bodies import receive_body
from bearward_sanic.connection_memory import AUTHORIZATION, NONE, KeptConnections
from bearward_sanic.credentials import FORM_AT_MOST, TokenReader
from bearward_sanic.mark_discovery import ORIGINAL
from bearward_sanic.marks import Kind, authenticated, nobody
from bearward_sanic.route_rules import Door
from bearward_sanic.settings import AdapterSettings
from bearward_sanic.streams import LiveRequests
from bearward_sanic.unrouted import answer_at_once, is_preflight
from bearward_sanic.websockets import echo_subprotocol

__all__ = ["OUTCOME", "Answer", "FrontDoor"]

_LOG: Final = logging.getLogger("bearward.sanic")

OUTCOME: Final = "_bearward_outcome"
"""Where `request.ctx` remembers what was decided: True for let in, or why not."""

Answer = HTTPResponse | Awaitable[HTTPResponse | None] | None
SayNo = Callable[[Request, AuthError, tuple[str, ...], bool], HTTPResponse | Awaitable[HTTPResponse]]

_PUBLIC, _OPTIONAL, _PREFLIGHT, _NOBODY = Kind.PUBLIC, Kind.OPTIONAL, Kind.PREFLIGHT, Kind.NOBODY


class FrontDoor:
    """Lets a request in (None) or answers it with a refusal.

    `use` replaces the doors as a whole when the routes have changed.
    """

    def __init__(
        self,
        settings: AdapterSettings,
        verifier: Verifier,
        doors: dict[tuple[int, str], Door],
        say_no: SayNo,
        live: LiveRequests,
    ) -> None:
        self._settings = settings
        self._verifier = verifier
        self._reader = TokenReader(settings)
        self._read = self._reader.read
        self._bound = settings.client_certificate is not None
        self._verify_now = verifier.verify_now
        self._say_no = say_no
        self._kept = KeptConnections(verifier)
        self._known = self._kept.known
        self._remembers = settings.cookie is None and not settings.query and not self._bound
        self._header_only = settings.cookie is None and not settings.query and not settings.form
        self._note = live.note
        self.use(doors)

    def use(self, doors: dict[tuple[int, str], Door]) -> None:
        """Guard these doors from now on."""
        self.doors = doors
        self._quick = frozenset(key for key, door in doors.items() if self._remembers and _asks_no_more(door))

    def enter(self, request: Request) -> Answer:
        """The request middleware."""
        seen = self._known(request) if (id(request.route), request.method) in self._quick else None
        if seen is not None and not request.stream.request_body:  # type: ignore[union-attr]
            ctx = request.ctx
            ctx.principal = seen.principal
            ctx._bearward_outcome = True  # noqa: SLF001  (what OUTCOME names)
            if seen.noted is not request.stream:
                self._note(request, seen)
            return None
        return self._enter(request)

    def before(self, handler: Callable[..., Any], route: Route) -> Callable[..., Any]:
        """`handler` with the door right before it, for a route that has no other request middleware."""
        quick = frozenset(method for (of, method) in self._quick if of == id(route))
        known, note, enter = self._known, self._note, self._enter

        @wraps(handler)
        def guarded(request: Request, **match: Any) -> Any:
            # The hot path, written out: the same credentials on the same connection, no body to read, and a door that
            # asks no more.
            seen = known(request) if request.method in quick else None
            if seen is not None and not request.stream.request_body:  # type: ignore[union-attr]
                ctx = request.ctx
                ctx.principal = seen.principal
                ctx._bearward_outcome = True  # noqa: SLF001  (what OUTCOME names)
                if seen.noted is not request.stream:
                    note(request, seen)
                return handler(request, **match)
            answer = enter(request)
            if answer is None:
                return handler(request, **match)
            return answer if isinstance(answer, HTTPResponse) else _answer_or_handle(answer, handler, request, match)

        setattr(guarded, ORIGINAL, getattr(handler, ORIGINAL, handler))
        return guarded

    def _enter(self, request: Request) -> Answer:
        state = request.ctx.__dict__
        if OUTCOME in state:
            outcome = state[OUTCOME]
            return None if outcome is True else self._say_no(request, *outcome)
        route = request.route
        if route is None:
            return self._enter_nowhere(request)
        door = self.doors.get((id(route), request.method)) or Door(nobody, route)
        kind = door.mark.kind
        if (
            kind is _PUBLIC
            or (kind is _PREFLIGHT and is_preflight(request))
            or (kind is _OPTIONAL and self._brings_nothing(request, door))
        ):
            return self._admit(request, door, None)
        return self._authenticate(request, door)

    def _authenticate(self, request: Request, door: Door | None) -> Answer:
        token = ""
        websocket = door is not None and door.websocket
        values = request.headers.getall(AUTHORIZATION, NONE)
        if not values and self._header_only and not websocket:
            return self._refuse(request, AuthError(Refusal.CREDENTIALS_MISSING), door)
        known = self._known(request) if self._remembers and not websocket else None
        if known is not None and known.principal is not None:
            return self._authorize(request, door, known.principal)
        seen, again = self._kept.meet(request, values) if self._remembers and not websocket else (None, False)
        if seen is not None and again and (standing := self._kept.standing(seen)) is not None:
            return self._refuse(request, AuthError(standing), door)
        try:
            token = self._read(request, values, websocket)
            principal = self._verify_now(token) if not self._bound else self._verify_bound(request, token)
        except AuthError as error:
            if error.refusal is Refusal.CREDENTIALS_MISSING and self._reader.may_be_in_form(request):
                return self._await_form(request, door)
            if seen is not None:
                self._kept.refuse(seen, error.refusal)
            return self._refuse(request, error, door)
        except KeysNeededError:
            return self._await_keys(request, door, token)
        except Exception as bug:  # noqa: BLE001  (whatever it is, it is no reason to let anybody in)
            return self._broken(request, bug)
        if seen is not None and again:
            self._kept.accept(seen, token)
        return self._authorize(request, door, principal)

    def _authorize(self, request: Request, door: Door | None, principal: Principal) -> Answer:
        if door is not None and door.mark.kind is _NOBODY:
            return self._refuse(request, AuthError(Refusal.NO_RULE), door)
        requirement = AUTHENTICATED if door is None else door.mark.requirement
        if requirement is not AUTHENTICATED:
            try:
                unmet = requirement.unmet(principal, self._verifier.now())
            except Exception as bug:  # noqa: BLE001
                return self._broken(request, bug)
            if unmet is not None:
                return self._refuse(request, unmet, door)
        return self._admit(request, door, principal)

    def _admit(self, request: Request, door: Door | None, principal: Principal | None) -> Answer:
        state = request.ctx.__dict__
        state["principal"] = principal
        state[OUTCOME] = True
        if door is None:
            return None
        if door.websocket:
            echo_subprotocol(request, door.route.handler)
        elif principal is not None:
            self._note(request)
        return self._receive(request, door) if door.reads_body else None

    def _enter_nowhere(self, request: Request) -> Answer:
        """No such route or method, or no request at all, where Sanic could not read one."""
        if request.method == "NONE" or not (self._settings.hide_unknown or is_preflight(request)):
            request.ctx.principal = None
            return answer_at_once(request)
        if is_preflight(request):
            request.ctx.principal = None
            return None  # some middleware may know what to say; where none does, `leave` is the last
        return self._authenticate(request, None)

    def leave(self, request: Request) -> Answer:
        """The last middleware where there is no route: a preflight that nobody answered tells nothing, either."""
        if request.route is None and self._settings.hide_unknown and is_preflight(request):
            return self._refuse(request, AuthError(Refusal.CREDENTIALS_MISSING), None)
        return None

    def _refuse(self, request: Request, error: AuthError, door: Door | None) -> Answer:
        scopes = () if door is None or self._settings.hide_unknown else door.mark.requirement.scopes
        state = request.ctx.__dict__
        websocket = door is not None and door.websocket
        state["principal"] = None
        state[OUTCOME] = (error, scopes, websocket)
        return self._say_no(request, error, scopes, websocket)

    def _broken(self, request: Request, bug: BaseException) -> Answer:
        report_bug(_LOG, "a request could not be judged", bug)
        return self._refuse(request, AuthError(Refusal.INTERNAL_ERROR), None)

    def _brings_nothing(self, request: Request, door: Door) -> bool:
        if self._reader.may_be_in_form(request):
            return False
        try:
            self._read(request, request.headers.getall(AUTHORIZATION, NONE), door.websocket)
        except AuthError as error:
            return error.refusal is Refusal.CREDENTIALS_MISSING
        return False

    def _verify_bound(self, request: Request, token: str) -> Principal:
        principal = self._verifier.verify_now(token, unsafe_allow_bound=True)
        self._check_certificate(request, principal)
        return principal

    def _check_certificate(self, request: Request, principal: Principal) -> None:
        find = self._settings.client_certificate
        check_certificate(principal, None if find is None else find(request))

    async def _await_keys(self, request: Request, door: Door | None, token: str) -> HTTPResponse | None:
        try:
            principal = await self._verifier.verify(token, unsafe_allow_bound=self._bound)
            if self._bound:
                self._check_certificate(request, principal)
        except AuthError as error:
            return await _settled(self._refuse(request, error, door))
        except Exception as bug:  # noqa: BLE001
            return await _settled(self._broken(request, bug))
        return await _settled(self._authorize(request, door, principal))

    async def _await_form(self, request: Request, door: Door | None) -> HTTPResponse | None:
        """Read a form that is short enough to look into (RFC 6750 section 2.2)."""
        stream: Any = request.stream
        length = request.headers.get("content-length", "")
        if door is None or not length.isdigit() or int(length) > FORM_AT_MOST or stream is None:
            missing = AuthError(Refusal.CREDENTIALS_MISSING)
            return await _settled(self._refuse(request, missing, door))
        await receive_body(request, None)
        try:
            token = self._reader.read_form(request)
            principal = await self._verifier.verify(token, unsafe_allow_bound=self._bound)
            if self._bound:
                self._check_certificate(request, principal)
        except AuthError as error:
            if error.refusal is Refusal.CREDENTIALS_MISSING and door.mark.kind is _OPTIONAL:
                return await _settled(self._admit(request, door, None))
            return await _settled(self._refuse(request, error, door))
        except Exception as bug:  # noqa: BLE001
            return await _settled(self._broken(request, bug))
        request.ctx._bearward_form = True  # noqa: SLF001  (ours, on a free namespace)
        return await _settled(self._authorize(request, door, principal))

    async def _receive(self, request: Request, door: Door) -> HTTPResponse | None:
        await receive_body(request, door.route.handler)
        from_form = getattr(request.ctx, "_bearward_form", False)
        if request.ctx.principal is not None and not from_form and self._reader.also_in_form(request):
            return await _settled(self._refuse(request, AuthError(Refusal.CREDENTIALS_REPEATED), door))
        return None


def _asks_no_more(door: Door) -> bool:
    """Whether any verified token opens this door, and nothing but a body is to be seen to behind it."""
    return door.mark == authenticated and not door.websocket


async def _answer_or_handle(
    answer: Awaitable[HTTPResponse | None], handler: Callable[..., Any], request: Request, match: dict[str, Any]
) -> Any:
    refused = await answer
    if refused is not None:
        return refused
    response = handler(request, **match)
    return await response if isawaitable(response) else response


async def _settled(answer: Answer) -> HTTPResponse | None:
    if answer is None or isinstance(answer, HTTPResponse):
        return answer
    return await answer
