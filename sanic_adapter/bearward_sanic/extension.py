"""The extension: `Bearward(app, verifier)`, `init_app`, and `install` for short.

Rules of this file: nothing is bound to an event loop before `before_server_start`, everything is released in
`after_server_stop`, and any number of starts in one process has the same effect as one. An invalid setting or rule
prevents the start with one clear line; an issuer that is down does not.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from typing import Any, Final

from sanic import HTTPResponse, Request, Sanic
from sanic.response import BaseHTTPResponse

from bearward import AuthError, ConfigurationError, TrustedIssuer, Verifier
from bearward.access import Access
from bearward.logs import show_unless_configured
from bearward.reporter import Reporter
from bearward_sanic.app_config import configured
from bearward_sanic.context import App, principal_of
from bearward_sanic.explained import check_addresses
from bearward_sanic.gate import Gate, GateResult
from bearward_sanic.handler_wrappers import unwrap_handlers, wrap_handlers
from bearward_sanic.integrations import injection, openapi, worker_state
from bearward_sanic.integrations.resource_metadata import ResourceMetadata, metadata_of
from bearward_sanic.middleware_order import BEFORE_ALL, Middlewares, defer_body
from bearward_sanic.problem_response import RefusalResponses, add_nonce
from bearward_sanic.redaction import redact_logs
from bearward_sanic.refusal_responder import RefusalResponder
from bearward_sanic.route_rules import RouteRule, described, require_rules, resolve_rules, table_of, without_rule
from bearward_sanic.settings import AdapterSettings
from bearward_sanic.start_warnings import warn_of, warn_of_long_tokens
from bearward_sanic.streams import LiveRequests
from bearward_sanic.websockets import SocketTerms

__all__ = ["Bearward", "check", "guard_of", "install", "rules"]

_LOG: Final = logging.getLogger("bearward.sanic")

_FIRST: Final = 1_000_000
"""Before everybody's listeners and middleware (Sanic: the highest number goes first)."""
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
        self.metadata: ResourceMetadata | None = None
        self._app: App | None = None
        self._arguments = settings
        self._given = verifier
        self._gate: Gate | None = None
        self._early_gate: Gate | None = None
        self._injected: frozenset[int] = frozenset()
        self._authenticates_early = False
        self._length_was_chosen = False
        self._live: LiveRequests | None = None
        self._middlewares = Middlewares(self._admit, self._refuse_unanswered_preflight)
        self._responder: RefusalResponder
        self._reporter: Reporter
        if app is not None:
            self.init_app(app)

    def init_app(self, app: App, verifier: Verifier | None = None, **settings: Any) -> None:
        """Guard `app`, which may still get its routes; `settings` win over those of the constructor."""
        verifier = verifier or self._given
        _check_installed(app, verifier)
        self._length_was_chosen = bool({"max_token_length"} & {*self._arguments, *settings}) or (
            "BEARWARD_MAX_TOKEN_LENGTH" in app.config
        )
        self.settings, self.verifier = configured(app.config, {**self._arguments, **settings}, verifier)
        self._reporter = Reporter(self.verifier.observers, "http")
        self.metadata = metadata_of(self.settings)
        url = self.settings.resource_metadata if self.metadata is None else self.metadata.url
        docs = self.settings.refusal_docs
        responses = RefusalResponses(self.verifier, realm=self.settings.realm, resource_metadata=url, refusal_docs=docs)
        self._responder = RefusalResponder(app, self.settings, responses, self._reporter, self.verifier)
        self._app = app
        app.ctx.bearward = self
        app.register_middleware(self._middlewares.admit, "request", priority=BEFORE_ALL)
        app.before_server_start(self._open, priority=_FIRST)
        app.before_server_start(self._ready, priority=_LAST)
        app.after_server_start(self._announce, priority=_LAST)
        app.after_server_stop(self._close, priority=_LAST)
        if self.settings.query:
            app.register_middleware(_keep_private, "response", priority=_LAST)
        if _gives_nonces(self.verifier):
            app.register_middleware(self._give_nonce, "response", priority=_LAST)
        if self.metadata is not None:
            self.metadata.add_route(app, self._document)
        openapi.prepare(app, self.settings)
        self._authenticates_early = injection.authenticate_before_injection(app, self._admit_early)

    def refresh(self, app: App) -> None:
        """Look at the routes again, after `with app.amend():` added some; until then those are refused."""
        if self._gate is None:
            raise RuntimeError("refresh is for a running application")
        unwrap_handlers(app)
        rules = self._rules(app)
        self._injected = injection.routes_with_dependencies(app, rules)
        for gate in (self._gate, self._early_gate):
            if gate is not None:
                gate.use(rules)
        wrap_handlers(app, self._gate, self._socket_terms())

    @property
    def runs(self) -> bool:
        """Whether the server has started, and so decides by rules and a verifier that are settled."""
        return self._gate is not None

    def replace_verifier(self, verifier: Verifier) -> Verifier:
        """Use `verifier` from the next start on, and return the one before: for a test of an application built at import.

        Raises `ConfigurationError` if only one of the two gives DPoP nonces.
        """
        before = self.verifier
        if _gives_nonces(verifier) is not _gives_nonces(before):
            raise ConfigurationError("verifier", "must give DPoP nonces if the one before does, and only then")
        self.verifier, self._reporter = verifier, Reporter(verifier.observers, "http")
        self._responder.use(verifier, self._reporter)
        return before

    def route_rules(self) -> dict[tuple[str, str], Access]:
        """Who may call what, by (name of the route, method): what was decided at the start, or would be now."""
        return table_of(self.current_rules())

    def check(self) -> None:
        """Raise `ConfigurationError` for a route without a rule and for a rule that matches nothing."""
        require_rules(self.current_rules())

    def scopes(self) -> tuple[str, ...]:
        """All scopes that some route asks for, sorted."""
        return tuple(sorted({name for rule in self.current_rules().values() for name in rule.access.scopes}))

    def rule_of(self, request: Request) -> Access | None:
        """The rule that applies to `request`; None before the start and if there is no route."""
        if self._gate is None or request.route is None:
            return None
        return self._gate.rule_of(request).access

    async def _open(self, app: App) -> None:
        """Start the verifier, and all that others' listeners may want to use."""
        redact_logs()
        show_unless_configured()
        self._middlewares.install(app)
        unwrap_handlers(app)
        injection.provide(app, authenticated=self._authenticates_early)
        check_addresses(app, self.verifier)
        await self.verifier.start()

    async def _ready(self, app: App) -> None:
        """Decide who may pass where, now that every route is there."""
        try:
            rules = self._rules(app)
        except ConfigurationError as wrong:
            for mistake in wrong.mistakes:
                _LOG.critical("bearward: %s", mistake)
            raise
        warn_of(without_rule(rules))
        if self._length_was_chosen and not app.asgi:
            warn_of_long_tokens(self.settings.max_token_length, app.config.REQUEST_MAX_HEADER_SIZE)
        settings, live = self.settings, self._live_requests()
        self._injected = injection.routes_with_dependencies(app, rules)
        self._gate = Gate(settings, self.verifier, rules, self._responder.respond, live)
        self._early_gate = Gate(settings, self.verifier, rules, injection.stop_signal, live)
        openapi.describe(app, settings, rules)
        openapi.serve_redirect_page(app, settings)
        wrap_handlers(app, self._gate, self._socket_terms())
        self._handle_auth_errors(app)
        self._responder.prepare()
        live.start()

    async def _announce(self, app: App) -> None:
        worker_state.publish(app, self.verifier)

    async def _close(self, app: App) -> None:
        if self._live is not None:
            self._live.stop()
        worker_state.withdraw(app)
        self._gate = self._early_gate = None
        await self.verifier.aclose()
        if self.settings.socket_tickets is not None:
            await self.settings.socket_tickets.aclose()
        self._middlewares.install(app)
        unwrap_handlers(app)

    def _rules(self, app: App) -> dict[tuple[int, str], RouteRule]:
        rules = resolve_rules(app, self.settings)
        self._reporter.rules(described(rules))
        self._middlewares.install(app)
        return {(route, method): defer_body(rule, method) for (route, method), rule in rules.items()}

    def current_rules(self) -> dict[tuple[int, str], RouteRule]:
        """The rules that were decided at the start, or would be now."""
        if self._gate is not None:
            return dict(self._gate.rules)
        if self._app is None:
            raise ConfigurationError("app", "must be set first, with init_app(app)")
        return resolve_rules(self._app, self.settings)

    def _live_requests(self) -> LiveRequests:
        terminate = self.settings.stream_expiry == "terminate"
        self._live = LiveRequests(self.verifier, self._reporter, enabled=terminate, leeway=self.settings.stream_leeway)
        return self._live

    def _socket_terms(self) -> SocketTerms:
        terminate = self.settings.stream_expiry == "terminate"
        return SocketTerms(self.verifier, self._reporter, terminate=terminate, leeway=self.settings.stream_leeway)

    def _document(self) -> dict[str, Any]:
        assert self.metadata is not None  # noqa: S101  (who serves it has it)
        return self.metadata.document(self.settings, self.verifier, self.scopes())

    def _admit(self, request: Request) -> GateResult | Awaitable[HTTPResponse]:
        """The request middleware; before the start every request is refused."""
        if self._gate is None:
            raise RuntimeError("the server was not started: bearward is not ready")
        return self._gate.admit(request)

    def _refuse_unanswered_preflight(self, request: Request) -> GateResult:
        return None if self._gate is None else self._gate.refuse_unanswered_preflight(request)

    def _admit_early(self, request: Request) -> GateResult:
        """The decision before sanic-ext injects, for routes that it injects into."""
        if self._early_gate is None or request.route is None or id(request.route) not in self._injected:
            return None
        return self._early_gate.admit(request)

    async def _give_nonce(self, request: Request, response: BaseHTTPResponse) -> None:
        """RFC 9449 section 8.2: a new nonce may come with any response to a caller who has proven a key."""
        principal = principal_of(request)
        if principal is not None and principal.proof.jkt is not None:
            add_nonce(response, self.verifier)

    def _handle_auth_errors(self, app: App) -> None:
        """Respond to an `AuthError` of the application's own code as to any refusal, unless it does so itself."""
        handlers: dict[Any, Any] = app.error_handler.cached_handlers
        if handlers.get((AuthError, None)) is None:
            handlers[AuthError, None] = self._responder.render


