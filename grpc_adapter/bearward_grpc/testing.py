"""For tests of a gRPC service: another verifier for an interceptor that was built at import, and a policy as a table.

Rules of this file: never imported by the adapter itself; nothing is patched. What `bearward.testing` has for every
framework (`acting_as`, `LocalIssuer`, `MovableClock`) is there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from bearward.errors import AuthError
from bearward.testing.closing import close_verifier, fetch_keys
from bearward.testing.policy_matrix import Caller, PolicyMatrix, default_callers
from bearward.verifier import Verifier
from bearward_grpc.aio.interceptor import AuthInterceptor
from bearward_grpc.method_rules.policy import Policy, Rule
from bearward_grpc.method_rules.startup_check import Registered, rules
from bearward_grpc.status import status_of
from bearward_grpc.threads.interceptor import SyncAuthInterceptor

__all__ = ["policy_matrix", "use_verifier"]

Interceptor = TypeVar("Interceptor", AuthInterceptor, SyncAuthInterceptor)


@contextmanager
def use_verifier(interceptor: Interceptor, verifier: Verifier) -> Iterator[Interceptor]:
    """Within the block `interceptor` judges new calls by `verifier`, which is closed at its end; its server may run.

    Calls that were admitted before go on by the verifier that admitted them.
    """
    other: Any = type(interceptor)(verifier, **interceptor.given)
    if isinstance(other, SyncAuthInterceptor):
        other.background.start(wait=None)
    else:
        fetch_keys(verifier)
    held: dict[str, Any] = vars(interceptor)
    before = dict(held)
    held.update(vars(other))
    try:
        yield interceptor
    finally:
        held.update(before)
        if isinstance(other, SyncAuthInterceptor):
            other.background.stop()
        else:
            close_verifier(verifier)


def policy_matrix(
    policy: Policy | Mapping[str, Rule] | AuthInterceptor | SyncAuthInterceptor,
    *registered: Registered,
    callers: Mapping[str, Caller] | None = None,
    now: float = 0.0,
) -> PolicyMatrix:
    """Who may call which of the `registered` methods (what `rules` takes: `add_NotesServicer_to_server`, names, …).

    `policy` is a policy, the mapping of which one is built, or an interceptor that has one.
    `callers` are principals by name (by default one without credentials, one without scopes, and one for each scope that
    a rule names); `now` is for rules that depend on time. No server runs and no method is called.

    >>> from bearward import authenticated
    >>> print(policy_matrix({"notes.v1.Notes": authenticated}, "/notes.v1.Notes/List"))
    # Who may call what, as bearward decides it. If a change is intended: pytest --bearward-update
    <BLANKLINE>
    anonymous          no scope
    UNAUTHENTICATED    ok                 /notes.v1.Notes/List: authenticated
    <BLANKLINE>
    """
    decided = rules(policy if isinstance(policy, Policy | Mapping) else policy.policy, *registered)
    return PolicyMatrix(decided, callers or default_callers(decided.values()), _word, now)


def _word(error: AuthError | None) -> str:
    return "ok" if error is None else status_of(error.refusal).name
