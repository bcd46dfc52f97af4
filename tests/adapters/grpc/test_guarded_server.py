"""`guarded_server`: a caller is served the short way, by a handler that was wrapped before, and by no other than grpc's own.

The whole suite of this adapter runs on such servers too (`aio-guarded`); what is here is about the short way alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import grpc
import grpc.aio
import pytest

from bearward import CredentialPlace, Revocations, TrustedIssuer, Verifier, own_check, scope
from bearward.adapters import Access
from bearward.errors import AuthError, ConfigurationError
from bearward.events import Event, Refused, Verified
from bearward.refusals import Refusal
from bearward.testing import LocalIssuer, principal_with
from bearward_grpc import AuthInterceptor, authenticated, current_principal, guarded_server, public, requires
from bearward_grpc.aio.door import Door
from bearward_grpc.testing import use_verifier
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import SERVICE, Seen, methods, register, running_loop, serving
from tests.core.tokens import KEY

UNARY = "unary-unary"


@pytest.fixture
def long_ways(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The methods of the calls for which grpc was asked for the handler."""
    asked: list[str] = []
    serve: Callable[..., Any] = Door._serve

    def counted(door: Door, continuation: Any, details: Any, call: Any) -> Any:
        asked.append(details.method)
        return serve(door, continuation, details, call)

    monkeypatch.setattr(Door, "_serve", counted)
    return asked


def policy_of(issuer: LocalIssuer, **more: Any) -> TrustedIssuer:
    """What trusts `issuer`."""
    return TrustedIssuer(issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, **more)


def come_until_known(channel: Any, token: str, long_ways: list[str]) -> None:
    """Call until the short way is taken."""
    for _ in range(20):
        before = len(long_ways)
        assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.OK
        if len(long_ways) == before:
            return
    raise AssertionError("the short way was never taken")


@pytest.mark.parametrize("shape", [name for name in SHAPES if "unary" in name or "stream" in name])
def test_identified_caller_is_served_the_short_way(shape: str, issuer: LocalIssuer, long_ways: list[str]) -> None:
    """Each kind of method, two callers in turn, and grpc is asked for no handler once there are keys."""
    tokens = [(name, issuer.mint(sub=name)) for name in ("ada", "bob")]
    with (
        serving("aio-guarded", trust(issuer), {SERVICE: authenticated}) as server,
        channel_to(server.target) as channel,
    ):
        for _, token in tokens:
            come_until_known(channel, token, long_ways)
        before = len(long_ways)
        for name, token in [*tokens * 3, ("eve", issuer.mint(sub="eve"))]:
            outcome = SHAPES[shape](channel, bearer(token))
            assert outcome.status is grpc.StatusCode.OK
            assert server.seen.callers[-1] == name
        assert len(long_ways) == before


async def _revoke(verifier: Verifier, issuer: LocalIssuer) -> None:
    assert isinstance(verifier.revocations, Revocations)
    verifier.revocations.revoke_subject(issuer.url, "ada", before=verifier.now() + 60)


async def _distrust(verifier: Verifier, issuer: LocalIssuer) -> None:
    await verifier.replace_issuers(
        TrustedIssuer("https://other.example", audience="api", jwks={"keys": [KEY.public_jwk()]})
    )


async def _ask_more(verifier: Verifier, issuer: LocalIssuer) -> None:
    await verifier.replace_issuers(policy_of(issuer, required_claims=("tenant",)))


@pytest.mark.parametrize("change", [_revoke, _distrust, _ask_more])
def test_known_caller_whose_trust_ended_is_refused_at_the_next_call(
    change: Callable[[Verifier, LocalIssuer], Coroutine[Any, Any, None]], issuer: LocalIssuer, long_ways: list[str]
) -> None:
    """Revoked, no longer trusted, or trusted on other terms: what is remembered rests on the same basis as ever."""
    verifier = Verifier(policy_of(issuer), revocations=Revocations())
    with serving("aio-guarded", verifier, {SERVICE: authenticated}) as server, channel_to(server.target) as channel:
        token = issuer.mint(sub="ada")
        come_until_known(channel, token, long_ways)
        server.on_loop(change(verifier, issuer))
        assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.UNAUTHENTICATED


