"""The extension: `Bearward(app, verifier)`, `init_app`, and `install` for short.

Rules of this file: nothing is bound to an event loop before `before_server_start`, everything is let go in
`after_server_stop`, and any number of starts in one process leaves what one would. A wrong setting or mark stops the
start with one clear line; an issuer that is down does not.
"""

from __future__ import annotations

import logging
import math
from collections import deque
from collections.abc import Awaitable
from typing import Any, Final

from sanic import HTTPResponse, Request
from sanic.middleware import Middleware, MiddlewareLocation
from sanic.response import BaseHTTPResponse

from bearward import AuthError, ConfigurationError, Verifier
from bearward_sanic.context import App
from bearward_sanic.gate import Answer, FrontDoor
from bearward_sanic.handler_wrappers import unwrap_handlers, wrap_handlers
from bearward_sanic.integrations import access_logs, injection, openapi
from bearward_sanic.integrations import worker_state as workers
from bearward_sanic.integrations.resource_metadata import Metadata, metadata_of
from bearward_sanic.problem_response import RefusalAnswers
from bearward_sanic.refusal_responder import SayingNo
from bearward_sanic.route_rules import Door, resolve_doors
from bearward_sanic.settings import AdapterSettings, adapter_settings, verifier_from
from bearward_sanic.streams import LiveRequests

__all__ = ["Bearward", "install"]

_LOG: Final = logging.getLogger("bearward.sanic")

_FIRST: Final = 1_000_000
"""Before everybody's listeners and middleware (Sanic: the highest number goes first)."""
_BEFORE_ALL: Final[Any] = math.inf
"""Before any middleware whose priority is a number, also where Sanic sorts them anew (`app.amend`)."""
_LAST: Final = -1_000_000
"""After everybody's listeners, when every route is there (sanic-ext adds its own at -1000)."""


