"""`explain = true`: a refused response says why, check by check, over HTTP, grpc.aio and grpc.server alike."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest
from sanic import HTTPResponse, Request

from bearward import AuthError, ConfigurationError, Refusal, TrustedIssuer, Verifier, authenticated
from bearward.explanation import Check, Explanation, Verdict
from bearward.request_explanation import check_explain_address
from bearward.testing import LocalIssuer, acting_as
from bearward_grpc.explained import Explained
from bearward_sanic import install
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.sanic.in_process import Serving, make_app
from tests.cases import ALGORITHMS, AUDIENCE, CASES, Case, Fixtures

REFUSED = [case for case in CASES if not case.granted]


@pytest.fixture(scope="module")
def fixtures() -> Iterator[Fixtures]:
    """A trusted issuer, and one that is not."""
    with (
        LocalIssuer(algorithms=ALGORITHMS, audience=AUDIENCE) as issuer,
        LocalIssuer(audience=AUDIENCE) as untrusted,
    ):
        yield Fixtures(issuer, untrusted)


@pytest.fixture(scope="module")
def settings(fixtures: Fixtures, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Settings of a server in development."""
    path: Path = tmp_path_factory.mktemp("explained") / "settings.toml"
    path.write_text(f"explain = true\n[[issuers]]\nissuer = '{fixtures.issuer.url}'\naudience = '{AUDIENCE}'\n")
    return str(path)


def first_wrong(checks: list[dict[str, Any]]) -> str | None:
    """The code of the first wrong check, where a check of its own explains it."""
    assert "request" not in [check["name"] for check in checks]
    return next((check["code"] for check in checks if check["verdict"] == "wrong"), None)


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refusal_over_http_carries_its_explanation(fixtures: Fixtures, case: Case, http: str) -> None:
    """The first wrong check has the code of the problem document, whatever was wrong."""
    headers = [("authorization", value) for value in case.present(fixtures)]
    answer = httpx2.get(f"{http}/notes" if case.needs_scope else f"{http}/whoami", headers=headers, timeout=30)
    problem = answer.json()
    assert problem["code"] == case.expected
    assert first_wrong(problem["explanation"]) == case.expected
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_refusal_over_grpc_carries_its_explanation(fixtures: Fixtures, case: Case, stub: ProtectedServiceStub) -> None:
    """As a trailer of at most 4 KiB, on an event loop and in threads."""
    metadata: Any = tuple(("authorization", value) for value in case.present(fixtures))
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListNotes(messages.ListNotesRequest(), metadata=metadata, timeout=30)
    call: Any = caught.value
    trailers = dict(call.trailing_metadata())
    assert trailers["bearward-code"] == case.expected
    assert len(trailers["bearward-explanation"]) <= 4096
    assert first_wrong(json.loads(trailers["bearward-explanation"])) == case.expected


def test_explanation_holds_no_value_of_a_claim(fixtures: Fixtures, http: str) -> None:
    """Nobody who sends a token of another learns more of it than what is wrong."""
    token = fixtures.honest(sub="marker-sub", aud="marker-aud", scope="marker-scope", claims={"marker": "marker"})
    answer = httpx2.get(f"{http}/whoami", headers={"authorization": f"Bearer {token}"}, timeout=30)
    assert answer.json()["code"] == "audience_mismatch"
    assert "marker" not in answer.text


@pytest.mark.thorough
@pytest.mark.parametrize("server", ["samples.http_server", "samples.grpc_server"])
def test_server_beyond_loopback_does_not_start_with_explanations(server: str, settings: str) -> None:
    """It would tell anybody what is configured: one line says so, and how to have it all the same."""
    command = [sys.executable, "-m", server, "--host", "0.0.0.0", "--port", "0", "--config", settings]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    assert "explain: must not be set on a server that listens beyond loopback" in ended.stderr
    assert "listening on" not in ended.stdout


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "api.example", None])
def test_address_beyond_loopback_is_refused(host: str | None) -> None:
    """Every address that others can reach, and one that is not known."""
    for fine in ("127.0.0.1", "::1", "localhost"):
        check_explain_address(fine)
    with pytest.raises(ConfigurationError, match="unsafe_explain_remote"):
        check_explain_address(host)


class Caller:
    """The context of a call from this peer."""

    def __init__(self, peer: str) -> None:
        self._peer = peer

    def peer(self) -> str:
        """As gRPC says it."""
        return self._peer


PEERS = {
    "ipv4:127.0.0.1:5000": True,
    "ipv6:[::1]:5000": True,
    "ipv6:%5B::1%5D:5000": True,
    "unix:": True,
    "unix:/run/socket": True,
    "ipv4:192.0.2.1:5000": False,
    "ipv6:[2001:db8::1]:5000": False,
    "": False,
}


@pytest.mark.parametrize("peer", PEERS)
def test_caller_from_beyond_loopback_gets_no_explanation_over_grpc(peer: str) -> None:
    """An interceptor is told no address of the server, so each call is looked at."""
    explanation = Explanation((Check("form", "a token", "none", Verdict.WRONG),), None)
    assert bool(Explained(explanation, anywhere=False).trailers(Caller(peer))) is PEERS[peer]
    assert Explained(explanation, anywhere=True).trailers(Caller(peer)) != ()


