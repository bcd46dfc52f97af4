"""Re-authentication in band: the same caller, still allowed, bound as before, on a stream that still lives."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import grpc
import pytest

from bearward import (
    AuthError,
    CredentialPlace,
    Principal,
    TrustedIssuer,
    Verifier,
    own_check,
    scope,
    sender_constrained,
)
from bearward.client_certificates import ProvingProxy, from_networks
from bearward.errors import UsageError
from bearward.testing import LocalIssuer
from bearward_grpc import (
    authenticated,
    current_principal,
    optional,
    public,
    reauthenticate,
    reauthenticate_blocking,
)
from tests.adapters.grpc.calls import SHAPES, TIMEOUT, Requests, bearer, channel_to, path
from tests.adapters.grpc.certificates import Authority
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Seen, serving
from tests.adapters.grpc.streaming import revoke, until_unwatched

FORMS = [(kind, form) for kind in KINDS for form in ("async", "plain") if (kind, form) != ("sync", "async")]
OK = b"accepted"
CLIENT = {"sub": "ada", "client_id": "app", "azp": "app", "scope": "echo"}


def _async(_: Seen) -> dict[str, Callable[..., Any]]:
    async def again(tokens: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        yield b"first"
        async for token in tokens:
            try:
                principal = await reauthenticate(token.decode())
            except (AuthError, UsageError) as refused:
                yield _told(refused)
            else:
                yield _accepted(principal)

    async def once(token: bytes, _: Any) -> bytes:
        try:
            principal = await reauthenticate(token.decode())
        except UsageError as refused:
            return _told(refused)
        return _accepted(principal)

    return {"SS": again, "UU": once}


def _plain(_: Seen) -> dict[str, Callable[..., Any]]:
    def once(token: bytes, _: Any) -> bytes:
        try:
            principal = reauthenticate_blocking(token.decode())
        except (AuthError, UsageError) as refused:
            return _told(refused)
        return _accepted(principal)

    def again(tokens: Iterator[bytes], context: Any) -> Iterator[bytes]:
        yield b"first"
        for token in tokens:
            yield once(token, context)

    return {"SS": again, "UU": once}


def _accepted(principal: Principal) -> bytes:
    return OK if principal is current_principal() else b"another"


def _told(refused: AuthError | UsageError) -> bytes:
    if isinstance(refused, UsageError):
        return b"usage"
    return f"{refused.code} {refused.claim or ''}".strip().encode()


async def _not_suspended(principal: Principal) -> bool:
    await asyncio.sleep(0)
    return "suspended" not in principal.claims


BEHAVIORS = {"async": _async, "plain": _plain}
OTHERS: dict[str, dict[str, Any]] = {
    "claim_mismatch sub": {"sub": "mallory"},
    "claim_mismatch client_id": {"client_id": "other"},
    "claim_mismatch azp": {"azp": "other"},
    "scope_insufficient": {"scope": "other"},
    "suspended": {"suspended": True},
    "token_expired": {"exp": 1_000_000_000},
    "token_sender_constrained": {"cnf": {"x5t#S256": "0" * 43}},
}


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_only_the_same_caller_may_reauthenticate(kind: str, form: str, issuer: LocalIssuer) -> None:
    """Another issuer, subject or client, too little scope, a token that has ended or that is bound: each is refused."""
    with LocalIssuer(algorithms=["ES256"]) as second:
        rules = {SERVICE: scope("echo") & own_check(_not_suspended, code="suspended")}
        verifier = trust(issuer, second)
        with (
            serving(kind, verifier, rules, behaviors=BEHAVIORS[form], certificate_bound=True) as server,
            channel_to(server.target) as channel,
        ):
            requests = Requests()
            call: Any = channel.stream_stream(path("SS"))(
                requests, timeout=TIMEOUT, metadata=bearer(issuer.mint(claims=CLIENT))
            )
            assert next(call) == b"first"
            for expected, claims in OTHERS.items():
                requests.send(issuer.mint(claims={**CLIENT, **claims}).encode())
                assert next(call).decode() == expected
            requests.send(second.mint(claims=CLIENT).encode())
            assert next(call) == b"claim_mismatch iss"
            requests.send(issuer.mint(claims={**CLIENT, "jti": "newer"}).encode())
            assert next(call) == OK
            requests.close()
            assert list(call) == []


@pytest.mark.parametrize(("kind", "form"), FORMS)
def test_message_is_no_place_of_a_proxy_s_token(kind: str, form: str, issuer: LocalIssuer) -> None:
    """What an asserter says counts in its own place alone, so the stream goes on under the token that opened it."""
    place = CredentialPlace(header="x-asserted")
    verifier = Verifier(TrustedIssuer(issuer.url, audience=issuer.audience, jwks=issuer.keys.jwks(), place=place))
    with (
        serving(kind, verifier, {SERVICE: scope("echo")}, behaviors=BEHAVIORS[form]) as server,
        channel_to(server.target) as channel,
    ):
        requests = Requests()
        metadata = (("x-asserted", issuer.mint(claims=CLIENT)),)
        call: Any = channel.stream_stream(path("SS"))(requests, timeout=TIMEOUT, metadata=metadata)
        assert next(call) == b"first"
        requests.send(issuer.mint(claims={**CLIENT, "jti": "newer"}).encode())
        assert next(call) == b"issuer_untrusted"
        requests.close()
        assert list(call) == []


@pytest.mark.parametrize("subject", [None, ""])
def test_callers_without_a_subject_are_never_the_same(subject: str | None, issuer: LocalIssuer) -> None:
    """Tokens of the client credentials grant often have none: no stream is handed from one client to another."""
    claims = {name: value for name, value in CLIENT.items() if name != "sub"}
    claims |= {} if subject is None else {"sub": subject}
    without = ["sub"] if subject is None else []
    with (
        serving("aio", trust(issuer), {SERVICE: authenticated}, behaviors=_async) as server,
        channel_to(server.target) as channel,
    ):
        requests = Requests()
        opened = bearer(issuer.mint(claims=claims, without=without))
        call: Any = channel.stream_stream(path("SS"))(requests, timeout=TIMEOUT, metadata=opened)
        assert next(call) == b"first"
        for client in ("app", "other"):
            requests.send(issuer.mint(claims={**claims, "client_id": client}, without=without).encode())
            assert next(call).startswith(b"claim_mismatch")
        requests.close()
        assert list(call) == []


@pytest.mark.parametrize("kind", KINDS)
def test_reauthentication_keeps_the_binding(kind: str, issuer: LocalIssuer) -> None:
    """A bound stream goes on under a token of the same certificate, and under no other, bound or not."""
    authority = Authority()
    own, other = authority.certify("ada"), authority.certify("mallory")
    form = "plain" if kind == "sync" else "async"

    def mint(**claims: Any) -> str:
        return issuer.mint(claims={**CLIENT, **claims})

    with (
        serving(
            kind,
            trust(issuer),
            {SERVICE: authenticated},
            behaviors=BEHAVIORS[form],
            credentials=authority.server(mutual=True),
            certificate_bound=True,
        ) as server,
        grpc.secure_channel(server.target, authority.client(own)) as channel,
    ):
        requests, bound = Requests(), {"cnf": {"x5t#S256": own.thumbprint}}
        stub: Any = channel.stream_stream(path("SS"))
        call = stub(requests, timeout=TIMEOUT, metadata=bearer(mint(**bound)))
        assert next(call) == b"first"
        for token, expected in (
            (mint(), b"token_sender_constrained"),
            (mint(cnf={"x5t#S256": other.thumbprint}), b"token_sender_constrained"),
            (mint(**bound, jti="newer"), OK),
        ):
            requests.send(token.encode())
            assert next(call) == expected
        requests.close()
        assert list(call) == []


@pytest.mark.parametrize("kind", KINDS)
def test_stream_that_a_proxy_vouched_for_goes_on(kind: str, issuer: LocalIssuer) -> None:
    """The proxy proved the certificate of this connection: a newer token of the same one is bound to it as the first was."""
    form = "plain" if kind == "sync" else "async"
    proxy = ProvingProxy("kong", only_from=from_networks("127.0.0.0/8", "::1/128"))

    def mint(**claims: Any) -> str:
        return issuer.mint(claims={**CLIENT, **claims})

    with (
        serving(
            kind,
            trust(issuer),
            {SERVICE: sender_constrained()},
            behaviors=BEHAVIORS[form],
            unsafe_binding_proved_by=proxy,
        ) as server,
        channel_to(server.target) as channel,
    ):
        requests, bound = Requests(), {"cnf": {"x5t#S256": "c"}}
        call: Any = channel.stream_stream(path("SS"))(requests, timeout=TIMEOUT, metadata=bearer(mint(**bound)))
        assert next(call) == b"first"
        for token, expected in (
            (mint(**bound, jti="newer"), OK),
            (mint(cnf={"x5t#S256": "d"}), b"token_sender_constrained"),
            (mint(), b"token_sender_constrained"),
        ):
            requests.send(token.encode())
            assert next(call) == expected
        requests.close()
        assert list(call) == []


def _late_async(reached: Any, release: Any) -> Callable[[Seen], dict[str, Callable[..., Any]]]:
    async def late(tokens: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        yield b"first"
        token = await anext(aiter(tokens))
        try:
            reached.set()
            await asyncio.Event().wait()
        finally:  # cancelled, since its token has ended: it tries once more
            try:
                await reauthenticate(token.decode())
            except AuthError as refused:
                release.append(refused.code)
            else:
                release.append("accepted")

    return lambda _: {"SS": late}


@pytest.mark.parametrize("kind", ["aio", "aio-guarded"])
def test_ended_stream_cannot_be_reauthenticated(kind: str, issuer: LocalIssuer) -> None:
    """A handler that brings a newer token in its clean-up is told why its stream ended."""
    reached, told = threading.Event(), list[str]()
    with (
        serving(kind, trust(issuer), {SERVICE: authenticated}, behaviors=_late_async(reached, told)) as server,
        channel_to(server.target) as channel,
    ):
        requests = Requests()
        call: Any = channel.stream_stream(path("SS"))(
            requests, timeout=TIMEOUT, metadata=bearer(issuer.mint(claims={**CLIENT, "jti": f"late-{kind}"}))
        )
        assert next(call) == b"first"
        requests.send(issuer.mint(claims={**CLIENT, "jti": "newer"}).encode())
        assert reached.wait(TIMEOUT)
        revoke(server, issuer, f"late-{kind}")
        with pytest.raises(grpc.RpcError):
            next(call)
        requests.close()
        assert dict(call.trailing_metadata())["bearward-code"] == "token_revoked"
    assert told == ["token_revoked"]


def test_ended_threaded_stream_cannot_be_reauthenticated(issuer: LocalIssuer) -> None:
    """The token ended while the handler was busy; a newer one comes too late."""
    reached, release, told = threading.Event(), threading.Event(), list[bytes]()

    def behaviors(_: Seen) -> dict[str, Callable[..., Any]]:
        def late(tokens: Iterator[bytes], context: Any) -> Iterator[bytes]:
            yield b"first"
            token = next(tokens)
            reached.set()
            release.wait(TIMEOUT)
            try:
                reauthenticate_blocking(token.decode())
            except AuthError as refused:
                told.append(_told(refused))

        return {"SS": late}

    with (
        serving("sync", trust(issuer), {SERVICE: authenticated}, behaviors=behaviors) as server,
        channel_to(server.target) as channel,
    ):
        requests = Requests()
        call: Any = channel.stream_stream(path("SS"))(
            requests, timeout=TIMEOUT, metadata=bearer(issuer.mint(claims={**CLIENT, "jti": "busy"}))
        )
        assert next(call) == b"first"
        requests.send(issuer.mint(claims={**CLIENT, "jti": "newer"}).encode())
        assert reached.wait(TIMEOUT)
        revoke(server, issuer, "busy")
        until_unwatched(server)
        release.set()
        with pytest.raises(grpc.RpcError):
            next(call)
        requests.close()
    assert told == [b"token_revoked"]


@pytest.mark.parametrize("kind", KINDS)
def test_call_that_does_not_end_with_its_token_may_have_another(kind: str, issuer: LocalIssuer) -> None:
    """A call with one answer, and a stream that outlives its token: the caller is the one of the newer token."""
    form = "plain" if kind == "sync" else "async"
    with (
        serving(
            kind, trust(issuer), {SERVICE: authenticated}, behaviors=BEHAVIORS[form], stream_expiry="ignore"
        ) as server,
        channel_to(server.target) as channel,
    ):
        opened, newer = bearer(issuer.mint(claims=CLIENT)), issuer.mint(claims={**CLIENT, "jti": "newer"}).encode()
        assert channel.unary_unary(path("UU"))(newer, timeout=TIMEOUT, metadata=opened) == OK
        stream = channel.stream_stream(path("SS"))(iter([newer]), timeout=TIMEOUT, metadata=opened)
        assert list(stream) == [b"first", OK]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", [public, optional])
def test_reauthentication_without_a_caller_is_a_usage_error(rule: Any, kind: str, issuer: LocalIssuer) -> None:
    """In an open method, the mistake is the program's: `UsageError`."""
    form = "plain" if kind == "sync" else "async"
    with (
        serving(kind, trust(issuer), {SERVICE: rule}, behaviors=BEHAVIORS[form]) as server,
        channel_to(server.target) as channel,
    ):
        assert SHAPES["unary-unary"](channel, ()).messages == [b"usage"]


def test_wrong_form_of_reauthenticate_is_a_usage_error(run: Any, issuer: LocalIssuer) -> None:
    """Outside any call both raise `UsageError`; on an event loop the blocking one says which is right."""

    async def outside() -> None:
        with pytest.raises(UsageError):
            await reauthenticate("token")
        with pytest.raises(UsageError):
            reauthenticate_blocking("token")

    run(outside())

    def behaviors(_: Seen) -> dict[str, Callable[..., Any]]:
        async def blocks(request: bytes, _: Any) -> bytes:
            with pytest.raises(UsageError, match="await"):
                reauthenticate_blocking("token")
            return request

        return {"UU": blocks}

    with (
        serving("aio", trust(issuer), {SERVICE: authenticated}, behaviors=behaviors) as server,
        channel_to(server.target) as channel,
    ):
        assert SHAPES["unary-unary"](channel, bearer(issuer.mint())).status is grpc.StatusCode.OK
