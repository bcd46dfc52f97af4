"""The gate: every request passes it before its body is read and before any other code runs.

Rules of this file: synchronous unless something must be awaited, because this is the hot path; it decides once per
request and remembers, since Sanic runs request middleware again on its error path; it returns a refusal and never
raises one. Whatever it does not know is refused.

It is the first request middleware, or, if there is no other, runs right before the handler: the same point in a
request's life, without the cost of Sanic's call of a middleware (a coroutine and a check of its result).
"""

from __future__ import annotations

import logging
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from functools import partial, wraps
from inspect import isawaitable
from typing import Any, Final

from sanic import HTTPResponse, Request
from sanic_routing.route import Route

from bearward import AuthError, Principal, Refusal, Verifier
from bearward.access import Kind, authenticated, deny
from bearward.authentication import authorization_refusal
from bearward.bug_reports import report_bug
from bearward.errors import CheckNeededError
from bearward.reporter import Reporter, concerning
from bearward.sender import Scheme, attributed
from bearward.stand_in import stand_in
from bearward_sanic.authentication import Authenticator
from bearward_sanic.bodies import receive_body, receive_short_body, stream_body
from bearward_sanic.connection_memory import ConnectionMemory
from bearward_sanic.context import OUTCOME, principal_of, set_outcome, state_of
from bearward_sanic.reports import operation_of, request_identifier, started, took
from bearward_sanic.route_rules import Body, RouteRule, RuleTable
from bearward_sanic.settings import AdapterSettings
from bearward_sanic.short_way import Reports, ShortWay
from bearward_sanic.stream_end import upload_ended
from bearward_sanic.streams import LiveRequests
from bearward_sanic.unrouted import is_preflight, respond_immediately
from bearward_sanic.websockets import echo_subprotocol

__all__ = ["Gate", "GateResult"]

_LOG: Final = logging.getLogger("bearward.sanic")

GateResult = HTTPResponse | Awaitable[HTTPResponse | None] | None
Refuse = Callable[[Request, AuthError, tuple[str, ...], bool], HTTPResponse | Awaitable[HTTPResponse]]

_PUBLIC, _OPTIONAL, _DENIED = Kind.PUBLIC, Kind.OPTIONAL, Kind.DENIED
_UNROUTED: Final = RouteRule(authenticated, None)
"""Where there is no route: a verified caller may know that."""


