"""Commands that ask an issuer give up in time, however slowly it responds."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from bearward import TrustedIssuer
from bearward.command_line import token
from bearward.command_line.doctor_issuer import look_at_issuer
from bearward.command_line.ending import CommandError, ExitCode
from bearward.jwks.options import JWKSOptions
from bearward.testing import LocalIssuer
from bearward.testing.exchange import Response
from tests.conftest import Run


def trickle() -> Iterator[bytes]:
    """An octet ten times a second, for ten seconds."""
    for _ in range(100):
        time.sleep(0.1)
        yield b" "


def test_metadata_that_never_end_are_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bearward token --issuer`: each octet comes within the limits of a step."""
    monkeypatch.setattr(token, "_TIMEOUT", 0.5)
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        issuer.serve("/.well-known/openid-configuration", Response(trickle()))
        with pytest.raises(CommandError, match="timed out") as refused:
            run(token._discovered(issuer.url))
    assert refused.value.code is ExitCode.UNAVAILABLE


def test_name_that_is_never_resolved_is_given_up(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """`bearward doctor` says so, and does not wait for the name server."""
    hanging = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: hanging.wait(60) and [])
    options = JWKSOptions(total_timeout=0.5)
    trusted = TrustedIssuer("https://login.example", audience="https://api.example", jwks_options=options)
    try:
        first, *others = run(look_at_issuer(trusted))
    finally:
        hanging.set()
    assert (first.verdict, "cannot be resolved" in first.said) == ("wrong", True)
    assert {other.verdict for other in others} == {"not reached"}
