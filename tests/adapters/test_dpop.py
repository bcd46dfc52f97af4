"""DPoP over real servers: replays in a fleet, nonces, HEAD, optional routes, streams, and DPoP that is off or required."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import grpc
import httpx2
import pytest
import redis
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bearward.testing import DPoPClient, LocalIssuer
from samples.processes import Process
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.core.jwks.cache_servers import Valkey

SECRET = "a secret of the fleet, 32 bytes!"
SERVICE = "/bearward.sample.v1.ProtectedService"
ALL = [
    pytest.param("samples.http_server", (), id="sanic"),
    pytest.param("samples.grpc_server", (), id="grpc.aio"),
    pytest.param("samples.grpc_server", ("--sync",), id="grpc.server"),
]
every_server = pytest.mark.parametrize(("module", "arguments"), ALL)


class Answer:
    """What came of a request, over HTTP or gRPC: its code (None for success), its challenges, the nonce that was given."""

    def __init__(self, code: str | None, challenges: str, nonce: str | None) -> None:
        self.code, self.challenges, self.nonce = code, challenges, nonce


class Caller:
    """A client of one server, which makes proofs for the address that it listens on."""

    def __init__(self, server: Process, issuer: LocalIssuer) -> None:
        self.url = server.url()
        self.is_http = self.url.startswith("http")
        self.client = DPoPClient()
        self.token = issuer.mint(cnf=self.client.cnf, scope="notes:read notes:write")

    @property
    def htu(self) -> str:
        """The URI of the call that is made here."""
        return f"{self.url}/whoami" if self.is_http else f"http://{self.url.partition('://')[2]}{SERVICE}/WhoAmI"

    def proof(self, **options: Any) -> str:
        """A proof for the call."""
        return self.client.proof("GET" if self.is_http else "POST", self.htu, token=self.token, **options)

    def call(self, proof: str | None, *, scheme: str = "DPoP", token: str | None = None) -> Answer:
        """Call with a proof, or with none."""
        headers = {"authorization": f"{scheme} {token or self.token}"} | ({} if proof is None else {"dpop": proof})
        return self._over_http(headers) if self.is_http else self._over_grpc(headers)

    def _over_http(self, headers: dict[str, str]) -> Answer:
        answer = httpx2.get(self.htu, headers=headers, timeout=30)
        code = None if answer.status_code == 200 else answer.json()["code"]
        return Answer(code, answer.headers.get("www-authenticate", ""), answer.headers.get("dpop-nonce"))

    def _over_grpc(self, headers: dict[str, str]) -> Answer:
        with grpc.insecure_channel(self.url.partition("://")[2]) as channel:
            stub = ProtectedServiceStub(channel)
            try:
                _, call = stub.WhoAmI.with_call(messages.WhoAmIRequest(), metadata=tuple(headers.items()), timeout=30)
            except grpc.RpcError as error:
                call = cast("Any", error)
            trailers: list[Any] = list(call.trailing_metadata())
            challenges = ", ".join(value for name, value in trailers if name == "www-authenticate")
            return Answer(dict(trailers).get("bearward-code"), challenges, dict(trailers).get("dpop-nonce"))


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """A real one."""
    with LocalIssuer(algorithms=["ES256"]) as one:
        yield one


@contextmanager
def serving(issuer: LocalIssuer, module: str, *arguments: str, **variables: str) -> Iterator[Process]:
    """A sample server with DPoP, by these variables."""
    environment = {
        "BEARWARD_ISSUER": issuer.url,
        "BEARWARD_AUDIENCE": issuer.audience,
        "BEARWARD_DPOP": "allowed",
        **{f"BEARWARD_{name}": value for name, value in variables.items()},
    }
    with Process(module, "--port", "0", *arguments, environment=environment) as server:
        yield server


@every_server
def test_proof_is_accepted_once(issuer: LocalIssuer, module: str, arguments: tuple[str, ...]) -> None:
    """A proof is accepted once, for the address that the server listens on; many at a time too."""
    with serving(issuer, module, *arguments) as server:
        caller = Caller(server, issuer)
        proof = caller.proof()
        assert caller.call(proof).code is None
        replayed = caller.call(proof)
        assert replayed.code == "dpop_replayed"
        assert replayed.challenges.startswith("DPoP ")
        assert 'error="invalid_dpop_proof"' in replayed.challenges
        assert caller.call(proof, scheme="Bearer").code == "token_sender_constrained"
        once = caller.proof()
        with ThreadPoolExecutor(4) as pool:
            outcomes = [answer.code for answer in pool.map(lambda _: caller.call(once), range(8))]
        assert sorted(outcomes, key=str) == [None, *["dpop_replayed"] * 7]


@pytest.mark.thorough
@every_server
def test_off_and_required(issuer: LocalIssuer, module: str, arguments: tuple[str, ...]) -> None:
    """Off: a bound token is worth nothing, and the scheme unknown. Required: a bearer token is worth nothing."""
    with serving(issuer, module, *arguments, DPOP="off") as server:
        caller = Caller(server, issuer)
        assert caller.call(None, scheme="Bearer", token=issuer.mint()).code is None
        refused = caller.call(caller.proof())
        assert (refused.code, "DPoP" in refused.challenges) == ("bearer_scheme_missing", False)
        assert caller.call(None, scheme="Bearer").code == "token_sender_constrained"
    with serving(issuer, module, *arguments, DPOP="required") as server:
        caller = Caller(server, issuer)
        assert caller.call(caller.proof()).code is None
        refused = caller.call(None, scheme="Bearer", token=issuer.mint())
        assert (refused.code, "Bearer" in refused.challenges) == ("sender_constraint_required", False)


@pytest.mark.thorough
@every_server
def test_nonces_are_asked_for_and_given(issuer: LocalIssuer, module: str, arguments: tuple[str, ...]) -> None:
    """A proof without one is refused with the nonce to use; one of another server with the secret will do."""
    variables = {"DPOP_NONCE": "on", "CACHE_SECRET": SECRET}
    with ExitStack() as stack:
        here, there = (stack.enter_context(serving(issuer, module, *arguments, **variables)) for _ in range(2))
        caller, other = Caller(here, issuer), Caller(there, issuer)
        refused = caller.call(caller.proof())
        assert refused.code == "dpop_nonce_required"
        assert refused.challenges.startswith("DPoP ")
        assert 'error="use_dpop_nonce"' in refused.challenges
        assert refused.nonce is not None
        assert caller.call(caller.proof(nonce=refused.nonce)).code is None
        assert other.call(other.proof(nonce=refused.nonce)).code is None
        assert caller.call(caller.proof(nonce="made-up")).code == "dpop_nonce_required"
        bad = caller.call(caller.proof(nonce=refused.nonce, ath="x"))
        assert (bad.code, bad.nonce is not None) == ("dpop_token_mismatch", True)
        if caller.is_http:  # RFC 9449 section 8.2: any response may bring the next one
            assert caller.call(caller.proof(nonce=refused.nonce)).nonce is not None


@pytest.mark.thorough
def test_fleet_with_one_store_accepts_a_proof_once(issuer: LocalIssuer, valkey: Valkey) -> None:
    """One proof that is sent to all servers is accepted once, by a slow store too; while it is down or hangs none is."""
    origins = {"ORIGINS": "https://api.example", "CACHE": valkey.url, "CACHE_SECRET": SECRET}
    with ExitStack() as stack:
        pair = [stack.enter_context(serving(issuer, "samples.http_server", **origins)) for _ in range(2)]
        workers = stack.enter_context(serving(issuer, "samples.http_server", "--workers", "2", **origins))
        client = DPoPClient()
        token = issuer.mint(cnf=client.cnf)
        urls = [server.url() for server in (*pair, workers)]

        def send(url: str, proof: str) -> str | None:
            headers = {"authorization": f"DPoP {token}", "dpop": proof}
            answer = httpx2.get(f"{url}/whoami", headers=headers, timeout=30)
            return None if answer.status_code == 200 else str(answer.json()["code"])

        def fresh() -> str:
            return client.proof("GET", "https://api.example/whoami", token=token)

        for url in urls:  # connections are made, keys are fetched
            assert send(url, fresh()) is None

        def send_to_all(proof: str) -> list[str | None]:
            with ThreadPoolExecutor(6) as pool:
                return sorted(pool.map(lambda url: send(url, proof), urls * 2), key=str)

        def go_on() -> None:
            deadline = time.monotonic() + 30
            while any(send(url, fresh()) is not None for url in urls * 4):  # for a moment operations fail at once
                assert time.monotonic() < deadline

        for _ in range(3):
            assert send_to_all(fresh()) == [None, *["dpop_replayed"] * 5]
        with redis.Redis(port=valkey.port) as store:
            for _ in range(3):
                store.execute_command("CLIENT", "PAUSE", "150", "ALL")  # it answers late, and no earlier
                outcomes = send_to_all(fresh())
                # On a busy machine late may be too late: then it is refused, and never accepted twice.
                assert outcomes.count(None) <= 1
                assert {*outcomes} <= {None, "dpop_replayed", "dpop_unavailable"}
        go_on()
        valkey.hang()
        hung = fresh()
        assert {*send_to_all(hung)} == {"dpop_unavailable"}
        valkey.go_on()
        go_on()
        assert send_to_all(hung).count(None) <= 1
        valkey.stop()
        assert {send(url, fresh()) for url in urls} == {"dpop_unavailable"}
        valkey.start()
        go_on()
        once = fresh()
        first = next(url for url in urls * 20 if send(url, once := fresh()) is None)
        assert {send(url, once) for url in urls if url != first} <= {"dpop_replayed", "dpop_unavailable"}


def test_head_is_a_method_of_its_own(issuer: LocalIssuer) -> None:
    """A proof for GET does not do for HEAD, nor the other way round (RFC 9110 section 9.3.2)."""
    with serving(issuer, "samples.http_server") as server:
        caller = Caller(server, issuer)
        for method, htm, status in (("GET", "GET", 200), ("GET", "HEAD", 401), ("HEAD", "GET", 401)):
            proof = caller.client.proof(htm, caller.htu, token=caller.token)
            headers = {"authorization": f"DPoP {caller.token}", "dpop": proof}
            assert httpx2.request(method, caller.htu, headers=headers, timeout=30).status_code == status


def test_query_is_not_part_of_htu(issuer: LocalIssuer) -> None:
    """Neither of the request's nor of the proof's; a caller's own idea of the host counts for nothing."""
    with serving(issuer, "samples.http_server") as server:
        caller = Caller(server, issuer)
        told = {"host": "elsewhere.example", "x-forwarded-host": "elsewhere.example", "x-forwarded-proto": "https"}
        told |= {"x-forwarded-method": "POST", "x-forwarded-uri": "/other", "x-original-url": "/other"}
        headers = {"authorization": f"DPoP {caller.token}", "dpop": caller.proof(), **told}
        assert httpx2.get(f"{caller.htu}?a=%20b", headers=headers, timeout=30).status_code == 200
        elsewhere = caller.client.proof("GET", "https://elsewhere.example/whoami", token=caller.token)
        assert httpx2.get(caller.htu, headers={**headers, "dpop": elsewhere}, timeout=30).status_code == 401


