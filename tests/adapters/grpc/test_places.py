"""Where a proxy puts the tokens of an issuer under a metadata key of its own, beside `authorization`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from bearward import CredentialPlace, JWKSOptions, Principal, TrustedIssuer, Verifier, own_check, scope
from bearward.jwks.options import StartMode
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated, optional, public
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.servers import KINDS, SERVICE, serving

KEY = "x-asserted"
LAZY = JWKSOptions(start=StartMode.LAZY, connect_timeout=60, read_timeout=60, total_timeout=60)
"""The first call fetches the keys, however long that takes."""


@pytest.fixture(scope="module")
def proxy() -> Iterator[LocalIssuer]:
    """Of a proxy in front, whose tokens are elsewhere."""
    with LocalIssuer(algorithms=["ES256"]) as made:
        yield made


def _verifier(issuer: LocalIssuer, proxy: LocalIssuer, **more: Any) -> Verifier:
    place = CredentialPlace(header=KEY)
    return Verifier(
        TrustedIssuer(issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, jwks_options=LAZY),
        TrustedIssuer(
            proxy.url, audience=proxy.audience, jwks_uri=proxy.jwks_uri, jwks_options=LAZY, place=place, **more
        ),
    )


def _ended(channel: Any, metadata: Any) -> str:
    """The refusal's code, or who was let in."""
    outcome = SHAPES["unary-unary"](channel, metadata)
    if outcome.status is grpc.StatusCode.OK:
        return bytes(outcome.messages[0]).decode().partition(":")[0]
    return str(outcome.code)


@pytest.mark.parametrize("kind", KINDS)
def test_each_issuer_s_tokens_count_in_its_own_place(kind: str, issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """From the first call on, which fetches the keys; and never two at once."""
    user, asserted = bearer(issuer.mint(sub="ada")), ((KEY, proxy.mint(sub="bob")),)
    steps: list[tuple[tuple[tuple[str, str], ...], str]] = [
        (asserted, "bob"),
        (user, "ada"),
        (asserted, "bob"),
        ((*user, *asserted), "credentials_repeated"),
        ((*asserted, *user), "credentials_repeated"),
        ((*asserted, *asserted), "credentials_repeated"),
        ((*asserted, ("x-other", "more")), "bob"),
        ((*user, ("x-other", "more")), "ada"),
        (((KEY, issuer.mint(sub="ada")),), "issuer_untrusted"),
        (bearer(asserted[0][1]), "issuer_untrusted"),
        (((KEY, proxy.mint(sub="bob", expires_in=-3600)),), "token_expired"),
        (((KEY, ""),), "credentials_malformed"),
        ((), "credentials_missing"),
    ]
    with (
        serving(kind, _verifier(issuer, proxy), {SERVICE: authenticated}) as server,
        channel_to(server.target) as channel,
    ):
        for metadata, ended in steps:
            assert _ended(channel, metadata) == ended


@pytest.mark.parametrize("kind", KINDS)
def test_rule_applies_to_tokens_in_a_proxy_s_place(kind: str, issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """At the first call, which fetches the keys, and later ones."""
    weak, right = ((KEY, proxy.mint(sub="bob", scope="other")),), ((KEY, proxy.mint(sub="bob", scope="echo")),)
    with (
        serving(kind, _verifier(issuer, proxy), {SERVICE: scope("echo")}) as server,
        channel_to(server.target) as channel,
    ):
        for _ in range(2):
            assert _ended(channel, weak) == "scope_insufficient"
            assert _ended(channel, right) == "bob"


@pytest.mark.parametrize("kind", KINDS)
def test_public_and_optional_methods_beside_a_proxy_s_place(kind: str, issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """A public method looks at no credentials, not even at two; an optional one looks into both places."""
    asserted, both = proxy.mint(sub="bob"), (*bearer("a.b.c"), (KEY, "a.b.c"))
    with serving(kind, _verifier(issuer, proxy), {SERVICE: public}) as server, channel_to(server.target) as channel:
        assert [_ended(channel, metadata) for metadata in ((), ((KEY, "x y"),), both)] == ["nobody"] * 3
    with serving(kind, _verifier(issuer, proxy), {SERVICE: optional}) as server, channel_to(server.target) as channel:
        assert [_ended(channel, metadata) for metadata in ((), ((KEY, asserted),))] == ["nobody", "bob"]
        assert [_ended(channel, metadata) for metadata in (((KEY, "x y"),), both)] == [
            "credentials_malformed",
            "credentials_repeated",
        ]


@pytest.mark.parametrize("kind", KINDS)
def test_awaited_check_of_a_token_in_a_proxy_s_place(kind: str, issuer: LocalIssuer, proxy: LocalIssuer) -> None:
    """The check sees the caller of either place; whose token is good once is verified once for it."""

    async def only_bob(principal: Principal) -> bool:
        return principal.subject == "bob"

    rules = {SERVICE: own_check(only_bob, code="not_bob")}
    verifier = _verifier(issuer, proxy, single_use=True, sender="bearer")
    with serving(kind, verifier, rules) as server, channel_to(server.target) as channel:
        for _ in range(2):
            token = proxy.mint(sub="bob")
            assert _ended(channel, ((KEY, token),)) == "bob"
            assert _ended(channel, ((KEY, token),)) == "token_replayed"
            assert _ended(channel, ((KEY, proxy.mint(sub="eve")),)) == "not_bob"
            assert _ended(channel, bearer(issuer.mint(sub="bob"))) == "bob"
            assert _ended(channel, bearer(issuer.mint(sub="eve"))) == "not_bob"