def test_second_authorization_entry_of_a_known_caller_is_refused(issuer: LocalIssuer, long_ways: list[str]) -> None:
    """Whichever of the two is remembered (RFC 6750 section 2: one method of transmission)."""
    with (
        serving("aio-guarded", trust(issuer), {SERVICE: authenticated}) as server,
        channel_to(server.target) as channel,
    ):
        known, other = bearer(issuer.mint()), bearer(issuer.mint(sub="bob"))
        come_until_known(channel, known[0][1].removeprefix("Bearer "), long_ways)
        for both in (known + other, other + known, known + known):
            assert SHAPES[UNARY](channel, both).code == "credentials_repeated"


def test_token_of_a_known_caller_beside_one_in_a_proxys_place_is_refused(
    issuer: LocalIssuer, long_ways: list[str]
) -> None:
    """Where an issuer's tokens come under a key of their own, every call is looked at as a whole."""
    asserter = TrustedIssuer(
        "https://proxy.example",
        audience="api",
        jwks_uri="http://127.0.0.1:9/jwks",
        place=CredentialPlace(header="x-assertion"),
    )
    verifier = Verifier(policy_of(issuer), asserter)
    with serving("aio-guarded", verifier, {SERVICE: authenticated}) as server, channel_to(server.target) as channel:
        token = issuer.mint()
        for _ in range(6):
            assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.OK
        both = (*bearer(token), ("x-assertion", token))
        assert SHAPES[UNARY](channel, both).code == "credentials_repeated"


def test_rule_is_asked_for_each_call_of_a_known_caller(issuer: LocalIssuer, long_ways: list[str]) -> None:
    """A rule may depend on more than the token, so its answer is never remembered."""
    locked: list[bool] = []
    open_hours = own_check(lambda _: not locked, code="closed")
    rules = {SERVICE: requires(scope("echo") & open_hours)}
    with serving("aio-guarded", trust(issuer), rules) as server, channel_to(server.target) as channel:
        token = issuer.mint(scope="echo")
        come_until_known(channel, token, long_ways)
        locked.append(True)
        assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.PERMISSION_DENIED
        locked.clear()
        assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.OK


def test_awaited_check_is_awaited_for_each_call_of_a_known_caller(issuer: LocalIssuer) -> None:
    """It takes the way that can wait."""
    asked: list[str] = []

    async def paid(principal: Any) -> bool:
        asked.append(principal.subject)
        return len(asked) < 6

    rules = {SERVICE: requires(own_check(paid, code="not_paid"))}
    with serving("aio-guarded", trust(issuer), rules) as server, channel_to(server.target) as channel:
        token = issuer.mint(sub="ada")
        outcomes = [SHAPES[UNARY](channel, bearer(token)).status for _ in range(6)]
    assert outcomes == [grpc.StatusCode.OK] * 5 + [grpc.StatusCode.PERMISSION_DENIED]
    assert asked == ["ada"] * 6


def test_known_caller_is_an_event_each_time(issuer: LocalIssuer, long_ways: list[str]) -> None:
    """What observers count does not depend on the way."""
    seen: list[Event] = []
    verifier = Verifier(policy_of(issuer), observers=[seen.append])
    with serving("aio-guarded", verifier, {SERVICE: authenticated}) as server, channel_to(server.target) as channel:
        token = issuer.mint()
        come_until_known(channel, token, long_ways)
        before = len(seen)
        for _ in range(3):
            assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.OK
        events = [event for event in seen[before:] if isinstance(event, Verified)]
        assert [event.operation for event in events] == [f"/{SERVICE}/UU"] * 3


class ByMetadata(grpc.GenericRpcHandler):  # type: ignore[misc,unused-ignore]
    """Serves a method by what the call brings."""

    def service(self, handler_call_details: Any) -> Any:
        """The caller says which answer they want."""
        wanted = dict(handler_call_details.invocation_metadata).get("x-answer")
        if wanted is None or handler_call_details.method != f"/{SERVICE}/UU":
            return None

        async def answer(_: bytes, __: Any) -> bytes:
            return str(wanted).encode()

        return grpc.unary_unary_rpc_method_handler(answer)


