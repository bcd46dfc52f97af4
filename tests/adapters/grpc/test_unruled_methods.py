"""Methods that nobody ruled on are named in the log where a server was not checked when it started."""

from __future__ import annotations

import logging

import pytest

from bearward import scope
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated, deny, public
from tests.adapters.grpc.calls import SHAPES, Channel, bearer, channel_to, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, serving


def _lines(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.name == "bearward.grpc"]


@pytest.mark.parametrize("kind", KINDS)
def test_method_without_a_rule_is_logged_once(kind: str, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture) -> None:
    """At the first verified caller, with what to do; anonymous callers cause no line."""
    with serving(kind, trust(issuer), {"lab.v1.Other": public}) as server, channel_to(server.target) as channel:
        SHAPES["unary-unary"](channel, ())
        assert _lines(caplog) == []
        for _ in range(3):
            assert SHAPES["unary-unary"](channel, bearer(issuer.mint())).code == "no_rule"
        (line,) = _lines(caplog)
    assert path("UU") in line
    assert "default=authenticated" in line


@pytest.mark.parametrize("kind", ["aio", "sync"])
@pytest.mark.parametrize("rule", [deny, scope("other")])
def test_method_with_a_rule_is_not_reported(
    rule: object, kind: str, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """A refusal that somebody meant is not logged."""
    with serving(kind, trust(issuer), {SERVICE: rule}) as server, channel_to(server.target) as channel:  # type: ignore[dict-item]
        assert SHAPES["unary-unary"](channel, bearer(issuer.mint(scope="echo"))).code in {
            "no_rule",
            "scope_insufficient",
        }
    assert _lines(caplog) == []


def test_made_up_method_names_cannot_flood_the_log(issuer: LocalIssuer, caplog: pytest.LogCaptureFixture) -> None:
    """Names that a caller made up cause 32 lines at most, and each is cut."""

    def call(channel: Channel, name: str) -> None:
        stub = channel.unary_unary(f"/{name}/M")
        assert stub.future(b"", metadata=bearer(issuer.mint()), timeout=30).exception(30) is not None

    with (
        serving("aio", trust(issuer), {SERVICE: authenticated}) as server,
        channel_to(server.target) as channel,
        caplog.at_level(logging.WARNING),
    ):
        for number in range(40):
            call(channel, f"made.up.{number}." + "x" * 300)
    lines = _lines(caplog)
    assert len(lines) == 32
    assert max(map(len, lines)) < 500
