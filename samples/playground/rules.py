"""Who may call what, on both servers, and what one token would be let in to.

Rule of this file: the rules are those of the servers' own code: the Sanic sample's table as its extension resolves it,
and the mapping of the gRPC sample. A verdict is that of the rule itself for the verified caller.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bearward import AuthError, Principal
from bearward.access import Access, Kind, as_access
from bearward.verifier import Verifier
from bearward_grpc import Policy
from bearward_sanic import rules as sanic_rules
from samples.grpc_methods import RULES
from samples.http_server import create_app
from samples.notes import MEMORY
from samples.playground.scene import Scene

__all__ = ["Row", "RulesTable"]


@dataclass(frozen=True, slots=True)
class Row:
    """One operation of one server, and its rule."""

    transport: str
    operation: str
    rule: Access

    def to_dict(self, principal: Principal | None, now: float, refused: AuthError | None) -> dict[str, Any]:
        """For the page; `refused` is why there is no principal."""
        if self.rule.admits_anonymous:
            verdict = None
        elif principal is None:
            verdict = refused
        else:
            verdict = self.rule.refusal(principal, now)
        if self.rule.kind is Kind.OPTIONAL and refused is not None and refused.code != "credentials_missing":
            verdict = refused
        return {
            "transport": self.transport,
            "operation": self.operation,
            "rule": _words(self.rule),
            "admitted": verdict is None,
            "code": None if verdict is None else verdict.code,
        }


class RulesTable:
    """Every row, HTTP first."""

    def __init__(self, scene: Scene) -> None:
        app = create_app(str(scene.own_config), MEMORY)
        http = [Row("HTTP", f"{method} {_path(app, name)}", rule) for (name, method), rule in sanic_rules(app).items()]
        policy = Policy(RULES, reflection=True)
        grpc = [Row("gRPC", name, policy.find(name)) for name in RULES]
        known = {"/grpc.health.v1.Health/Check", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"}
        grpc += [Row("gRPC", name, as_access(policy.find(name), name)) for name in sorted(known)]
        self.rows: tuple[Row, ...] = (*sorted(http, key=lambda row: row.operation.split(" ")[::-1]), *grpc)

    def access(self, method: str, path: str) -> Access:
        """The rule of an HTTP route."""
        return next(row.rule for row in self.rows if row.operation == f"{method} {path}")

    def for_caller(
        self, principal: Principal | None, verifier: Verifier, refused: AuthError | None
    ) -> list[dict[str, Any]]:
        """The table with the verdicts for this caller."""
        return [row.to_dict(principal, verifier.now(), refused) for row in self.rows]


def _words(rule: Access) -> str:
    """`any valid token`, `scope notes:read`."""
    if rule.requirement is not None:
        scopes = rule.requirement.scopes
        return f"scope {' and '.join(scopes)}" if scopes else repr(rule.requirement)
    return {Kind.PUBLIC: "anyone", Kind.OPTIONAL: "anyone", Kind.REQUIRED: "any valid token"}.get(rule.kind, "no one")


def _path(app: Any, name: str) -> str:
    for route in app.router.routes:
        if route.name == name:
            return f"/{route.path.lstrip('/')}"
    return name
