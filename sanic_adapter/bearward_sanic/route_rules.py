"""Route rules: who may call which route by which method. Default deny, decided once at the start.

Rules of this file: the rule nearest to the handler wins (method, then handler, view or route, then the blueprint, then
the default); two different rules at the same distance, a name that matches nothing and a mark that is lost prevent the
start. What cannot be resolved is denied to everyone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from sanic_routing.route import Route

from bearward import ConfigurationError
from bearward.access import Access, Kind, as_access, authenticated, deny, mark_of, public
from bearward.mistakes import Mistakes, nearest
from bearward_sanic.blueprint_rules import BlueprintRules
from bearward_sanic.context import App
from bearward_sanic.mark_discovery import handler_mark, hidden_marks, is_generated, method_mark, view_of
from bearward_sanic.settings import AdapterSettings

__all__ = ["Body", "RouteRule", "RuleTable", "described", "require_rules", "resolve_rules", "table_of", "without_rule"]


class Body(Enum):
    """Who reads the body of a request."""

    SANIC = "sanic"
    """Sanic, or no one."""
    WHOLE = "whole"
    """The gate, once the caller is admitted."""
    SHORT = "short"
    """The gate, up to a bound: a websocket's handshake has none (RFC 6455 section 4.1)."""
    STREAM = "stream"
    """The handler itself."""


@dataclass(frozen=True, slots=True)
class RouteRule:
    """Who may call one route by one method. It keeps the route alive, so that its id stays its own."""

    access: Access
    route: Route | None
    said: bool = True
    """Whether somebody said so, or it is the default."""
    preflight: bool = False
    """Whether a CORS preflight passes: no browser sends credentials with it (Fetch standard)."""
    websocket: bool = False
    body: Body = Body.SANIC
    upload: bool = False
    """Whether the handler reads the body by itself, so that it can end in between."""


_PARAMETER: Final = re.compile(r"<([^:>]+)[:>]")
"""The name of a parameter in a path, which a route knows by itself only once its router is finalized."""

RuleTable: TypeAlias = Mapping[tuple[int, str], RouteRule]
"""Rules by (id of the route, method)."""


def resolve_rules(app: App, settings: AdapterSettings) -> dict[tuple[int, str], RouteRule]:
    """The rule of every route and method of `app`; raises `ConfigurationError`."""
    return _Resolver(app, settings).rules()


def table_of(rules: RuleTable) -> dict[tuple[str, str], Access]:
    """The same by (name of the route, method), sorted."""
    named = {(rule.route.name, method): rule.access for (_, method), rule in rules.items() if rule.route is not None}
    return dict(sorted(named.items(), key=lambda item: item[0]))


def described(rules: RuleTable) -> dict[str, Access]:
    """The same by method and template: `GET /notes`, sorted."""
    named = {
        f"{method} /{rule.route.path.lstrip('/')}": rule.access
        for (_, method), rule in rules.items()
        if rule.route is not None
    }
    return dict(sorted(named.items()))


def without_rule(rules: RuleTable) -> list[str]:
    """What has no rule and is denied by the default: `GET /notes (app.notes)`, sorted."""
    return sorted(
        f"{method} /{rule.route.path.lstrip('/')} ({rule.route.name})"
        for (_, method), rule in rules.items()
        if rule.route is not None and not rule.said and rule.access == deny and not is_generated(rule.route.handler)
    )


def require_rules(rules: RuleTable) -> None:
    """Raise `ConfigurationError` that names everything without a rule."""
    unruled = without_rule(rules)
    if unruled:
        must = f"must be ruled on, or opened to any verified token by default=authenticated: {', '.join(unruled)}"
        raise ConfigurationError("routes", must)