def install(app: App, verifier: Verifier | None = None, **settings: Any) -> Bearward:
    """Guard every route of `app`: `Bearward(app, verifier, **settings)`."""
    return Bearward(app, verifier, **settings)


def rules(app: App) -> dict[tuple[str, str], Access]:
    """Who may call what in `app`, by (name of the route, method); before the server starts, too.

    Raises `ConfigurationError` for an application without a gate, and for everything that would prevent its start.
    """
    return guard_of(app).route_rules()


def check(app: App) -> None:
    """Raise `ConfigurationError` for a route of `app` without a rule and for a rule that matches nothing.

    For a test of the application: no server needs to run.
    """
    guard_of(app).check()


def _gives_nonces(verifier: Verifier) -> bool:
    return verifier.dpop is not None and verifier.dpop.nonces is not None


def _check_installed(app: object, verifier: object) -> None:
    if not isinstance(app, Sanic):
        raise ConfigurationError("app", "must be a Sanic application: install(app, verifier)")
    if hasattr(app.ctx, "bearward"):
        raise ConfigurationError("app", "must be guarded only once")
    if isinstance(verifier, TrustedIssuer):
        raise ConfigurationError("verifier", "must be a Verifier: install(app, Verifier(TrustedIssuer(...)))")
    if verifier is not None and not isinstance(verifier, Verifier):
        raise ConfigurationError("verifier", "must be a Verifier, or omitted to be created from app.config")


def guard_of(app: App) -> Bearward:
    """The extension of `app`; raises `ConfigurationError` if it has none."""
    guard = getattr(app.ctx, "bearward", None)
    if not isinstance(guard, Bearward):
        raise ConfigurationError("app", "must be guarded: bearward_sanic.install(app, verifier)")
    return guard


async def _keep_private(request: Request, response: BaseHTTPResponse) -> None:
    """RFC 6750 section 2.3: a response to a request with a token in its URL is private."""
    if principal_of(request) is not None and "access_token" in request.args:
        response.headers.setdefault("cache-control", "private")
