"""`acting_as`: calls without credentials are made by whom a test says, so that rules can be tried without an issuer.

Rule of this file: it cannot be left on. It works only while a test of pytest runs, ends with its block, and can be
requested by no setting; anything else has to say `unsafe_outside_a_test=True`.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from bearward.clock import Clock, SystemClock
from bearward.errors import UsageError
from bearward.principal import Principal
from bearward.stand_in import unsafe_set_stand_in

__all__ = ["acting_as", "principal_with"]

_LOG: Final = logging.getLogger("bearward.testing")
_RUNNING_TEST: Final = "PYTEST_CURRENT_TEST"
"""Set by pytest, in its own process, while it runs a test or its fixtures."""


def principal_with(**claims: Any) -> Principal:
    """A principal with these claims, beside an `iss` and a `sub`; no token and no issuer stand behind it.

    >>> principal_with(sub="ada", scope="notes:read").scopes
    frozenset({'notes:read'})
    """
    honest = {"iss": "https://issuer.example", "sub": "subject", "client_id": "client"}
    return Principal({**honest, **claims}, key_thumbprint="none: made by a test")


@contextmanager
def acting_as(
    principal: Principal | None = None,
    /,
    *,
    clock: Clock | None = None,
    unsafe_outside_a_test: bool = False,
    **claims: Any,
) -> Iterator[Principal]:
    """Within the block every call without credentials is made by `principal`, or by one with these claims.

    Rules are judged as always: who lacks a scope is refused. So are credentials that a call does bring. It applies to all
    applications and servers of this process, on every thread and event loop, and to marked functions that are called
    directly. Streams end at the principal's `exp`, by the verifier's clock. `clock` is for rules of functions that are
    called directly.

    Raises `UsageError` unless a test of pytest is running; another runner says `unsafe_outside_a_test=True`.

    >>> from bearward import requires, scope
    >>> @requires(scope("notes:read"))
    ... def notes():
    ...     return "notes"
    >>> with acting_as(sub="ada", scope="notes:read", unsafe_outside_a_test=True):
    ...     notes()
    'notes'
    """
    if not unsafe_outside_a_test and _RUNNING_TEST not in os.environ:
        raise UsageError(
            "acting_as lets calls in without credentials, so it works only while pytest runs a test; under another test "
            "runner say unsafe_outside_a_test=True, and never do so in a service"
        )
    if unsafe_outside_a_test:
        _LOG.warning("acting_as is on: every call without credentials is let in as a test's principal")
    caller = principal_with(**claims) if principal is None else principal
    if principal is not None and claims:
        raise UsageError("acting_as takes a principal or claims, not both")
    end = unsafe_set_stand_in(caller, (clock or SystemClock()).now)
    try:
        yield caller
    finally:
        end()
