"""Checks of one's own in a rule: the same answers through Sanic, grpc.aio and grpc.server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import grpc
import pytest
from grpc_interceptor import ServerInterceptor
from sanic import HTTPResponse, Request, text

from bearward import Principal, TrustedIssuer, Verifier, own_check, requires
from bearward.dpop import DPoP
from bearward.events import Refused, Verified
from bearward.testing import DPoPClient, LocalIssuer, MovableClock
from bearward_sanic import install
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.sanic.in_process import Serving, make_app
from tests.own_check_cases import BOTH, CASES, OWNER, WHO, is_ada_in_store, named

AUDIENCE = "https://api.example"
TIMEOUT = 30
HTTP = {None: 200, "internal_error": 500, "check_unavailable": 503, "token_revoked": 401}
GRPC = {
    "internal_error": grpc.StatusCode.INTERNAL,
    "check_unavailable": grpc.StatusCode.UNAVAILABLE,
    "token_revoked": grpc.StatusCode.UNAUTHENTICATED,
}


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Who is trusted."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as made:
        yield made


def trusting(issuer: LocalIssuer, **more: Any) -> Verifier:
    """A verifier that holds the keys."""
    return Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks()), **more)


@pytest.fixture(scope="module")
def http(issuer: LocalIssuer) -> Iterator[Serving]:
    """A route for each rule."""
    app = make_app("own-checks")

    async def told(request: Request, **_: Any) -> HTTPResponse:
        return text(request.ctx.principal.subject)

    for number, case in enumerate(CASES.values()):
        app.add_route(told, f"/{number}", name=f"r{number}", ctx_auth=requires(case.requirement))
    app.add_route(told, "/notes/<note>", name="owner", ctx_auth=requires(OWNER))
    install(app, trusting(issuer))
    with Serving(app) as server:
        yield server


@pytest.mark.parametrize(("name", "who"), WHO)
def test_rule_decides_over_http(http: Serving, issuer: LocalIssuer, name: str, who: str) -> None:
    """By status, code and text of the problem document."""
    answer = http.call("GET", f"/{list(CASES).index(name)}", token=issuer.mint(sub=who, scope="a"))
    code = getattr(CASES[name], who)
    assert answer.status == HTTP.get(code, 403)
    if code is not None:
        problem = json.loads(answer.body)
        assert problem["code"] == code
        assert (problem["detail"] == "only ada may do this") is (code == BOTH)


@pytest.mark.parametrize(("path", "status"), [("/notes/ada", 200), ("/notes/bob", 403)])
def test_check_is_given_parameters_of_the_path(http: Serving, issuer: LocalIssuer, path: str, status: int) -> None:
    """By name; as they are in this request."""
    assert http.call("GET", path, token=issuer.mint(sub="ada", scope="a")).status == status


@pytest.fixture(scope="module", params=["aio", "sync"])
def method(request: pytest.FixtureRequest, issuer: LocalIssuer) -> Iterator[Callable[[str], Any]]:
    """A method for each rule."""
    with ExitStack() as stack:
        channels = {}
        for name, _ in WHO[::2]:
            rules = {SERVICE: requires(CASES[name].requirement)}
            running = stack.enter_context(serving(request.param, trusting(issuer), rules))
            channels[name] = stack.enter_context(grpc.insecure_channel(running.target))
        yield lambda name: channels[name].unary_unary(f"/{SERVICE}/UU")


@pytest.mark.parametrize(("name", "who"), WHO)
def test_rule_decides_over_grpc(method: Callable[[str], Any], issuer: LocalIssuer, name: str, who: str) -> None:
    """By status, code and text."""
    metadata = (("authorization", f"Bearer {issuer.mint(sub=who, scope='a')}"),)
    code = getattr(CASES[name], who)
    if code is None:
        assert method(name)(b"x", metadata=metadata, timeout=TIMEOUT) == who.encode() + b":x"
        return
    with pytest.raises(grpc.RpcError) as caught:
        method(name)(b"x", metadata=metadata, timeout=TIMEOUT)
    call: Any = caught.value
    assert call.code() is GRPC.get(code, grpc.StatusCode.PERMISSION_DENIED)
    assert dict(call.trailing_metadata())["bearward-code"] == code
    assert (call.details() == "only ada may do this") is (code == BOTH)


@pytest.mark.parametrize("kind", ["http", "aio", "sync"])
def test_caller_is_verified_and_reported_once(issuer: LocalIssuer, kind: str) -> None:
    """A proof that was used for the decision is not used again; a check that is awaited costs no second event."""
    client, events = DPoPClient(), list[Any]()
    token, other = (issuer.mint(sub=who, scope="a", cnf=client.cnf) for who in ("ada", "bob"))
    verifier = trusting(issuer, dpop=DPoP(origins=AUDIENCE), observers=[events.append])
    rule = requires(named(is_ada_in_store))
    with ExitStack() as stack:
        if kind == "http":
            app = make_app("own-checks-once")
            app.add_route(lambda request: text("ok"), "/", name="r", ctx_auth=rule)
            server = Serving(app)
            install(app, verifier)
            stack.enter_context(server)

            def call(sent: str) -> str:
                headers = {"authorization": f"DPoP {sent}", "dpop": client.proof("GET", f"{AUDIENCE}/", token=sent)}
                answer = server.call("GET", "/", headers=headers)
                return "ok" if answer.status == 200 else json.loads(answer.body)["code"]
        else:
            running = stack.enter_context(serving(kind, verifier, {SERVICE: rule}))
            channel: Any = stack.enter_context(grpc.insecure_channel(running.target))

            def call(sent: str) -> str:
                proof = client.proof("POST", f"{AUDIENCE}/{SERVICE}/UU", token=sent)
                metadata = (("authorization", f"DPoP {sent}"), ("dpop", proof))
                try:
                    channel.unary_unary(f"/{SERVICE}/UU")(b"", metadata=metadata, timeout=TIMEOUT)
                except grpc.RpcError as error:
                    failed: Any = error
                    return str(dict(failed.trailing_metadata())["bearward-code"])
                return "ok"

        assert [call(token), call(other), call(token)] == ["ok", "not_ada", "ok"]
    decisions = [event for event in events if isinstance(event, Verified | Refused)]
    assert [getattr(event, "code", "ok") for event in decisions] == ["ok", "not_ada", "ok"]
    assert dict(verifier.health().refused) == {"not_ada": 1}


@pytest.mark.parametrize("end", ["token_revoked", "token_expired"])
@pytest.mark.parametrize("kind", ["http", "aio", "sync"])
def test_token_that_ends_while_a_check_is_awaited_lets_nobody_in(issuer: LocalIssuer, kind: str, end: str) -> None:
    """A check may take a minute, and says nothing about the token: that is looked at again."""
    clock = MovableClock(issuer.now())
    verifier, token = trusting(issuer, clock=clock), issuer.mint(sub="ada", jti="ends", expires_in=60)

    async def meanwhile(principal: Principal) -> bool:
        if end == "token_expired":
            clock.advance(61)
        else:
            verifier.revocations.revoke_token(issuer.url, "ends", until=2e9)
        return True

    rule = requires(named(meanwhile))
    with ExitStack() as stack:
        if kind == "http":
            app = make_app(f"own-checks-{end}")
            app.add_route(lambda request: text("ok"), "/", name="r", ctx_auth=rule)
            install(app, verifier)
            answer = stack.enter_context(Serving(app)).call("GET", "/", token=token)
            assert (answer.status, json.loads(answer.body)["code"]) == (401, end)
            return
        running = stack.enter_context(serving(kind, verifier, {SERVICE: rule}))
        channel: Any = stack.enter_context(grpc.insecure_channel(running.target))
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{SERVICE}/UU")(
                b"", metadata=(("authorization", f"Bearer {token}"),), timeout=TIMEOUT
            )
        call: Any = caught.value
        assert dict(call.trailing_metadata())["bearward-code"] == end
        assert running.seen.callers == []


class _Watching(ServerInterceptor):
    """Stands outside of ours, so that a call waits in a worker."""

    def intercept(self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str) -> Any:
        return method(request_or_iterator, context)


def test_many_calls_wait_for_a_check_behind_an_outer_interceptor(issuer: LocalIssuer) -> None:
    """Their callers are verified, so more of them may wait than of strangers: here all workers at once."""
    together = asyncio.Barrier(8)

    async def wait_for_all(principal: Principal) -> bool:
        await together.wait()
        return True

    rules = {SERVICE: own_check(wait_for_all, code="alone")}
    metadata = (("authorization", f"Bearer {issuer.mint(sub='ada')}"),)
    with (
        serving("sync", trusting(issuer), rules, outside=[_Watching()]) as running,
        grpc.insecure_channel(running.target) as channel,
    ):
        method: Any = channel.unary_unary(f"/{SERVICE}/UU")
        calls = [method.future(b"x", metadata=metadata, timeout=TIMEOUT) for _ in range(8)]
        assert [call.result() for call in calls] == [b"ada:x"] * 8
