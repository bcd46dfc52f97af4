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

from bearward import ConfigurationError, TrustedIssuer, Verifier
from bearward.explanation import Check, Explanation, Verdict
from bearward.request_explanation import check_explain_address
from bearward.testing import LocalIssuer
from bearward_grpc.explained import Explained
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
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
