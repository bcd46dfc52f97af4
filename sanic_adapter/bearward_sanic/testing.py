"""For tests of a Sanic application: another verifier for one that was built at import, and its policy as a table.

Rules of this file: never imported by the adapter itself; nothing is patched. What `bearward.testing` has for every
framework (`acting_as`, `LocalIssuer`, `MovableClock`) is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from bearward import Verifier
from bearward.access import Access
from bearward.errors import AuthError, UsageError
from bearward.testing.policy_matrix import Caller, PolicyMatrix, default_callers
from bearward_sanic.context import App
from bearward_sanic.extension import guard_of
from bearward_sanic.mark_discovery import is_generated
from bearward_sanic.problem_response import STATUS

__all__ = ["policy_matrix", "use_verifier"]


@contextmanager
def use_verifier(app: App, verifier: Verifier) -> Iterator[App]:
    """Within the block `app` verifies tokens by `verifier`, whatever it was installed with.

    Enter it before the server starts (a client of sanic-testing starts one for each call, `ReusableClient` once). Raises
    `UsageError` if it runs, `ConfigurationError` for an application that is not guarded.
    """
    guard = guard_of(app)
    if guard.runs:
        raise UsageError("the server runs: use another verifier before it starts")
    before = guard.replace_verifier(verifier)
    try:
        yield app
    finally:
        guard.replace_verifier(before)


def policy_matrix(
    app: App,
    callers: Mapping[str, Caller] | None = None,
    *,
    now: float = 0.0,
    parameters: Mapping[str, Any] | None = None,
) -> PolicyMatrix:
    """Who may call which route of `app` by which method; no server runs and no handler is called.

    `callers` are principals by name (by default one without credentials, one without scopes, and one for each scope that
    a rule names); `parameters` are those of the path, for rules that depend on one; `now` is for rules that depend on
    time. What Sanic adds by itself (HEAD, OPTIONS) follows the route beside it and is left out. Raises
    `ConfigurationError` for everything that would prevent the start.
    """
    rules: dict[str, Access] = {}
    for (_, method), rule in guard_of(app).current_rules().items():
        if rule.route is not None and not is_generated(rule.route.handler):
            kind = "WEBSOCKET" if rule.websocket else method
            rules[f"{kind} /{rule.route.path.lstrip('/')} ({rule.route.name})"] = rule.access
    ordered = dict(sorted(rules.items(), key=lambda item: item[0].split()[1::-1]))
    return PolicyMatrix(ordered, callers or default_callers(ordered.values()), _word, now, parameters)


def _word(error: AuthError | None) -> str:
    return "ok" if error is None else str(STATUS[error.refusal].value)