class Bearward:
    """Guards every route of a Sanic application.

    `verifier` says whose tokens are good; without one it is made of `app.config` (`BEARWARD_ISSUER`,
    `BEARWARD_AUDIENCE`, ...). `settings` are those of `AdapterSettings`; what is not given is read from `app.config`
    as `BEARWARD_<NAME>`, so set that before. The object is `app.ctx.bearward`. Raises `ConfigurationError`.
    """

    def __init__(self, app: App | None = None, verifier: Verifier | None = None, **settings: Any) -> None:
        self.verifier: Verifier
        self.settings: AdapterSettings
        self.metadata: Metadata | None = None
        self._arguments = settings
        self._given = verifier
        self._door: FrontDoor | None = None
        self._early_door: FrontDoor | None = None
        self._injected: frozenset[int] = frozenset()
        self._judged_early = False
        self._live: LiveRequests | None = None
        self._saying_no: SayingNo | None = None
        if app is not None:
            self.init_app(app)

    def init_app(self, app: App, verifier: Verifier | None = None, **settings: Any) -> None:
        """Guard `app`, which may still get its routes; `settings` win over those of the constructor."""
        if hasattr(app.ctx, "bearward"):
            raise ConfigurationError("app", "must be guarded once")
        self.settings = adapter_settings(app.config, {**self._arguments, **settings})
        self.verifier = verifier or self._given or verifier_from(app.config)
        self.metadata = metadata_of(self.settings)
        answers = RefusalAnswers(
            realm=self.settings.realm, resource_metadata=None if self.metadata is None else self.metadata.url
        )
        self._saying_no = SayingNo(app, self.settings, answers)
        app.ctx.bearward = self
        enter: Any = self._enter
        app.register_middleware(enter, "request", priority=_BEFORE_ALL)
        app.before_server_start(self._open, priority=_FIRST)
        app.before_server_start(self._ready, priority=_LAST)
        app.after_server_start(self._announce, priority=_LAST)
        app.after_server_stop(self._close, priority=_LAST)
        if self.settings.query:
            app.register_middleware(_keep_private, "response", priority=_LAST)
        if self.metadata is not None:
            self.metadata.add_route(app, self)
        openapi.prepare(app, self.settings)
        self._judged_early = injection.judge_before_injection(app, self._enter_early)

    def refresh(self, app: App) -> None:
        """Look at the routes again, after `with app.amend():` added some; until then those are refused."""
        if self._door is None:
            raise RuntimeError("refresh is for a running application")
        unwrap_handlers(app)
        doors = self._doors(app)
        self._injected = injection.routes_with_dependencies(app, doors)
        for door in (self._door, self._early_door):
            if door is not None:
                door.use(doors)
        wrap_handlers(app, self._door, self.verifier)

    def policies(self) -> dict[tuple[str, str], str]:
        """Who may pass, by (name of the route, method), for a look from outside; empty before the start."""
        doors = {} if self._door is None else self._door.doors
        return {(door.route.name, method): repr(door.mark) for (_, method), door in sorted(doors.items(), key=_by_name)}

    def scopes(self) -> tuple[str, ...]:
        """All scopes that some route asks for, sorted."""
        doors = {} if self._door is None else self._door.doors
        return tuple(sorted({name for door in doors.values() for name in door.mark.requirement.scopes}))

    async def _open(self, app: App) -> None:
        """Start the verifier, and all that others' listeners may want to use."""
        access_logs.hide_tokens()
        _take_places(app, self._enter, self._leave)
        unwrap_handlers(app)
        injection.provide(app, judged=self._judged_early)
        await self.verifier.start()

    async def _ready(self, app: App) -> None:
        """Decide who may pass where, now that every route is there."""
        assert self._saying_no is not None  # noqa: S101  (init_app made it)
        try:
            doors = self._doors(app)
        except ConfigurationError as wrong:
            _LOG.critical("bearward: %s", wrong)
            raise
        self._live = LiveRequests(self.verifier, enabled=self.settings.streams_end)
        self._injected = injection.routes_with_dependencies(app, doors)
        self._door = FrontDoor(self.settings, self.verifier, doors, self._saying_no.answer, self._live)
        self._early_door = FrontDoor(self.settings, self.verifier, doors, injection.say_nothing, self._live)
        openapi.describe(app, self.settings, doors)
        openapi.serve_redirect_page(app, self.settings)
        wrap_handlers(app, self._door, self.verifier)
        self._render_what_handlers_raise(app, self._saying_no)
        self._saying_no.prepare()
        self._live.start()

    async def _announce(self, app: App) -> None:
        workers.publish(app, self.verifier)

    async def _close(self, app: App) -> None:
        if self._live is not None:
            self._live.stop()
        workers.withdraw(app)
        self._door = self._early_door = None
        await self.verifier.aclose()
        _take_places(app, self._enter, self._leave)
        unwrap_handlers(app)

    def _doors(self, app: App) -> dict[tuple[int, str], Door]:
        doors = resolve_doors(app, self.settings)
        _take_places(app, self._enter, self._leave)
        return {key: _reading_late(door) for key, door in doors.items()}

    def _enter(self, request: Request) -> Answer | Awaitable[HTTPResponse]:
        """The request middleware; before the start there is nobody to ask, so nobody is let in."""
        if self._door is None:
            raise RuntimeError("the server was not started: bearward is not ready")
        return self._door.enter(request)

    def _leave(self, request: Request) -> Answer:
        return None if self._door is None else self._door.leave(request)

    def _enter_early(self, request: Request) -> Answer:
        """The judgement before sanic-ext injects, for routes that it injects into."""
        if self._early_door is None or request.route is None or id(request.route) not in self._injected:
            return None
        return self._early_door.enter(request)

    @staticmethod
    def _render_what_handlers_raise(app: App, saying_no: SayingNo) -> None:
        """Answer an `AuthError` of the application's own code like any other refusal, unless it does so itself."""
        handlers: dict[Any, Any] = app.error_handler.cached_handlers
        if handlers.get((AuthError, None)) is None:
            handlers[AuthError, None] = saying_no.render


def install(app: App, verifier: Verifier | None = None, **settings: Any) -> Bearward:
    """Guard every route of `app`: `Bearward(app, verifier, **settings)`."""
    return Bearward(app, verifier, **settings)


async def _keep_private(request: Request, response: BaseHTTPResponse) -> None:
    """RFC 6750 section 2.3: an answer to a token in the URL is nobody else's."""
    if getattr(request.ctx, "principal", None) is not None and "access_token" in request.args:
        response.headers.setdefault("cache-control", "private")


def _take_places(app: App, enter: Any, leave: Any) -> None:
    """Make ours the first request middleware of every route, and first and last where there is no route."""
    chains: list[deque[Any]] = [route.extra.request_middleware for route in app.router.routes]
    for chain in (*chains, app.request_middleware):
        others = [item for item in chain if not _is_ours(item)]
        chain.clear()
        chain.extend([Middleware(enter, MiddlewareLocation.REQUEST, priority=_BEFORE_ALL), *others])
    app.request_middleware.append(Middleware(leave, MiddlewareLocation.REQUEST, priority=-_BEFORE_ALL))


def _is_ours(middleware: Any) -> bool:
    function = getattr(middleware, "func", middleware)
    return isinstance(getattr(function, "__self__", None), Bearward | FrontDoor)


def _reading_late(door: Door) -> Door:
    """Have the body read after the door and not before it, where Sanic would read one."""
    extra = door.route.extra
    if door.websocket or (extra.ignore_body and not getattr(extra, "bearward_reads", False)):
        return door
    extra.ignore_body = extra.bearward_reads = True
    return Door(door.mark, door.route, reads_body=True, websocket=door.websocket)


def _by_name(item: tuple[tuple[int, str], Door]) -> tuple[str, str]:
    return item[1].route.name, item[0][1]