def test_handler_that_depends_on_the_call_is_looked_up_for_each(issuer: LocalIssuer) -> None:
    """Only generic handlers of generated code answer alike each time; with any other the interceptor's way is taken."""

    async def start() -> tuple[Any, int]:
        server = guarded_server(AuthInterceptor(verifier, {SERVICE: authenticated}))
        server.add_generic_rpc_handlers((ByMetadata(),))
        register(server, methods({"UU": plain_echo}))
        port = server.add_insecure_port("127.0.0.1:0")
        await verifier.start()
        await server.start()
        return server, port

    verifier = trust(issuer)
    with running_loop("aio") as on_loop:
        server, port = on_loop(start())
        with channel_to(f"127.0.0.1:{port}") as channel:
            token = issuer.mint()
            plain = [SHAPES[UNARY](channel, bearer(token)).messages for _ in range(5)]
            chosen = SHAPES[UNARY](channel, (*bearer(token), ("x-answer", "this"))).messages
        on_loop(server.stop(0))
        on_loop(verifier.aclose())
    assert plain == [[b"hello"]] * 5
    assert chosen == [b"this"]


async def plain_echo(request: bytes, _: Any) -> bytes:
    """Answer what was asked."""
    return request


def test_what_is_registered_after_the_start_is_served(issuer: LocalIssuer) -> None:
    """And takes the place that grpc gives it."""

    async def start() -> tuple[Any, int]:
        server = guarded_server(AuthInterceptor(verifier, {SERVICE: authenticated}), check=False)
        port = server.add_insecure_port("127.0.0.1:0")
        await verifier.start()
        await server.start()
        register(server, methods({"UU": plain_echo}))
        return server, port

    verifier = trust(issuer)
    with running_loop("aio") as on_loop:
        server, port = on_loop(start())
        with channel_to(f"127.0.0.1:{port}") as channel:
            token = issuer.mint()
            assert [SHAPES[UNARY](channel, bearer(token)).messages for _ in range(5)] == [[b"hello"]] * 5
        on_loop(server.stop(0))
        on_loop(verifier.aclose())


def test_servers_of_one_interceptor_serve_their_own_handlers(issuer: LocalIssuer) -> None:
    """What one of them serves under a name is not served by the other."""

    def answering(answer: bytes) -> Callable[..., Any]:
        async def handler(_: bytes, __: Any) -> bytes:
            return answer

        return handler

    async def start() -> list[tuple[Any, int]]:
        auth = AuthInterceptor(verifier, {SERVICE: authenticated})
        started = []
        for server, answer in ((guarded_server(auth), b"one"), (guarded_server(auth), b"two")):
            register(server, methods({"UU": answering(answer)}))
            started.append((server, server.add_insecure_port("127.0.0.1:0")))
            await server.start()
        await verifier.start()
        return started

    verifier = trust(issuer)
    with running_loop("aio") as on_loop:
        (one, first), (two, second) = on_loop(start())
        with channel_to(f"127.0.0.1:{first}") as to_first, channel_to(f"127.0.0.1:{second}") as to_second:
            token = issuer.mint()
            for _ in range(5):
                assert SHAPES[UNARY](to_first, bearer(token)).messages == [b"one"]
                assert SHAPES[UNARY](to_second, bearer(token)).messages == [b"two"]
        for server in (one, two):
            on_loop(server.stop(0))
        on_loop(verifier.aclose())


def test_another_verifier_of_a_test_judges_known_callers_too(issuer: LocalIssuer, long_ways: list[str]) -> None:
    """`use_verifier` reaches a server that was made before, and its end too."""
    with (
        LocalIssuer(algorithms=["ES256"]) as other,
        serving("aio-guarded", trust(issuer), {SERVICE: authenticated}) as server,
        channel_to(server.target) as channel,
    ):
        token = issuer.mint()
        come_until_known(channel, token, long_ways)
        with use_verifier(server.interceptor, trust(other)):
            assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.UNAUTHENTICATED
            for _ in range(5):
                assert SHAPES[UNARY](channel, bearer(other.mint())).status is grpc.StatusCode.OK
        assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.OK