class _Resolver:
    def __init__(self, app: App, settings: AdapterSettings) -> None:
        self._routes: tuple[Route, ...] = tuple(app.router.routes)
        self._groups = {id(route): group for group in app.router.groups.values() for route in group}
        self._prefix = f"{app.name}."
        self._default = settings.default_rule
        self._named = settings.rules
        self._blueprints = BlueprintRules(app, settings.rules)
        self._handled = {id(route.handler) for route in self._routes}

    def rules(self) -> dict[tuple[int, str], RouteRule]:
        mistakes, rules = Mistakes(), dict[tuple[int, str], RouteRule]()
        with mistakes.collected():
            self._check_names()
        for route in self._routes:
            with mistakes.collected():
                rules |= self._rules_of(route)
        mistakes.raise_any()
        return rules

    def _rules_of(self, route: Route) -> dict[tuple[int, str], RouteRule]:
        self._check_hidden(route)
        rules = {(id(route), method): self._rule(route, method) for method in sorted(route.methods or {"GET"})}
        for rule in rules.values():
            _check_parameters(route, rule.access)
        return rules

    def _rule(self, route: Route, method: str) -> RouteRule:
        websocket = bool(getattr(route.extra, "websocket", False))
        if is_generated(route.handler):
            return self._generated_rule(route, method)
        access = self._said(route, method)
        if access is None:
            return RouteRule(self._default, route, said=False, websocket=websocket)
        return RouteRule(access, route, websocket=websocket)

    def _said(self, route: Route, method: str) -> Access | None:
        view = view_of(route.handler)
        access = None if view is None else method_mark(view, method)
        if access is None:
            access = self._route_rule(route, view)
        return self._blueprints.rule(route) if access is None else access

    def _generated_rule(self, route: Route, method: str) -> RouteRule:
        """HEAD is asked what its GET is; OPTIONS is open beside a public route, and else to preflights."""
        siblings = [r for r in self._groups.get(id(route), ()) if not is_generated(r.handler) and _same_host(r, route)]
        if method == "OPTIONS":
            kinds = {self._rule(r, m).access.kind for r in siblings for m in r.methods}
            open_to_all = Kind.PUBLIC in kinds
            return RouteRule(public if open_to_all else authenticated, route, preflight=not open_to_all)
        if method == "HEAD":
            access = next((self._rule(r, "GET").access for r in siblings if "GET" in r.methods), deny)
            return RouteRule(access, route)
        return RouteRule(deny, route)

    def _route_rule(self, route: Route, view: type | None) -> Access | None:
        """What is said of the route as a whole: on the handler or the view, by `ctx_auth`, by its name."""
        said = dict(self._said_of(route, view))
        if len(set(said.values())) > 1:
            rules = ", ".join(f"{rule} by {where}" for where, rule in said.items())
            raise ConfigurationError(f"route {route.name}", f"must have one rule, not {rules}")
        return next(iter(said.values()), None)

    def _said_of(self, route: Route, view: type | None) -> Iterable[tuple[str, Access]]:
        if (mark := handler_mark(route.handler)) is not None:
            yield "the handler", mark
        if view is not None and (mark := mark_of(view)) is not None:
            yield "the view", mark
        if hasattr(route.ctx, "auth"):
            yield "ctx_auth", as_access(route.ctx.auth, f"ctx_auth of route {route.name}")
        for name in (route.name, route.name.removeprefix(self._prefix)):
            if name in self._named:
                yield f"rules[{name!r}]", self._named[name]

    def _check_names(self) -> None:
        names = {route.name for route in self._routes}
        names |= {name.removeprefix(self._prefix) for name in names} | self._blueprints.patterns()
        mistakes = Mistakes()
        for name in self._named:
            if name not in names:
                must = "must name a route or, as 'blueprint.*', a blueprint of the application"
                near = nearest(name, names) or "; there is none"
                mistakes.add(ConfigurationError(f"rules[{name!r}]", f"{must}{near}"))
        mistakes.raise_any()

    def _check_hidden(self, route: Route) -> None:
        """A mark that a decorator lost would refuse every call: say so now."""
        if is_generated(route.handler):
            return
        rules = {self._rule(route, method).access for method in route.methods or {"GET"}}
        for function, mark in hidden_marks(route.handler):
            if id(function) not in self._handled and rules != {mark} and function is not view_of(route.handler):
                name = getattr(function, "__qualname__", repr(type(function)))
                must = f"must carry the mark of what it wraps ({name} is {mark}): use functools.wraps"
                raise ConfigurationError(f"decorator of route {route.name}", must)


def _check_parameters(route: Route, access: Access) -> None:
    """A rule that depends on a parameter which the path does not have would refuse every call: say so now."""
    needed = () if access.requirement is None else access.requirement.parameters
    missing = [name for name in needed if name not in _PARAMETER.findall(route.raw_path)]
    if missing:
        must = f"must have the parameters that its rule depends on: {', '.join(missing)}"
        raise ConfigurationError(f"route {route.name}", must)


def _same_host(one: Route, other: Route) -> bool:
    return bool(one.requirements.get("host") == other.requirements.get("host"))
