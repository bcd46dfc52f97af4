"""Token exchange (RFC 8693): the next service gets a token of its own, in the name of the caller that is being served."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest

from bearward import ConfigurationError, TrustedIssuer, Verifier, actor_is, requires
from bearward.client_credentials.grant import Grant, TokenUnavailableError, parse_token_response
from bearward.errors import UsageError
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated, client
from bearward_grpc.client.held_token import HeldToken
from tests.adapters.grpc.calls import TIMEOUT, bearer, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import SERVICE, Running, serving

NEXT = "https://next.example"


@pytest.fixture(scope="module")
def login() -> Iterator[LocalIssuer]:
    """An issuer that knows the service in the middle."""
    with LocalIssuer(algorithms=["ES256"], clients={"middle": "s3cret"}) as local:
        yield local


@pytest.fixture
def next_service(login: LocalIssuer) -> Iterator[Running]:
    """It takes tokens that are meant for it, and only those by which the service in the middle acts."""
    with serving(
        "aio", Verifier(TrustedIssuer(login.url, audience=NEXT)), {SERVICE: requires(actor_is("middle"))}
    ) as running:
        yield running


def exchange_at(login: LocalIssuer, **settings: Any) -> client.TokenExchange:
    """For the next service."""
    given = {"client_id": "middle", "client_secret": "s3cret", "audience": NEXT, **settings}
    return client.TokenExchange(login.token_endpoint, **given)


def relaying(next_service: Running, source: Any) -> Callable[[Any], dict[str, Any]]:
    """A handler that asks the next service in its caller's name."""

    def behaviors(_: Any) -> dict[str, Any]:
        def relay(request: bytes, _: Any) -> bytes:
            channel: Any
            with client.channel(next_service.target, source) as channel:
                answer: bytes = channel.unary_unary(path("UU"))(request, timeout=TIMEOUT)
                return answer

        return {"UU": relay}

    return behaviors


def ask(front: Running, token: str) -> bytes:
    """Call the service in the middle."""
    channel: Any
    with grpc.insecure_channel(front.target) as channel:
        answer: bytes = channel.unary_unary(path("UU"))(b"hi", metadata=bearer(token), timeout=TIMEOUT)
        return answer


def test_next_service_sees_the_caller_and_who_acts_for_it(login: LocalIssuer, next_service: Running) -> None:
    """Its subject is the caller, its actor the service in the middle; each caller's token is exchanged once."""
    source = exchange_at(login)
    ada, eve = login.mint(sub="ada"), login.mint(sub="eve")
    fetched = login.requests("/token")
    with serving("sync", trust(login), {SERVICE: authenticated}, behaviors=relaying(next_service, source)) as front:
        assert [ask(front, token) for token in (ada, eve, ada, eve)] == [b"ada:hi", b"eve:hi", b"ada:hi", b"eve:hi"]
    assert login.requests("/token") == fetched + 2
    assert "2 callers" in repr(source)


def test_number_of_callers_is_bounded(login: LocalIssuer, next_service: Running) -> None:
    """The least recently used is exchanged again."""
    source = exchange_at(login, max_callers=1)
    ada, eve = login.mint(sub="ada"), login.mint(sub="eve")
    fetched = login.requests("/token")
    with serving("sync", trust(login), {SERVICE: authenticated}, behaviors=relaying(next_service, source)) as front:
        for token in (ada, ada, eve, ada):
            ask(front, token)
    assert login.requests("/token") == fetched + 3
    assert "1 callers" in repr(source)


def test_exchange_needs_a_verified_caller(login: LocalIssuer) -> None:
    """Outside a call there is nobody to act for."""
    with pytest.raises(UsageError):
        exchange_at(login).token()


INVALID: dict[str, dict[str, Any]] = {
    "audience": {"audience": None},
    "max_callers": {"max_callers": 0},
    "scopes": {"scopes": "notes:read"},
    "client_id": {"client_secret": ""},
}