def test_step_up_and_scopes_are_said_under_the_scheme(issuer: LocalIssuer) -> None:
    """A proven caller without the scope is refused under DPoP."""
    with serving(issuer, "samples.http_server") as server:
        caller = Caller(server, issuer)
        caller.token = issuer.mint(cnf=caller.client.cnf)
        url = f"{caller.url}/notes"
        headers = {"authorization": f"DPoP {caller.token}"}
        headers["dpop"] = caller.client.proof("GET", url, token=caller.token)
        answer = httpx2.get(url, headers=headers, timeout=30)
        assert answer.status_code == 403
        assert re.match(r'DPoP realm="api", error="insufficient_scope".*algs=', answer.headers["www-authenticate"])


@pytest.mark.parametrize("arguments", [(), ("--sync",)], ids=["grpc.aio", "grpc.server"])
def test_streams_prove_at_their_opening(issuer: LocalIssuer, arguments: tuple[str, ...]) -> None:
    """A stream is admitted by one proof, for its own method, and refused without."""
    with serving(issuer, "samples.grpc_server", *arguments) as server:
        caller = Caller(server, issuer)
        with grpc.insecure_channel(server.address()) as channel:
            stub = ProtectedServiceStub(channel)

            def chat(method: str) -> Any:
                htu = f"http://{server.address()}{SERVICE}/{method}"
                proof = caller.client.proof("POST", htu, token=caller.token)
                metadata = (("authorization", f"DPoP {caller.token}"), ("dpop", proof))
                requests = iter([messages.ChatRequest(text="one"), messages.ChatRequest(text="two")])
                return stub.Chat(requests, metadata=metadata, timeout=30)

            assert [note.text for note in chat("Chat")] == ["one", "two"]
            with pytest.raises(grpc.RpcError) as caught:
                list(chat("WhoAmI"))
            failed: Any = caught.value
            assert dict(failed.trailing_metadata())["bearward-code"] == "dpop_uri_mismatch"


