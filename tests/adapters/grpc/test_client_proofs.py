"""The client's side of DPoP: its own key, a proof on each call, and the nonce that a server asks for."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bearward import ConfigurationError, TrustedIssuer, Verifier
from bearward.dpop import DPoP, DPoPNonces, LocalReplays, check_proof
from bearward.testing import LocalIssuer, MovableClock
from bearward.testing.exchange import Request, Response, json_response
from bearward_grpc import authenticated, client
from bearward_grpc.client.proofs import Prover
from bearward_grpc.client.repeatable import MAX_KEPT, AsyncRepeatableRequests, RepeatableRequests
from tests.adapters.grpc.calls import path
from tests.adapters.grpc.certificates import Authority
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.grpc.test_client import call_aio, call_sync

RULES = {SERVICE: authenticated}
KINDS = ("UU", "US", "SU", "SS")
SHAPE = {"UU": "unary_unary", "US": "unary_stream", "SU": "stream_unary", "SS": "stream_stream"}
ORIGIN = "https://api.example"


@pytest.fixture(scope="module")
def login() -> Iterator[LocalIssuer]:
    """An issuer that knows one client, and binds tokens to the key of a proof."""
    with LocalIssuer(algorithms=["ES256"], clients={"me": "s3cret"}) as local:
        yield local


def bound_source(login: LocalIssuer) -> client.ClientCredentials:
    """A source of tokens that are bound to a key."""
    return client.ClientCredentials(
        login.token_endpoint, client_id="me", client_secret="s3cret", dpop_key=client.DPoPKey()
    )


_LOST_AT_MOST = 10


def verifier_of(login: LocalIssuer, origins: list[str], *, nonce: bool = False, **options: Any) -> Verifier:
    """A verifier that wants every call proven."""
    nonces = DPoPNonces(b"0123456789abcdef") if nonce else None
    policy = DPoP(origins=origins, required=True, nonces=nonces, window=600)
    trusted = TrustedIssuer(login.url, audience=login.audience, jwks_uri=login.jwks_uri)
    return Verifier(trusted, dpop=policy, replays=LocalReplays(), **options)


def call(flavour: str, run: Any, target: str, source: Any, kind: str, **options: Any) -> list[bytes]:
    """One call on its own channel."""
    if flavour == "sync":
        with client.channel(target, source, **options) as channel:
            return call_sync(channel, kind)

    async def scenario() -> list[bytes]:
        async with client.aio_channel(target, source, **options) as channel:
            return await call_aio(channel, kind)

    for _ in range(_LOST_AT_MOST):
        try:
            return run(scenario())  # type: ignore[no-any-return]
        except grpc.aio.AioRpcError as error:
            # grpc's aio client loses the status of a call that it is still writing to (grpc#36066): that says nothing of ours.
            if kind[0] != "S" or error.details() != "Internal error from Core":
                raise
    raise AssertionError("grpc lost the status of each call")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flavour", ["sync", "aio"])
def test_each_call_carries_a_proof(flavour: str, kind: str, run: Any, login: LocalIssuer) -> None:
    """Over loopback from interceptors: a new one for each call, for the origin that the server is told."""
    with serving("aio", verifier_of(login, [ORIGIN]), RULES) as server:
        source = bound_source(login)
        for _ in range(2):
            assert _succeeds(call(flavour, run, server.target, source, kind, origin=ORIGIN))


@pytest.mark.parametrize("flavour", ["sync", "aio"])
def test_over_tls_proofs_travel_as_call_credentials(flavour: str, run: Any, login: LocalIssuer) -> None:
    """They name the public origin that they were told; without one, what grpc itself connects to."""
    credentials = Authority()
    with serving("aio", verifier_of(login, [ORIGIN]), RULES, credentials=credentials.server()) as server:
        source, trusted = bound_source(login), credentials.client()
        assert _succeeds(call(flavour, run, server.target, source, "UU", credentials=trusted, origin=ORIGIN))
        with pytest.raises(grpc.RpcError) as caught:
            call(flavour, run, server.target, source, "UU", credentials=trusted)
        failed: Any = caught.value
        assert dict(tuple(failed.trailing_metadata()))["bearward-code"] == "dpop_uri_mismatch"


def test_proof_names_the_origin_that_grpc_connects_to(login: LocalIssuer) -> None:
    """Call credentials are told the URL of the service; the proof names its origin, and the method below it."""
    prover = Prover(bound_source(login), None)
    (_, proof) = prover.metadata("t", "/a.B/C", "https://api.example:8443/a.B")
    assert _claims(proof[1])["htu"] == "https://api.example:8443/a.B/C"
    with pytest.raises(ConfigurationError):
        prover.metadata("t", "/a.B/C")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flavour", ["sync", "aio"])
@pytest.mark.parametrize("server_kind", ["sync", "aio"])
def test_call_is_retried_once_with_the_requested_nonce(
    server_kind: str, flavour: str, kind: str, run: Any, login: LocalIssuer
) -> None:
    """A call of any kind is repeated with the nonce; the token is kept, since nothing was wrong with it."""
    with serving(server_kind, verifier_of(login, [ORIGIN], nonce=True), RULES) as server:
        source = bound_source(login)
        before = login.requests("/token")
        assert _succeeds(call(flavour, run, server.target, source, kind, origin=ORIGIN))
        assert login.requests("/token") == before + 1


@pytest.mark.parametrize("server_kind", ["sync", "aio"])
@pytest.mark.parametrize("flavour", ["sync", "aio"])
def test_each_answer_brings_the_next_nonce(server_kind: str, flavour: str, run: Any, login: LocalIssuer) -> None:
    """A client that goes on calling is asked for a nonce once, however often they change; calls of all kinds tell it."""
    clock = MovableClock()
    verifier = verifier_of(login, [ORIGIN], nonce=True, clock=clock)
    with serving(server_kind, verifier, RULES) as server:
        source = bound_source(login)

        def moved() -> None:
            clock.advance(60)

        if flavour == "sync":
            with client.channel(server.target, source, origin=ORIGIN) as channel:
                for kind in KINDS:
                    assert _succeeds(call_sync(channel, kind))
                    moved()
        else:

            async def scenario() -> None:
                async with client.aio_channel(server.target, source, origin=ORIGIN) as channel:
                    for kind in KINDS:
                        assert _succeeds(await call_aio(channel, kind))
                        await _learnt()
                        moved()

            run(scenario())
        assert verifier.health().refused == {"dpop_nonce_required": 1}


@pytest.mark.parametrize("kind", ["SU", "SS"])
def test_call_that_is_written_is_not_retried(kind: str, run: Any, login: LocalIssuer) -> None:
    """Its caller may write only once the call is theirs; it is refused, and a later call carries the nonce."""
    with serving("aio", verifier_of(login, [ORIGIN], nonce=True), RULES) as server:

        async def write(channel: Any) -> Any:
            call = (channel.stream_unary if kind == "SU" else channel.stream_stream)(path(kind))(timeout=30)
            await call.write(b"hi")
            await call.done_writing()
            return await call if kind == "SU" else await call.read()

        async def written(channel: Any) -> Any:
            """The next, unless grpc lost the status that brought the nonce (grpc#36066)."""
            for _ in range(_LOST_AT_MOST):
                await _learnt()
                with contextlib.suppress(grpc.RpcError, asyncio.InvalidStateError):
                    return await write(channel)
            raise AssertionError("no call carried the nonce")

        async def scenario() -> None:
            async with client.aio_channel(server.target, bound_source(login), origin=ORIGIN) as channel:
                with pytest.raises((grpc.RpcError, asyncio.InvalidStateError)):
                    await write(channel)
                assert await written(channel)

        run(scenario())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("proven", [False, True], ids=["bearer", "dpop"])
def test_cancelled_call_is_cancelled_at_the_server(kind: str, proven: bool, run: Any) -> None:
    """An interceptor that waits for the end of a call passes on that its caller does not."""

    async def scenario() -> None:
        begun, cancelled = asyncio.Event(), asyncio.Event()

        async def never() -> None:
            begun.set()
            try:
                await asyncio.Event().wait()
            finally:
                cancelled.set()

        async def unary(_: Any, __: Any) -> bytes:
            await never()
            return b""

        async def streaming(_: Any, __: Any) -> AsyncIterator[bytes]:
            await never()
            yield b""

        make = getattr(grpc, f"{SHAPE[kind]}_rpc_method_handler")
        server = grpc.aio.server()
        handlers = {"Wait": make(unary if kind[1] == "U" else streaming)}
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("tests.Wait", handlers),))
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        source = client.ProvenToken(_Fixed(), client.DPoPKey()) if proven else _Fixed()
        async with client.aio_channel(f"127.0.0.1:{port}", source, origin=ORIGIN) as channel:
            request = b"" if kind[0] == "U" else iter([b""])
            call: Any = getattr(channel, SHAPE[kind])("/tests.Wait/Wait")(request)
            await asyncio.wait_for(begun.wait(), 30)
            call.cancel()
            await asyncio.wait_for(cancelled.wait(), 30)
        await server.stop(0)

    run(scenario())


