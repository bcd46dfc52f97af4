"""The public names of `bearward_sanic`: a change here is a change for users."""

from __future__ import annotations

import inspect

import bearward_sanic
import bearward_sanic.testing

NAMES = """
    Access AdapterSettings Bearward CookieCredentials SocketTickets add_ticket_route authenticated check
    current_principal deny install optional public reauthenticate redact_logs requires rules
"""


def test_names_for_tests_never_change() -> None:
    """What tests of applications import."""
    assert sorted(bearward_sanic.testing.__all__) == ["policy_matrix", "use_verifier"]


def test_public_names_never_change() -> None:
    """A name that users may have imported stays; a new one is written down here. Each is there, and documented."""
    assert sorted(bearward_sanic.__all__) == sorted(NAMES.split())
    for name in bearward_sanic.__all__:
        member = getattr(bearward_sanic, name)
        if inspect.isclass(member) or inspect.isfunction(member):
            assert inspect.getdoc(member), f"{name} has no docstring"