@pytest.mark.parametrize("setting", INVALID)
def test_invalid_exchange_setting_is_named(login: LocalIssuer, setting: str) -> None:
    """When the source is made."""
    with pytest.raises(ConfigurationError) as caught:
        exchange_at(login, **INVALID[setting])
    assert caught.value.setting == setting


@pytest.mark.parametrize(
    "issued", [None, "urn:ietf:params:oauth:token-type:id_token", "urn:ietf:params:oauth:token-type:refresh_token", 1]
)
def test_only_an_access_token_is_taken(issued: Any) -> None:
    """RFC 8693 section 2.2.1: the response must say what it issued."""
    body = {"access_token": "abc", "token_type": "Bearer", "issued_token_type": issued}
    with pytest.raises(TokenUnavailableError, match="no access token"):
        parse_token_response(200, json.dumps(body).encode(), issued_token_type=True)
    good = {**body, "issued_token_type": "urn:ietf:params:oauth:token-type:access_token"}
    assert parse_token_response(200, json.dumps(good).encode(), issued_token_type=True).token == "abc"


class _Held:
    """A source whose token is given."""

    def __init__(self, token: str) -> None:
        self._token = token

    def token(self) -> str:
        """The token."""
        return self._token

    async def token_async(self) -> str:
        """The token."""
        return self._token

    def invalidate(self, _: str) -> bool:
        """There is no other."""
        return False


def test_actor_and_the_chain_before_it(login: LocalIssuer) -> None:
    """RFC 8693 section 4.1: `actor_token` names the current actor, and the one before stays below it."""
    seen: list[str] = []
    source = exchange_at(login, actor=_Held(login.mint(sub="robot")))

    def behaviors(_: Any) -> dict[str, Any]:
        def handler(request: bytes, _: Any) -> bytes:
            seen.append(source.token())
            return request

        return {"UU": handler}

    with serving("sync", trust(login), {SERVICE: authenticated}, behaviors=behaviors) as front:
        ask(front, login.mint(sub="ada", act={"sub": "gateway"}))
    principal = Verifier(TrustedIssuer(login.url, audience=NEXT, jwks=login.keys.jwks())).verify_now(seen[0])
    assert (principal.subject, principal.client_id) == ("ada", "middle")
    assert [actor.subject for actor in principal.actors] == ["robot", "gateway"]


REFUSED: dict[str, dict[str, str]] = {
    "no subject": {},
    "a subject that is no token": {"subject_token": "abc"},
    "another type of subject": {"subject_token_type": "urn:ietf:params:oauth:token-type:saml2"},
    "an actor that is no token": {"actor_token": "abc"},
}


@pytest.mark.parametrize("name", REFUSED)
def test_issuer_refuses_an_exchange_of_what_it_did_not_sign(login: LocalIssuer, name: str) -> None:
    """The local issuer verifies what it is handed: section 2.2.2, `invalid_request`."""
    kind = "urn:ietf:params:oauth:token-type:access_token"
    good = {"subject_token": login.mint(), "subject_token_type": kind, "actor_token_type": kind}
    fields = {**good, **REFUSED[name]}
    if name == "no subject":
        del fields["subject_token"]
    request = exchange_at(login)._request
    with pytest.raises(TokenUnavailableError, match="invalid_request"):
        request.ask("urn:ietf:params:oauth:grant-type:token-exchange", fields)


def test_refused_token_is_forgotten_by_a_thread_that_serves_no_call(login: LocalIssuer) -> None:
    """As grpc tells of a call's end: whose it was is not known there."""
    source = exchange_at(login)
    held = HeldToken(lambda: Grant("t", 60.0), refresh_margin=1.0, monotonic=time.monotonic)
    source._held[b"of a caller"] = held
    assert held.token() == "t"
    assert source.invalidate("t")
    assert held._current() is None


def test_token_that_no_thread_could_fetch_is_asked_for_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system without threads for a moment fails one call, and no later one."""
    held = HeldToken(lambda: Grant("t", 60.0), refresh_margin=1.0, monotonic=time.monotonic)

    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", none)
        with pytest.raises(TokenUnavailableError):
            held.token()
    assert held.token() == "t"
