"""Refusals become responses, and stay refusals.

Rules of this file: a refusal is returned and not raised (raising costs as much as a whole request); the application may
choose how it looks, by a renderer or an exception handler for `AuthError`, but not whether it is one; response
middleware runs, so that CORS headers are present, but can neither replace it nor change what makes it a refusal.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from copy import copy
from functools import partial
from inspect import isawaitable
from typing import Any, Final

from sanic import HTTPResponse, Request

from bearward import AuthError, Verifier
from bearward.bug_reports import report_bug
from bearward.reporter import Reporter, concerning
from bearward_sanic.bodies import refuse_body
from bearward_sanic.context import App, principal_of
from bearward_sanic.explained import explain
from bearward_sanic.problem_response import RefusalResponses
from bearward_sanic.reports import operation_of, request_identifier
from bearward_sanic.response_middleware import KEPT_HEADERS, run_response_middleware
from bearward_sanic.settings import AdapterSettings
from bearward_sanic.websockets import accept_then_close, refuse_handshake

__all__ = ["RefusalResponder"]

_LOG: Final = logging.getLogger("bearward.sanic")


class RefusalResponder:
    """Responds to requests with refusals."""

    def __init__(
        self,
        app: App,
        settings: AdapterSettings,
        responses: RefusalResponses,
        reporter: Reporter,
        verifier: Verifier,
    ) -> None:
        self._verifier = verifier
        self._app = app
        self._render_refusal: Callable[..., Any] | None = settings.render_refusal
        self._responses = responses
        self._reporter = reporter
        self._asgi = True
        self._renders = True
        self._reported = False
        self._certificates = settings.accepts_certificates
        self._closes_websockets = settings.websocket_refusal == "close"

    def use(self, verifier: Verifier, reporter: Reporter) -> None:
        """Respond as this verifier does, and report by `reporter`."""
        self._verifier = verifier
        self._responses.use(verifier)
        self._reporter = reporter

    def prepare(self) -> None:
        """Look, once the application starts, at what need not be looked at for every refusal."""
        handlers = self._app.error_handler.cached_handlers
        theirs = [kind for (kind, _), one in handlers.items() if one is not None and one != self.render]
        self._renders = self._render_refusal is not None or AuthError in theirs
        self._asgi = self._app.asgi

    def respond(
        self,
        request: Request,
        error: AuthError,
        scopes: tuple[str, ...],
        websocket: bool,  # noqa: FBT001
    ) -> HTTPResponse | Awaitable[HTTPResponse]:
        """The response to `error`; to be awaited only where somebody's code has a say in it."""
        closes = refuse_body(request)
        if websocket and self._closes_websockets:
            return accept_then_close(request, error)
        if self._asgi:
            refuse_handshake(request)
        self._explain(request, error)
        response = self._responses.response(error, scopes)
        if closes:
            response.headers["connection"] = "close"
        renderer = self._renderer(request) if self._renders else None
        middleware = self._response_middleware(request)
        if renderer is None and not middleware:
            return response
        return self._decorated(request, error, response, renderer, middleware)

    def render(self, request: Request, error: Exception) -> HTTPResponse | Awaitable[HTTPResponse]:
        """The exception handler for an `AuthError` that the application's own code raises."""
        if not isinstance(error, AuthError):
            raise error
        principal, own = principal_of(request), copy(error)  # some handlers raise the same one each time
        self._reporter.refused(
            own if principal is None else concerning(own, principal),
            operation_of(request),
            partial(request_identifier, request),
        )
        self._explain(request, own)
        response = self._responses.response(own)
        if self._render_refusal is None:
            return response
        return self._rendered(request, error, response, self._render_refusal)

    def _explain(self, request: Request, error: AuthError) -> None:
        if self._verifier.explains:
            rule = self._app.ctx.bearward.rule_of(request)
            explain(request, error, self._verifier, rule, certificates=self._certificates)

    async def _decorated(
        self,
        request: Request,
        error: AuthError,
        response: HTTPResponse,
        renderer: Callable[..., Any] | None,
        middleware: Iterable[Callable[..., Any]],
    ) -> HTTPResponse:
        if renderer is not None:
            response = await self._rendered(request, error, response, renderer)
        # Sanic would let the first response middleware that returns one replace the refusal, so it runs here instead.
        request._response_middleware_started = True  # noqa: SLF001
        stream: Any = request.stream
        if stream is not None:
            stream.respond(response)  # as Sanic does before it runs them: nobody else can begin another one
        await run_response_middleware(request, response, middleware)
        request.reset_response()
        return response

    async def _rendered(
        self, request: Request, error: AuthError, response: HTTPResponse, renderer: Callable[..., Any]
    ) -> HTTPResponse:
        try:
            rendered = renderer(request, error, response)
            if isawaitable(rendered):
                rendered = await rendered
        except Exception as bug:  # noqa: BLE001
            if not self._reported:  # anonymous callers cause refusals: they must not fill the log with them
                self._reported = True
                report_bug(_LOG, "the renderer of refusals failed (logged once)", bug)
            return response
        return _still_refusing(rendered, response) if isinstance(rendered, HTTPResponse) else response

    def _renderer(self, request: Request) -> Callable[..., Any] | None:
        if self._render_refusal is not None:
            return self._render_refusal
        handlers = self._app.error_handler.cached_handlers
        handler: Any = handlers.get((AuthError, request.name)) or handlers.get((AuthError, None))
        if handler is None or getattr(handler, "__func__", None) is RefusalResponder.render:
            return None
        return lambda request, error, _: handler(request, error)

    def _response_middleware(self, request: Request) -> Iterable[Callable[..., Any]]:
        route = request.route
        chain: Iterable[Callable[..., Any]] = (
            route is not None and route.extra.response_middleware
        ) or self._app.response_middleware
        return chain


def _still_refusing(rendered: HTTPResponse, response: HTTPResponse) -> HTTPResponse:
    """How a refusal looks is the application's, not whether it is one."""
    if rendered.status < 300:
        rendered.status = response.status
    for name in KEPT_HEADERS:
        if name in response.headers:
            rendered.headers.setdefault(name, response.headers[name])
    return rendered