def test_websocket_proof_is_checked_at_the_handshake(issuer: LocalIssuer) -> None:
    """By the fields, or as a browser can: `Sec-WebSocket-Protocol: dpop, <token>, <proof>`; one proof opens one socket."""
    with serving(issuer, "samples.http_server") as server:
        caller = Caller(server, issuer)
        url, token = f"{caller.url}/notes/ws", caller.token

        def open_socket(*, subprotocols: list[str] | None = None, headers: dict[str, str] | None = None) -> str | None:
            opened = connect(
                url.replace("http", "ws", 1), subprotocols=cast("Any", subprotocols), additional_headers=headers
            )
            with opened as ws:
                ws.send("a note")
                assert "a note" in str(ws.recv(30))
                return ws.subprotocol

        proof = caller.client.proof("GET", url, token=token)
        assert open_socket(subprotocols=["dpop", token, proof]) == "dpop"
        fields = {"authorization": f"DPoP {token}", "dpop": caller.client.proof("GET", url, token=token)}
        assert open_socket(headers=fields) is None
        for refused in (["dpop", token, proof], ["dpop", token], ["dpop"], ["bearer", token], ["dpop", token, "x"]):
            with pytest.raises(InvalidStatus) as caught:
                open_socket(subprotocols=refused)
            assert caught.value.response.status_code in {400, 401}
        fresh = {"authorization": f"DPoP {token}", "dpop": caller.client.proof("GET", url, token=token)}
        with pytest.raises(InvalidStatus) as caught:
            open_socket(subprotocols=["dpop", token, caller.client.proof("GET", url, token=token)], headers=fresh)
        assert caught.value.response.status_code == 400