def test_repeated_stream_begins_at_its_first_message() -> None:
    """Up to sixteen messages are kept until there is a response; a longer stream is not sent again."""
    requests = RepeatableRequests(iter(range(40)))
    first = iter(requests)
    assert [next(first) for _ in range(MAX_KEPT)] == [*range(MAX_KEPT)]
    again = requests.again()
    assert again is not None
    assert [*first] == []  # the call that was given up gets nothing more
    assert [next(again) for _ in range(20)] == [*range(20)]
    assert requests.again() is None
    settled = RepeatableRequests(iter([1, 2]))
    assert next(iter(settled)) == 1
    settled.settle()
    assert settled.again() is None


def test_message_that_a_given_up_call_waited_for_is_sent_by_the_next() -> None:
    """A thread of grpc's may still wait for the application when the call is refused."""
    asked, given = threading.Event(), threading.Event()

    def slowly() -> Iterator[int]:
        yield 1
        asked.set()
        given.wait(30)
        yield 2

    requests = RepeatableRequests(slowly())
    got: list[int] = []
    reader = threading.Thread(target=lambda: got.extend(requests))
    reader.start()
    asked.wait(30)
    again = requests.again()
    given.set()
    assert again is not None
    assert [*again] == [1, 2]
    reader.join()
    assert got == [1]