def test_public_method_learns_no_caller(issuer: LocalIssuer, long_ways: list[str]) -> None:
    """As behind the interceptor: who calls is not asked there."""
    rules: dict[str, Access] = {f"/{SERVICE}/UU": authenticated, f"/{SERVICE}/US": public}
    with serving("aio-guarded", trust(issuer), rules) as server, channel_to(server.target) as channel:
        token = issuer.mint()
        come_until_known(channel, token, long_ways)
        assert SHAPES["unary-stream"](channel, bearer(token)).messages[0] == b"nobody"


def _started(rules: dict[str, Any], run: Any, **given: Any) -> None:
    async def start() -> None:
        verifier = Verifier(TrustedIssuer("https://login.example", audience="api", jwks={"keys": [KEY.public_jwk()]}))
        server = guarded_server(AuthInterceptor(verifier, rules), **given)
        register(server, methods({"UU": plain_echo}))
        try:
            await server.start()
        finally:
            await server.stop(0)

    run(start())


def test_guarded_server_does_not_start_with_a_misspelt_rule(run: Any) -> None:
    """As with `check_on_start`, unless it is told not to look."""
    with pytest.raises(ConfigurationError, match="Uu"):
        _started({SERVICE: authenticated, f"/{SERVICE}/Uu": public}, run)
    _started({SERVICE: authenticated, f"/{SERVICE}/Uu": public}, run, check=False)


class Counting(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Counts the calls that come so far."""

    calls = 0

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Count and pass on."""
        self.calls += 1
        return await continuation(handler_call_details)


@pytest.mark.parametrize("place", ["outside", "inside"])
def test_other_interceptors_run_for_each_call_of_a_known_caller(place: str, issuer: LocalIssuer) -> None:
    """On either side."""
    other = Counting()
    others: Any = {place: [other]}
    served = serving("aio-guarded", trust(issuer), {SERVICE: authenticated}, **others)
    with served as server, channel_to(server.target) as channel:
        token = issuer.mint()
        for _ in range(6):
            assert SHAPES[UNARY](channel, bearer(token)).status is grpc.StatusCode.OK
    assert other.calls == 6


class InTask(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Runs what is inside of it in a task of its own, as `asyncio.wait_for` does on Python 3.11."""

    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        """Pass on."""
        return await asyncio.ensure_future(continuation(handler_call_details))


def test_known_caller_is_seen_by_a_handler_that_runs_in_another_context(issuer: LocalIssuer) -> None:
    """Each call by its own caller, although what is set in the one context is not seen in the other."""
    served = serving("aio-guarded", trust(issuer), {SERVICE: authenticated}, outside=[InTask()])
    with served as server, channel_to(server.target) as channel:
        tokens = [issuer.mint(sub=name) for name in ("ada", "bob")]
        for _ in range(6):
            for token in tokens:
                SHAPES[UNARY](channel, bearer(token))
        assert server.seen.callers == ["ada", "bob"] * 6


def test_refusal_by_a_handler_is_told_to_the_verifier_of_the_test(issuer: LocalIssuer, long_ways: list[str]) -> None:
    """Also of a method that was wrapped for the verifier before it."""
    seen: list[Event] = []

    def refusing(_: Seen) -> dict[str, Callable[..., Any]]:
        async def handler(request: bytes, _: Any) -> bytes:
            if request == b"hello" and (current_principal() or principal_with()).subject == "bob":
                raise AuthError(Refusal.SCOPE_INSUFFICIENT)
            return request

        return {"UU": handler}

    served = serving("aio-guarded", trust(issuer), {SERVICE: authenticated}, behaviors=refusing)
    with served as server, channel_to(server.target) as channel:
        come_until_known(channel, issuer.mint(), long_ways)
        bob = issuer.mint(sub="bob")
        with use_verifier(server.interceptor, Verifier(policy_of(issuer), observers=[seen.append])):
            for _ in range(5):
                assert SHAPES[UNARY](channel, bearer(bob)).status is grpc.StatusCode.PERMISSION_DENIED
        assert [event.code for event in seen if isinstance(event, Refused)] == ["scope_insufficient"] * 5
