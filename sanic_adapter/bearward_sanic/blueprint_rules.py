"""Blueprint defaults: which blueprint a route belongs to, and its rule for routes without their own.

Rules of this file: static files belong to their blueprint, although Sanic does not list them there. A copy of a
blueprint has the default of its original; if the original cannot be found, the copy's routes are denied, since its
default is unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanic import Blueprint

from bearward import ConfigurationError
from bearward.access import Access, as_access, deny
from bearward_sanic.context import App

__all__ = ["BlueprintRules"]


class BlueprintRules:
    """The blueprints of an application; `named` are the rules by name (`"admin.*"` for a whole blueprint)."""

    def __init__(self, app: App, named: Mapping[str, Access]) -> None:
        self._registered: dict[str, Blueprint] = app.blueprints
        self._named = named
        self._by_route = {id(route): blueprint for blueprint in app.blueprints.values() for route in blueprint.routes}
        self._by_static_name = {
            app.generate_name(future.name): blueprint
            for blueprint in app.blueprints.values()
            for future in blueprint._future_statics  # noqa: SLF001  (`Blueprint.routes` leaves static files out)
        }

    def patterns(self) -> set[str]:
        """The names by which rules can refer to a blueprint."""
        return {f"{name}.*" for name in self._registered}

    def rule(self, route: Any) -> Access | None:
        """What the blueprint of `route` says; None for none. Raises `ConfigurationError`."""
        blueprint = self._by_route.get(id(route))
        if blueprint is None and route.extra.static:
            blueprint = self._by_static_name.get(route.name)
        return None if blueprint is None else self._default(blueprint)

    def _default(self, blueprint: Blueprint) -> Access | None:
        named = self._named.get(f"{blueprint.name}.*")
        said: Any = getattr(blueprint.ctx, "auth", None)
        if said is None:
            return self._inherited(blueprint) if named is None else named
        own = as_access(said, f"ctx.auth of blueprint {blueprint.name}")
        if named is not None and named != own:
            must = f"must have one rule, not {own} by ctx.auth and {named} by rules"
            raise ConfigurationError(f"blueprint {blueprint.name}", must)
        return own

    def _inherited(self, blueprint: Blueprint) -> Access | None:
        """`Blueprint.copy` leaves `ctx` behind, unless it is told otherwise."""
        name = getattr(blueprint, "copied_from", "")
        if not name:
            return None
        origin = self._registered.get(name)
        if origin is None or origin is blueprint or _handlers(origin).isdisjoint(_handlers(blueprint)):
            return deny
        return self._default(origin)


def _handlers(blueprint: Blueprint) -> set[int]:
    """The ids of what a blueprint serves, which copies share."""
    return {id(future.handler) for future in blueprint._future_routes}  # noqa: SLF001
