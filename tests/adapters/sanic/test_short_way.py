"""A token at first sight, on a route that any verified token opens: decided shortly, and as in the usual way."""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sanic import HTTPResponse, Request
from sanic.response import text

from bearward import TrustedIssuer, Verifier, placed_form
from bearward.jose import compact
from bearward.testing import LocalIssuer, MovableClock
from bearward_sanic import authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

ISSUER = "https://login.example"


@pytest.fixture(scope="module")
def issuer() -> LocalIssuer:
    """Signs; nobody fetches from it."""
    return LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=ISSUER)


@pytest.fixture
def clock() -> MovableClock:
    """It stands still unless a test moves it, a little after all that is signed."""
    return MovableClock(int(time.time()) + 5)


@pytest.fixture
def ask(issuer: LocalIssuer, clock: MovableClock) -> Iterator[Callable[..., tuple[int, str]]]:
    """`ask(authorization, method)`, all on one connection: the status, and the caller or the challenge's error."""
    policy = TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=issuer.keys.jwks())
    verifier = Verifier(policy, clock=clock)
    app = make_app("short-way")

    async def who(request: Request) -> HTTPResponse:
        return text(request.ctx.principal.subject)

    app.add_route(who, "/", methods=["GET", "POST"])
    install(app, verifier, default=authenticated)
    with Serving(app) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)

        def one(value: str, method: str = "GET") -> tuple[int, str]:
            connection.request(method, "/", body=b"{}" if method == "POST" else None, headers={"Authorization": value})
            response = connection.getresponse()
            body = response.read().decode()
            return response.status, body if response.status == 200 else str(response.headers["www-authenticate"])

        yield one
        connection.close()


@pytest.fixture
def taken_apart(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens that were verified, and not recognized."""
    tokens: list[str] = []
    parse = compact.parse_compact

    def counted(token: str) -> Any:
        tokens.append(token)
        return parse(token)

    monkeypatch.setattr(placed_form, "parse_compact", counted)
    return tokens


def _values(issuer: LocalIssuer) -> dict[str, str]:
    good = issuer.mint(sub="ada")
    return {
        "good": f"Bearer {good}",
        "another case": f"bearer {good}",
        "more spaces": f"Bearer   {good}",
        "expired": f"Bearer {issuer.mint(expires_in=-60)}",
        "for others": f"Bearer {issuer.mint(aud='https://other.example')}",
        "another signature": f"Bearer {good[:-8]}AAAAAAAA",
        "no token": "Bearer ",
        "two tokens": f"Bearer {good} {good}",
        "characters of no token": f"Bearer {good[:-4]}%%%%",
        "too long": "Bearer " + "e" * 17_000,
        "another scheme": "Basic dTpw",
        "no scheme": good,
        "a token of another scheme": f"Token {good}",
        "garbage": "Bearer eyJ.e30.x",
    }


NAMES = (*_values(LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=ISSUER)),)


@pytest.mark.parametrize("name", NAMES)
def test_short_way_gives_the_response_of_the_usual_way(
    name: str, issuer: LocalIssuer, ask: Callable[..., tuple[int, str]]
) -> None:
    """A request with a body goes the usual way: both give the same status, caller and challenge, at first sight and later."""
    value = _values(issuer)[name]
    if name == "too long":  # Sanic itself refuses a head of more than 16 KiB
        value = value[:15_000]
    short = [ask(value) for _ in range(3)]  # first, since the usual way remembers what it has seen
    usual = ask(value, "POST")
    assert short == [usual] * 3
    assert ask(value) == usual
    assert ask(f"Bearer {issuer.mint(sub='eve')}") == (200, "eve")
    assert ask(value) == usual


@pytest.mark.parametrize("name", ["expired", "for others", "another signature", "garbage"])
def test_refused_token_is_verified_once(
    name: str, issuer: LocalIssuer, ask: Callable[..., tuple[int, str]], taken_apart: list[str]
) -> None:
    """A refusal that the short way finds is the refusal: the usual way does not look again."""
    value = _values(issuer)[name]
    assert ask(value)[0] == 401
    assert taken_apart == [value.removeprefix("Bearer ")]


@pytest.mark.parametrize("name", ["expired", "another signature"])
def test_refusal_that_stays_true_costs_one_verification_a_second(
    name: str,
    issuer: LocalIssuer,
    ask: Callable[..., tuple[int, str]],
    clock: MovableClock,
    taken_apart: list[str],
) -> None:
    """A client that asks again and again is refused from memory, by either way, and is verified again after a second."""
    value = _values(issuer)[name]
    first = ask(value)
    assert [ask(value), ask(value, "POST"), ask(value)] == [first] * 3
    assert len(taken_apart) == 1
    clock.advance(1)
    assert [ask(value), ask(value)] == [first] * 2
    assert len(taken_apart) == 2


def test_token_that_comes_again_is_recognized(
    issuer: LocalIssuer, ask: Callable[..., tuple[int, str]], taken_apart: list[str]
) -> None:
    """Each token is verified at first sight and never again, whatever came before it on the connection."""
    tokens = [issuer.mint(sub=f"caller-{number}") for number in range(3)]
    for number in (0, 1, 2, 2, 2, 2, 0, 0, 1, 2):
        assert ask(f"Bearer {tokens[number]}") == (200, f"caller-{number}")
    assert taken_apart == tokens


def test_limit_of_a_tokens_length_is_the_same_in_both_ways(issuer: LocalIssuer) -> None:
    """A token of exactly `max_token_length` characters is accepted, and one character more is refused as too large."""
    token = issuer.mint(sub="ada")
    verifier = Verifier(TrustedIssuer(ISSUER, audience=AUDIENCE, jwks=issuer.keys.jwks()))
    for longer, status in ((0, 200), (1, 401)):
        app = make_app("limit")
        app.add_route(_empty, "/", methods=["GET", "POST"])
        install(app, verifier, default=authenticated, max_token_length=len(token) - longer)
        with Serving(app) as server:
            for method in ("GET", "POST", "GET"):
                answer = server.call(method, "/", token=token, body=b"{}" if method == "POST" else None)
                assert answer.status == status
                assert status == 200 or answer.problem["code"] == "token_too_large"


def test_scheme_as_long_as_bearer_is_another_scheme(issuer: LocalIssuer, ask: Callable[..., tuple[int, str]]) -> None:
    """A good token behind it is refused in both ways."""
    value = f"Opaque {issuer.mint(sub='ada')}"
    assert [ask(value)[0] for _ in range(3)] == [401] * 3
    assert ask(value, "POST")[0] == 401


async def _empty(request: Request) -> HTTPResponse:
    return text("")
