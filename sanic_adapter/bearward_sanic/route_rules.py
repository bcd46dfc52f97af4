"""Policies: which mark holds for which route and method. Default deny, decided once at the start.

Rules of this file: what is nearest to the handler wins (method, then handler, view or route, then the lists of public
names, then the blueprint, then the default); two marks at the same distance that differ, a name that matches nothing
and a mark that nothing carries stop the start. What cannot be resolved is refused to everybody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sanic import Blueprint
from sanic_routing.route import Route

from bearward import ConfigurationError
from bearward_sanic.context import App
from bearward_sanic.mark_discovery import automatic, handler_mark, own_mark, swallowed_marks
from bearward_sanic.marks import Kind, Mark, as_mark, nobody, preflight, public
from bearward_sanic.settings import AdapterSettings

__all__ = ["Door", "resolve_doors"]


@dataclass(frozen=True, slots=True)
class Door:
    """One route and method, and who may pass. It keeps the route alive, so that its id stays its own."""

    mark: Mark
    route: Route
    reads_body: bool = False
    websocket: bool = False


def resolve_doors(app: App, settings: AdapterSettings) -> dict[tuple[int, str], Door]:
    """A door for every route and method of `app`, by (id of the route, method); raises `ConfigurationError`."""
    return dict(_Resolver(app, settings).doors())


class _Resolver:
    def __init__(self, app: App, settings: AdapterSettings) -> None:
        self._routes: list[Route] = list(app.router.routes)
        self._groups = {id(route): group for group in app.router.groups.values() for route in group}
        self._prefix = f"{app.name}."
        self._default = settings.default
        self._public_routes = settings.public_routes
        self._public_blueprints = settings.public_blueprints
        self._blueprints = {id(route): bp for bp in app.blueprints.values() for route in bp.routes}
        self._registered: dict[str, Blueprint] = app.blueprints
        self._check_names()
        self._handled = {id(route.handler) for route in self._routes}

    def doors(self) -> Iterator[tuple[tuple[int, str], Door]]:
        for route in self._routes:
            self._check_swallowed(route)
            websocket = bool(getattr(route.extra, "websocket", False))
            for method in sorted(route.methods or {"GET"}):
                yield (id(route), method), Door(self._mark(route, method), route, websocket=websocket)

    def _mark(self, route: Route, method: str) -> Mark:
        if automatic(route.handler):
            return self._automatic_mark(route, method)
        view = getattr(route.handler, "view_class", None)
        own = own_mark(getattr(view, method.lower(), None)) if view is not None else None
        return own or self._route_mark(route, view) or self._blueprint_mark(route) or self._default

    def _automatic_mark(self, route: Route, method: str) -> Mark:
        siblings = [r for r in self._groups.get(id(route), ()) if not automatic(r.handler) and _same_host(r, route)]
        if method == "OPTIONS":
            open_to_all = any(self._mark(r, m).kind is Kind.PUBLIC for r in siblings for m in r.methods)
            return public if open_to_all else preflight
        if method == "HEAD":
            return next((self._mark(r, "GET") for r in siblings if "GET" in r.methods), nobody)
        return nobody

    def _route_mark(self, route: Route, view: type | None) -> Mark | None:
        """What is said of the route as a whole: on the handler or the view, by `ctx_auth`, by its name."""
        said: dict[str, Mark] = {}
        if (mark := handler_mark(route.handler)) is not None:
            said["the handler"] = mark
        if view is not None and (mark := own_mark(view)) is not None:
            said["the view"] = mark
        if hasattr(route.ctx, "auth"):
            said["ctx_auth"] = as_mark(route.ctx.auth, f"ctx_auth of route {route.name}")
        if route.name in self._public_routes or route.name.removeprefix(self._prefix) in self._public_routes:
            said["public_routes"] = public
        if len(set(said.values())) > 1:
            marks = ", ".join(f"{mark} by {where}" for where, mark in said.items())
            raise ConfigurationError(f"route {route.name}", f"must have one mark, not {marks}")
        return next(iter(said.values()), None)

    def _blueprint_mark(self, route: Route) -> Mark | None:
        blueprint = self._blueprints.get(id(route))
        if blueprint is None:
            return None
        default = self._blueprint_default(blueprint)
        if blueprint.name not in self._public_blueprints:
            return default
        if default not in (None, public):
            raise ConfigurationError(f"blueprint {blueprint.name}", f"must not be public and {default} at once")
        return public

    def _blueprint_default(self, blueprint: Blueprint) -> Mark | None:
        said: Any = getattr(blueprint.ctx, "auth", None)
        if said is not None:
            return as_mark(said, f"ctx.auth of blueprint {blueprint.name}")
        # Blueprint.copy() leaves ctx behind; a copy must not be open where its original is closed.
        origin = self._registered.get(str(getattr(blueprint, "copied_from", "")))
        return None if origin is None or origin is blueprint else self._blueprint_default(origin)

    def _check_names(self) -> None:
        names = {route.name for route in self._routes}
        names |= {name.removeprefix(self._prefix) for name in names}
        for name in self._public_routes:
            if name not in names:
                raise ConfigurationError("public_routes", f"must name routes of the application; it has no {name!r}")
        for name in self._public_blueprints:
            if name not in self._registered:
                raise ConfigurationError("public_blueprints", f"must name blueprints; the application has no {name!r}")

    def _check_swallowed(self, route: Route) -> None:
        if automatic(route.handler) or handler_mark(route.handler) is not None:
            return
        for function, mark in swallowed_marks(route.handler):
            if id(function) not in self._handled:
                name = getattr(function, "__qualname__", repr(type(function)))
                must = f"must carry the mark of what it wraps ({name} is {mark}): use functools.wraps"
                raise ConfigurationError(f"decorator of route {route.name}", must)


def _same_host(one: Route, other: Route) -> bool:
    return bool(one.requirements.get("host") == other.requirements.get("host"))
