"""Tokens that are bound to a certificate (RFC 8705) are worth something to its holder alone, over mutual TLS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from bearward.testing import LocalIssuer
from bearward_grpc import authenticated
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.certificates import Authority
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Running, async_echo, serving, sync_echo

RULES = {SERVICE: authenticated}
SERVED = [shape for shape in SHAPES if shape != "unknown method"]
FORMS = [*KINDS, "aio with plain functions"]


@pytest.fixture(scope="module")
def authority() -> Authority:
    """Who certifies both sides."""
    return Authority()


@pytest.fixture(scope="module", params=FORMS)
def server(request: pytest.FixtureRequest, issuer: LocalIssuer, authority: Authority) -> Iterator[Running]:
    """A server with mutual TLS that accepts bound tokens."""
    kind = request.param.partition(" ")[0]
    echo = sync_echo if kind == "sync" or "plain" in request.param else async_echo
    credentials = authority.server(mutual=True)
    with serving(
        kind, trust(issuer), RULES, behaviors=echo, credentials=credentials, certificate_bound=True
    ) as running:
        yield running


def _confirmed(issuer: LocalIssuer, confirmation: Any) -> Any:
    return bearer(issuer.mint(sub="ada", claims={"cnf": confirmation}))


@pytest.mark.parametrize("shape", SERVED)
def test_certificate_bound_token_needs_its_certificate(
    shape: str, server: Running, issuer: LocalIssuer, authority: Authority
) -> None:
    """The right certificate, another one, and a binding that nothing here can check; unbound tokens as ever."""
    own, other = authority.certify("ada"), authority.certify("mallory")
    bound = _confirmed(issuer, {"x5t#S256": own.thumbprint})
    rows = [
        (own, bound, None),
        (other, bound, "token_sender_constrained"),
        (own, _confirmed(issuer, {"jkt": "a-key-of-DPoP"}), "token_sender_constrained"),
        (own, _confirmed(issuer, "nonsense"), "token_sender_constrained"),
        (other, bearer(issuer.mint(sub="ada")), None),
    ]
    for certified, metadata, refusal in rows:
        ran = len(server.seen.callers)
        with grpc.secure_channel(server.target, authority.client(certified)) as channel:
            outcome = SHAPES[shape](channel, metadata)
        assert outcome.code == refusal
        if refusal is None:
            assert outcome.messages[0].startswith(b"ada")
        else:
            assert outcome.status is grpc.StatusCode.UNAUTHENTICATED
            assert len(server.seen.callers) == ran


@pytest.mark.parametrize("kind", KINDS)
def test_bound_tokens_are_refused_by_default(kind: str, issuer: LocalIssuer, authority: Authority) -> None:
    """Before the body: the adapter proves nothing, so the core refuses."""
    bound = _confirmed(issuer, {"x5t#S256": authority.certify("ada").thumbprint})
    with serving(kind, trust(issuer), RULES) as server, channel_to(server.target) as channel:
        assert SHAPES["unary-unary"](channel, bound).code == "token_sender_constrained"
        assert server.seen.bodies == []


@pytest.mark.parametrize("kind", KINDS)
def test_bound_token_is_refused_over_plaintext(kind: str, issuer: LocalIssuer, authority: Authority) -> None:
    """A bound token proves nothing without mutual TLS."""
    bound = _confirmed(issuer, {"x5t#S256": authority.certify("ada").thumbprint})
    with (
        serving(kind, trust(issuer), RULES, certificate_bound=True) as server,
        channel_to(server.target) as channel,
    ):
        for shape in SERVED:
            assert SHAPES[shape](channel, bound).code == "token_sender_constrained"
        assert server.seen.callers == []