class Gate:
    """Lets a request in (None) or returns a refusal.

    `use` replaces the rules as a whole when the routes have changed.
    """

    def __init__(
        self, settings: AdapterSettings, verifier: Verifier, rules: RuleTable, refuse: Refuse, live: LiveRequests
    ) -> None:
        self._hides_unknown = settings.hide_unknown_routes
        self._verifier = verifier
        self._now = verifier.now
        self._monotonic = verifier.monotonic
        self._reporter = Reporter(verifier.observers, "http")
        self._reports = self._reporter.verified_wanted
        self._refuse_with = refuse
        memory = ConnectionMemory(verifier)
        self._authenticator = Authenticator(settings, verifier, memory)
        reports = Reports(self._report_started, self._report_verified, self._report_again)
        self._short_way = ShortWay(verifier, self._authenticator, live, reports if self._reports else None)
        self._track = live.track
        self._ended = live.ended
        self.use(rules)

    def use(self, rules: RuleTable) -> None:
        """Use these rules from now on."""
        self.rules = rules
        remembers = self._authenticator.remembers
        self._fast = frozenset(key for key, rule in rules.items() if remembers and _needs_only_a_token(rule))

    def rule_of(self, request: Request) -> RouteRule:
        """The rule for a routed request; where there is none it is denied."""
        return self.rules.get((id(request.route), request.method)) or RouteRule(deny, request.route)

    def admit(self, request: Request) -> GateResult:
        """The request middleware."""
        if (id(request.route), request.method) in self._fast:
            found = self._short_way.admit(request)
            if found is not None:
                return None if found is True else self._refuse(request, found, self.rule_of(request))
        return self._decide(request)

    def wrap_handler(self, handler: Callable[..., Any], route: Route) -> Callable[..., Any]:
        """`handler` with the gate right before it, for a route that has no other request middleware."""
        fast = frozenset(method for (of, method) in self._fast if of == id(route))
        admit_shortly, decide = self._short_way.admit, self._decide

        @wraps(handler)
        def guarded(request: Request, **match: Any) -> Any:
            found = admit_shortly(request) if request.method in fast else None
            if found is True:
                return handler(request, **match)
            result = decide(request) if found is None else self._refuse(request, found, self.rule_of(request))
            if result is None:
                return handler(request, **match)
            return result if isinstance(result, HTTPResponse) else _await_or_handle(result, handler, request, match)

        return guarded

    def _decide(self, request: Request) -> GateResult:
        if self._reports:
            self._report_started(request)
        outcome = state_of(request).get(OUTCOME)
        if outcome is not None:
            return None if outcome is True else self._refuse_with(request, *outcome)
        if request.route is None:
            return self._handle_unrouted(request)
        rule = self.rule_of(request)
        if self._needs_no_token(request, rule):
            return self._let_in(request, rule, None)
        return self._authenticate(request, rule)

    def _needs_no_token(self, request: Request, rule: RouteRule) -> bool:
        kind = rule.access.kind
        if kind is _OPTIONAL:
            return stand_in() is None and self._authenticator.brings_nothing(request, rule)
        return kind is _PUBLIC or (rule.preflight and is_preflight(request))

    def _authenticate(self, request: Request, rule: RouteRule) -> GateResult:
        try:
            found = self._authenticator.authenticate(request, rule)
        except Exception as bug:  # noqa: BLE001  (whatever it is, it is no reason to let anybody in)
            return self._internal_error(request, bug)
        if isinstance(found, Principal):
            return self._authorize(request, rule, found)
        if isinstance(found, AuthError):
            return self._refuse_or_stand_in(request, found, rule)
        return self._await_principal(request, rule, found)

    async def _await_principal(
        self, request: Request, rule: RouteRule, found: Awaitable[Principal]
    ) -> HTTPResponse | None:
        try:
            result = self._authorize(request, rule, await found)
        except AuthError as error:
            missing = error.refusal is Refusal.CREDENTIALS_MISSING
            if missing and rule.access.kind is _OPTIONAL and stand_in() is None:
                result = self._let_in(request, rule, None)
            else:
                result = self._refuse_or_stand_in(request, error, rule)
        except Exception as bug:  # noqa: BLE001
            result = self._internal_error(request, bug)
        return await _resolved(result)

    def _refuse_or_stand_in(self, request: Request, error: AuthError, rule: RouteRule) -> GateResult:
        principal = stand_in() if error.refusal is Refusal.CREDENTIALS_MISSING else None
        if principal is None:
            return self._refuse(request, error, rule)
        return self._authorize(request, rule, principal)

    def _authorize(self, request: Request, rule: RouteRule, principal: Principal) -> GateResult:
        access = rule.access
        if access.requirement is not None or access.kind is _DENIED:
            try:
                unmet = access.refusal(principal, self._now(), request.match_info)
            except CheckNeededError:
                return self._await_checks(request, rule, principal)
            except Exception as bug:  # noqa: BLE001
                return self._internal_error(request, bug)
            if unmet is not None:
                return self._refuse(request, _attributed(unmet, principal), rule)
        return self._let_in(request, rule, principal)

    async def _await_checks(self, request: Request, rule: RouteRule, principal: Principal) -> HTTPResponse | None:
        try:
            unmet = await authorization_refusal(self._verifier, rule.access, principal, request.match_info)
        except Exception as bug:  # noqa: BLE001
            return await _resolved(self._internal_error(request, bug))
        if unmet is not None:
            return await _resolved(self._refuse(request, _attributed(unmet, principal), rule))
        return await _resolved(self._let_in(request, rule, principal))

    def _let_in(self, request: Request, rule: RouteRule, principal: Principal | None) -> GateResult:
        set_outcome(request, principal, True)
        if rule.route is not None:
            if rule.websocket:
                echo_subprotocol(request, rule.route.handler)
            elif principal is not None:
                self._track(request, None, rule.upload or rule.body is not Body.SANIC)
            if rule.body is Body.STREAM:
                stream_body(request)
            elif rule.body is not Body.SANIC and request.stream is not None and request.stream.request_body:
                return self._receive(request, rule)
        if self._reports and principal is not None:
            self._report_verified(request, principal)
        return None

    async def _receive(self, request: Request, rule: RouteRule) -> HTTPResponse | None:
        try:
            await (receive_short_body if rule.body is Body.SHORT else receive_body)(request)
        except CancelledError:
            ended = upload_ended(request)
            if ended is None:
                raise
            return await _resolved(self._refuse(request, ended, rule))
        principal = principal_of(request)
        if principal is None:
            return None
        error = self._ended(principal)  # a body may trickle for as long as its token lives, and longer
        if error is None and self._authenticator.brings_another(request):
            error = AuthError(Refusal.CREDENTIALS_REPEATED)
        if error is not None:
            return await _resolved(self._refuse(request, concerning(error, principal), rule))
        if self._reports:
            self._report_verified(request, principal)
        return None

    def _handle_unrouted(self, request: Request) -> GateResult:
        """No such route or method, or no request at all, where Sanic could not read one."""
        preflight = is_preflight(request)
        if request.method != "NONE" and self._hides_unknown and not preflight:
            return self._authenticate(request, _UNROUTED)
        state_of(request).setdefault("principal", None)
        # Some middleware may respond to a preflight; where none does, `refuse_unanswered_preflight` is the last.
        return None if preflight else respond_immediately(request)

    def refuse_unanswered_preflight(self, request: Request) -> GateResult:
        """The last middleware if there is no route: a preflight without a response reveals nothing, either."""
        if request.route is None and self._hides_unknown and is_preflight(request):
            return self._refuse(request, AuthError(Refusal.CREDENTIALS_MISSING), _UNROUTED)
        return None

    def _refuse(self, request: Request, error: AuthError, rule: RouteRule) -> GateResult:
        scopes = () if self._hides_unknown else rule.access.scopes
        self._reporter.refused(
            error, operation_of(request), partial(request_identifier, request), took(request, self._monotonic)
        )
        set_outcome(request, None, (error, scopes, rule.websocket))
        return self._refuse_with(request, error, scopes, rule.websocket)

    def _report_started(self, request: Request) -> None:
        started(request, self._monotonic())

    def _report_verified(self, request: Request, principal: Principal) -> None:
        identifier = request_identifier(request) if self._reporter.identified else None
        self._reporter.verified(principal, operation_of(request), identifier, took(request, self._monotonic))

    def _report_again(self, request: Request, principal: Principal) -> None:
        """The connection brought again what it had brought: of that no duration is told."""
        if not self._reporter.counted(principal):
            self._report_verified(request, principal)

    def _internal_error(self, request: Request, bug: BaseException) -> GateResult:
        report_bug(_LOG, "a request could not be authenticated", bug)
        return self._refuse(request, AuthError(Refusal.INTERNAL_ERROR), _UNROUTED)


def _attributed(error: AuthError, principal: Principal) -> AuthError:
    return attributed(concerning(error, principal), Scheme.BEARER if principal.proof.jkt is None else Scheme.DPOP)


def _needs_only_a_token(rule: RouteRule) -> bool:
    """Whether any verified token passes, and nothing but a body is to be seen to behind it."""
    return rule.access == authenticated and not rule.websocket and not rule.preflight


async def _await_or_handle(
    result: Awaitable[HTTPResponse | None], handler: Callable[..., Any], request: Request, match: dict[str, Any]
) -> Any:
    refused = await result
    if refused is not None:
        return refused
    response = handler(request, **match)
    return await response if isawaitable(response) else response


async def _resolved(result: GateResult) -> HTTPResponse | None:
    if result is None or isinstance(result, HTTPResponse):
        return result
    return await result
