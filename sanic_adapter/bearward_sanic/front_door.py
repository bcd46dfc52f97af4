"""The front door: the one middleware that every request passes before its body, its handler and anybody's code.

Rules of this file: it is synchronous where nothing must be awaited, because that is the hot path; it decides once per
request and remembers, since Sanic runs request middleware again on its error path; it returns a refusal and never
raises one. What it does not know is refused.
"""

from __future__ import annotations

from asyncio import current_task
from collections.abc import Awaitable, Callable
from typing import Any, Final

from sanic import HTTPResponse, Request

from bearward import AUTHENTICATED, AuthError, KeysNeeded, Principal, Refusal, Verifier
from bearward.confirmation import check_certificate
from bearward.credentials import bearer_token
from bearward.token_cache import CacheEntry
from bearward_sanic.credentials import FORM_AT_MOST, TokenReader
from bearward_sanic.marks import Kind, authenticated, nobody
from bearward_sanic.policies import Door
from bearward_sanic.report import report_bug
from bearward_sanic.settings import AdapterSettings
from bearward_sanic.streams import LiveRequests
from bearward_sanic.uploads import receive_body
from bearward_sanic.websockets import echo_subprotocol

_SEEN: Final = "_bearward_seen"
_NOTHING: Final = ("", None)

__all__ = ["OUTCOME", "Answer", "FrontDoor"]

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
        self._still_good = verifier.still_good
        self._remembers = settings.cookie is None and not settings.query and not self._bound
        self._header_only = settings.cookie is None and not settings.query and not settings.form
        self._note = live.note
        self._tasks = live.tasks
        self.use(doors)

    def use(self, doors: dict[tuple[int, str], Door]) -> None:
        """Guard these doors from now on."""
        self.doors = doors
        self._quick = frozenset(key for key, door in doors.items() if self._remembers and _asks_no_more(door))

    def enter(self, request: Request) -> Answer:
        """The request middleware."""
        conn_info = request.conn_info
        if conn_info is not None and (id(request.route), request.method) in self._quick:
            # The hot path, written out: the same credentials on the same connection, and a door that asks no more.
            seen = conn_info.ctx.__dict__.get(_SEEN)
            if seen is not None and seen[1] is not None and self._still_good(seen[1]):
                values = request.headers.getall("authorization", ())
                if len(values) == 1 and values[0] == seen[0]:
                    ctx = request.ctx
                    ctx.principal = seen[1].principal
                    ctx._bearward_outcome = True  # noqa: SLF001  (what OUTCOME names)
                    self._tasks[request.stream] = current_task()
                    return None
        return self._enter(request)

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
        if self._header_only and not websocket and "authorization" not in request.headers:
            return self._refuse(request, AuthError(Refusal.CREDENTIALS_MISSING), door)
        try:
            principal = self._remembered(request) if self._remembers and not websocket else None
            if principal is None:
                token = self._read(request, websocket)
                principal = self._verify_now(token) if not self._bound else self._verify_bound(request, token)
        except AuthError as error:
            if error.refusal is Refusal.CREDENTIALS_MISSING and self._reader.may_be_in_form(request):
                return self._await_form(request, door)
            return self._refuse(request, error, door)
        except KeysNeeded:
            return self._await_keys(request, door, token)
        except Exception as bug:  # noqa: BLE001  (whatever it is, it is no reason to let anybody in)
            return self._broken(request, bug)
        return self._authorize(request, door, principal)

    def _remembered(self, request: Request) -> Principal | None:
        """The principal of the credentials that this very connection brought before, if they are as good as then.

        A client that keeps its connection sends the same value again: comparing it costs a fraction of reading it.
        """
        values = request.headers.getall("authorization", ())
        if len(values) != 1 or request.conn_info is None:
            return None
        held = request.conn_info.ctx.__dict__
        value, entry = held.get(_SEEN, _NOTHING)
        if value != values[0]:
            held[_SEEN] = (values[0], None)  # worth more only if it comes again
            return None
        if entry is None or not self._still_good(entry):
            entry = self._recall(values[0])
            held[_SEEN] = (values[0], entry)
        return None if entry is None else entry.principal

    def _recall(self, value: str) -> CacheEntry | None:
        try:
            entry = self._verifier.recall(bearer_token((value,), max_length=self._settings.max_token_length))
        except AuthError:
            return None
        return None if entry is None or entry.bound or not self._still_good(entry) else entry

    def _authorize(self, request: Request, door: Door | None, principal: Principal) -> Answer:
        if door is not None and door.mark.kind is _NOBODY:
            return self._refuse(request, AuthError(Refusal.METHOD_NOT_ALLOWED), door)
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
        """No such route or method (or no request at all, where Sanic could not read one)."""
        if request.method == "NONE" or not self._settings.hide_unknown or is_preflight(request):
            request.ctx.principal = None
            return None
        return self._authenticate(request, None)

    def _refuse(self, request: Request, error: AuthError, door: Door | None) -> Answer:
        scopes = () if door is None or self._settings.hide_unknown else door.mark.requirement.scopes
        state = request.ctx.__dict__
        websocket = door is not None and door.websocket
        state["principal"] = None
        state[OUTCOME] = (error, scopes, websocket)
        return self._say_no(request, error, scopes, websocket)

    def _broken(self, request: Request, bug: BaseException) -> Answer:
        report_bug("a request could not be judged", bug)
        return self._refuse(request, AuthError(Refusal.INTERNAL_ERROR), None)

    def _brings_nothing(self, request: Request, door: Door) -> bool:
        if self._reader.may_be_in_form(request):
            return False
        try:
            self._read(request, door.websocket)
        except AuthError as error:
            return error.refusal is Refusal.CREDENTIALS_MISSING
        return False

    def _verify_bound(self, request: Request, token: str) -> Principal:
        principal = self._verifier.verify_now(token, allow_bound=True)
        self._check_certificate(request, principal)
        return principal

    def _check_certificate(self, request: Request, principal: Principal) -> None:
        find = self._settings.client_certificate
        check_certificate(principal, None if find is None else find(request))

    async def _await_keys(self, request: Request, door: Door | None, token: str) -> HTTPResponse | None:
        try:
            principal = await self._verifier.verify(token, allow_bound=self._bound)
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
            principal = await self._verifier.verify(token, allow_bound=self._bound)
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
    """Whether any verified token opens this door, and nothing is to be done behind it."""
    return door.mark == authenticated and not door.websocket and not door.reads_body


def is_preflight(request: Request) -> bool:
    """Whether this is a CORS preflight (Fetch standard, section 3.2.2)."""
    headers = request.headers
    return request.method == "OPTIONS" and "origin" in headers and "access-control-request-method" in headers


async def _settled(answer: Answer) -> HTTPResponse | None:
    if answer is None or isinstance(answer, HTTPResponse):
        return answer
    return await answer