def test_error_of_the_applications_iterator_is_raised_to_the_next_call_too() -> None:
    """A stream that broke off is not taken for one that ended."""

    def broken() -> Iterator[int]:
        yield 1
        raise KeyError("ours")

    requests = RepeatableRequests(broken())
    with pytest.raises(KeyError):
        list(requests)
    again = requests.again()
    assert again is not None
    with pytest.raises(KeyError):
        list(again)


def test_asynchronous_streams_are_repeated_alike(run: Any) -> None:
    """From a plain iterator or an asynchronous one; a message that was waited for is not lost, nor is an error."""

    async def scenario() -> None:
        given = asyncio.Event()

        async def slowly() -> AsyncIterator[int]:
            yield 1
            await given.wait()
            yield 2
            raise KeyError("ours")

        requests = AsyncRepeatableRequests(slowly())
        first = aiter(requests)
        assert await anext(first) == 1
        waiting = asyncio.ensure_future(anext(first, None))
        await asyncio.sleep(0)
        again = requests.again()
        waiting.cancel()
        given.set()
        assert again is not None
        assert [await anext(again), await anext(again)] == [1, 2]
        with pytest.raises(KeyError):
            await anext(again)
        plain = AsyncRepeatableRequests([1, 2])
        assert [one async for one in plain] == [1, 2]

    run(scenario())