def test_long_explanation_is_cut_to_what_is_wrong() -> None:
    """A call with more than 8 KiB of metadata is dropped, so an explanation takes no more than half of that."""
    right = tuple(Check(f"c{number}", "x" * 300, "y", Verdict.RIGHT) for number in range(40))
    explanation = Explanation((*right, Check("last", "asked", "found", Verdict.WRONG)), None)
    ((_, text),) = Explained(explanation, anywhere=True).trailers(Caller(""))
    assert [check["name"] for check in json.loads(text)] == ["last"]


def test_explain_is_true_or_false() -> None:
    """What weakens a server is no string."""
    issuer = TrustedIssuer("https://login.example", audience=AUDIENCE)
    wrong: Any = "false"
    with pytest.raises(ConfigurationError, match=r"^explain: must be True or False"):
        Verifier(issuer, explain=wrong)
    with pytest.raises(ConfigurationError, match=r"^unsafe_explain_remote: must be True or False"):
        Verifier(issuer, unsafe_explain_remote=wrong)


HANDLERS_OWN = AuthError(Refusal.CLAIM_MISMATCH, claim="tenant")
"""What a handler raises, the same one each time; the token itself is good."""


def explaining(issuer: LocalIssuer) -> Verifier:
    """A verifier of a service in development."""
    return Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks()), explain=True)


def assert_only_the_request_is_wrong(checks: list[dict[str, Any]]) -> None:
    """Each check of the token is right, and the last line says by which code the request was refused all the same."""
    *token, last = checks
    assert {check["verdict"] for check in token} <= {"right", "note"}
    assert (last["name"], last["verdict"], last["code"]) == ("request", "wrong", "claim_mismatch")


def test_refusal_by_a_handler_is_explained_over_http(fixtures: Fixtures) -> None:
    """The token passed, and the code is the handler's own."""
    app = make_app("explained-handler")

    @app.get("/notes")  # type: ignore[untyped-decorator,unused-ignore]
    @authenticated
    async def notes(request: Request) -> HTTPResponse:
        raise HANDLERS_OWN

    install(app, explaining(fixtures.issuer))
    with Serving(app) as server:
        headers = {"authorization": f"Bearer {fixtures.honest()}"}
        answer = httpx2.get(f"http://127.0.0.1:{server.port}/notes", headers=headers, timeout=30)
    assert answer.status_code == 401
    assert_only_the_request_is_wrong(answer.json()["explanation"])
    assert HANDLERS_OWN.explanation is None


def _trailers_of_a_handlers_refusal(kind: str, verifier: Verifier, metadata: Any) -> dict[str, Any]:
    """The trailers of a call over gRPC that its handler refuses."""

    def sync(request: bytes, context: Any) -> bytes:
        raise HANDLERS_OWN

    async def aio(request: bytes, context: Any) -> bytes:
        raise HANDLERS_OWN

    rules = {f"/{SERVICE}/UU": authenticated}
    behaviors = {"UU": sync if kind == "sync" else aio}
    with (
        serving(kind, verifier, rules, behaviors=lambda _: behaviors) as running,
        grpc.insecure_channel(running.target) as channel,
    ):
        method: Any = channel.unary_unary(f"/{SERVICE}/UU")
        with pytest.raises(grpc.RpcError) as caught:
            method(b"", timeout=30, metadata=metadata)
    call: Any = caught.value
    trailers: dict[str, Any] = dict(call.trailing_metadata())
    assert trailers["bearward-code"] == "claim_mismatch"
    assert HANDLERS_OWN.explanation is None
    return trailers


@pytest.mark.parametrize("kind", ["aio", "sync"])
def test_refusal_by_a_handler_is_explained_over_grpc(fixtures: Fixtures, kind: str) -> None:
    """On an event loop and in threads."""
    metadata = (("authorization", f"Bearer {fixtures.honest()}"),)
    trailers = _trailers_of_a_handlers_refusal(kind, explaining(fixtures.issuer), metadata)
    assert_only_the_request_is_wrong(json.loads(trailers["bearward-explanation"]))


@pytest.mark.parametrize("kind", ["aio", "sync"])
def test_refusal_by_a_handler_is_not_explained_over_grpc_where_that_was_not_asked_for(
    fixtures: Fixtures, kind: str
) -> None:
    """A caller from this machine learns the code alone, as anywhere."""
    verifier = Verifier(TrustedIssuer(fixtures.issuer.url, audience=AUDIENCE, jwks=fixtures.issuer.keys.jwks()))
    metadata = (("authorization", f"Bearer {fixtures.honest()}"),)
    assert "bearward-explanation" not in _trailers_of_a_handlers_refusal(kind, verifier, metadata)


@pytest.mark.parametrize("kind", ["aio", "sync"])
def test_refusal_of_a_stand_in_by_a_handler_has_no_explanation_over_grpc(fixtures: Fixtures, kind: str) -> None:
    """Whom a test put in a caller's place has no token of which anything could be said."""
    with acting_as(sub="ada"):
        trailers = _trailers_of_a_handlers_refusal(kind, explaining(fixtures.issuer), ())
    assert "bearward-explanation" not in trailers