def test_bearer_source_sends_no_proof(run: Any, login: LocalIssuer) -> None:
    """A source without a key sends what it always sent, which a server that wants proofs refuses."""
    source = client.ClientCredentials(login.token_endpoint, client_id="me", client_secret="s3cret")
    with serving("aio", verifier_of(login, [ORIGIN]), RULES) as server, pytest.raises(grpc.RpcError) as caught:
        call("sync", run, server.target, source, "UU")
    failed: Any = caught.value
    assert dict(tuple(failed.trailing_metadata()))["bearward-code"] == "sender_constraint_required"


def test_proven_token_adds_proofs_to_any_source(run: Any, login: LocalIssuer) -> None:
    """`ProvenToken` puts proofs beside the tokens of any source that are bound to its key."""
    key = client.DPoPKey()

    class Fixed:
        def token(self) -> str:
            return login.mint(cnf={"jkt": key.jkt})

        async def token_async(self) -> str:
            return self.token()

        def invalidate(self, token: str) -> bool:
            return False

    source = client.ProvenToken(Fixed(), key)
    with serving("aio", verifier_of(login, [ORIGIN]), RULES) as server:
        for flavour in ("sync", "aio"):
            assert _succeeds(call(flavour, run, server.target, source, "UU", origin=ORIGIN))


def test_dpop_key_makes_valid_proofs_and_hides_its_private_part() -> None:
    """Proofs that verify; a private part that is neither shown nor pickled; P-256 alone."""
    key = client.DPoPKey()
    proof = key.proof(ORIGIN + path("UU"), token="t")
    checked = check_proof(
        proof, token="t", jkt=key.jkt, htm="POST", path=path("UU"), policy=DPoP(origins=ORIGIN), now=_iat(proof)
    )
    assert checked.jkt == key.jkt
    assert repr(key) == f"<DPoPKey {key.jkt}>"
    with pytest.raises(TypeError):
        key.__reduce__()
    for wrong in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048), b"key"):
        with pytest.raises(ConfigurationError):
            client.DPoPKey(wrong)  # type: ignore[arg-type]


def test_token_request_is_retried_with_the_endpoints_nonce(login: LocalIssuer) -> None:
    """The request is repeated once with it, and later ones carry it at once (RFC 9449 section 8)."""
    proofs: list[str] = []

    def ask_for_nonce(request: Request) -> Response:
        proofs.append(request.headers["dpop"])
        if _claims(proofs[-1]).get("nonce") != "n1":
            return json_response({"error": "use_dpop_nonce"}, 400, Other="n2", DPoP_Nonce="n1")
        return json_response({"access_token": f"t{len(proofs)}", "token_type": "DPoP"})

    login.serve("/token", ask_for_nonce)
    try:
        source = bound_source(login)
        assert source.token() == "t2"
        source.invalidate("t2")
        assert source.token() == "t3"
    finally:
        login.serve("/token", None)


async def _learnt() -> None:
    """Until what ended calls have told is kept: tasks of the interceptors see to that."""
    while waiting := [task for task in asyncio.all_tasks() if task.get_name() == "bearward: end of a call"]:
        await asyncio.wait(waiting)


class _Fixed:
    """A source of one token, which no server looks at."""

    def token(self) -> str:
        return "t"

    async def token_async(self) -> str:
        return "t"

    def invalidate(self, token: str) -> bool:
        return False


def _succeeds(responses: list[bytes]) -> bool:
    return len(responses) > 0 and all(response for response in responses)


def _claims(proof: str) -> dict[str, Any]:
    import json

    from bearward.jose.base64url import decode

    claims: dict[str, Any] = json.loads(decode(proof.split(".")[1]))
    return claims


def _iat(proof: str) -> float:
    return float(_claims(proof)["iat"])
