"""The other sample commands as processes: the issuer, the gRPC client, the demo, and run."""

from __future__ import annotations

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from bearward.jose.base64url import decode
from bearward.testing import LocalIssuer
from samples.grpc_client import CALLS, Client
from samples.processes import Process
from tests.samples.conftest import SCOPES, environment

pytestmark = pytest.mark.thorough

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "samples.md").read_text(encoding="utf-8")
(REQUEST,) = re.findall(r"^```sh\n(curl .*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
GRANT = {"grant_type": "client_credentials", "client_id": "ada", "scope": SCOPES}


@pytest.fixture
def issuer_url() -> Iterator[str]:
    """The issuer's command; it ends cleanly and silently."""
    with Process("samples.issuer", "--port", "0") as process:
        yield process.url()
        assert (process.stop(), process.errors()) == (0, "")


def _token(url: str, **form: str) -> dict[str, Any]:
    body: dict[str, Any] = httpx2.post(f"{url}/token", data={**GRANT, **form}, timeout=30).raise_for_status().json()
    return body


def _published(url: str) -> list[str]:
    return [key["kid"] for key in httpx2.get(f"{url}/jwks", timeout=30).json()["keys"]]


def test_issuer_is_discoverable_and_tokens_live_five_minutes(issuer_url: str) -> None:
    """Discovery document, JWK Set, and `POST /token` by client credentials."""
    document = httpx2.get(f"{issuer_url}/.well-known/openid-configuration", timeout=30).json()
    assert document["issuer"] == issuer_url
    assert httpx2.get(document["jwks_uri"], timeout=30).json()["keys"]
    granted = httpx2.post(document["token_endpoint"], data=GRANT, timeout=30).json()
    assert (granted["token_type"], granted["expires_in"], granted["scope"]) == ("Bearer", 300, SCOPES)


def test_documented_request_gets_a_token(issuer_url: str) -> None:
    """The `curl` of docs/samples.md, as it stands."""
    assert "http://127.0.0.1:9000" in REQUEST
    command = ["bash", "-ec", REQUEST.replace("http://127.0.0.1:9000", issuer_url)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout)["scope"] == "notes:read notes:write"


def test_keys_rotate_on_request(issuer_url: str) -> None:
    """`POST /rotate` publishes beside the old ones, `POST /withdraw` leaves the signing key alone; GET does nothing."""
    (first,) = _published(issuer_url)
    rotated = httpx2.post(f"{issuer_url}/rotate", timeout=30).json()
    assert rotated["published"] == [first, rotated["signing"]] == _published(issuer_url)
    assert httpx2.get(f"{issuer_url}/rotate", timeout=30).status_code == 405
    assert httpx2.post(f"{issuer_url}/withdraw", timeout=30).json()["published"] == [rotated["signing"]]
    assert _published(issuer_url) == [rotated["signing"]]


def test_keys_rotate_periodically() -> None:
    """With `--rotate-every`, the next key is published before it signs."""
    with Process("samples.issuer", "--port", "0", "--rotate-every", "1", "--algorithm", "ES256") as process:
        url = process.url()
        _until(lambda: len(_published(url)) >= 4)
        assert _kid(_token(url)["access_token"]) in _published(url)[1:]


def test_sample_client_calls_every_method(issuer: LocalIssuer) -> None:
    """Each call returns JSON values."""
    with (
        Process("samples.grpc_server", "--port", "0", environment=environment(issuer)) as server,
        grpc.insecure_channel(server.address()) as channel,
    ):
        client = Client(channel, issuer.mint(scope=SCOPES, sub="ada"))

        def call(name: str, *texts: str) -> list[Any]:
            return list(CALLS[name](client, list(texts)))

        assert call("access") == [{"message": "Access granted"}]
        _until(lambda: call("health") == [{"status": "SERVING"}])
        assert call("whoami")[0]["sub"] == "ada"
        assert [note["text"] for note in call("add", "one", "")] == ["one", ""]
        assert call("import", "two", "three") == [{"imported": 2}]
        assert [note["id"] for note in call("chat", "four", "five")] == [5, 6]
        assert [note["text"] for note in call("list")[0]] == ["one", "", "two", "three", "four", "five"]


def test_client_command_prints_json_and_refusals(issuer: LocalIssuer) -> None:
    """JSON lines on stdout; a refusal is one line that names status and code, and exit code 1; misuse is 2."""
    with Process("samples.grpc_server", "--port", "0", environment=environment(issuer)) as server:
        address = server.address()

        def call(token: str, *words: str) -> tuple[int, list[str], str]:
            with Process("samples.grpc_client", "--address", address, *words, environment={"TOKEN": token}) as client:
                return client.wait(), client.lines, client.errors()

        assert call(issuer.mint(), "access") == (0, ['{"message": "Access granted"}'], "")
        refused: tuple[int, list[str], str] = (
            1,
            [],
            "UNAUTHENTICATED credentials_missing: no bearer token was presented\n",
        )
        assert call("", "access") == refused
        ended: tuple[int, list[str], str] = (1, [], "UNAUTHENTICATED token_expired: the token has expired\n")
        assert call(issuer.mint(scope=SCOPES, expires_in=3), "watch") == ended
        assert call("", "dance")[0] == 2


def test_demo_runs_every_case_and_stops_its_processes() -> None:
    """Exit code 0, a row for each story, and no process left."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "samples.demo"], cwd=ROOT, capture_output=True, text=True, timeout=110, check=False
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    rows = [line for line in done.stdout.splitlines() if re.search(r" [2-5]\d\d +[A-Z]", line)]
    for story in ("a good token", "no token", "expired", "wrong audience", "wrong issuer", "tampered", "alg: none"):
        assert any(row.startswith(story) for row in rows)
    for story in (
        "HS256 signed with the public key",
        "missing scope",
        "a new key, rotated in",
        "a token of a withdrawn key",
    ):
        assert any(row.startswith(story) for row in rows)
    assert "UNEXPECTED" not in done.stdout
    assert "13 cases, each as expected" in done.stdout
    assert not _listening(done.stdout)
    assert time.monotonic() - began < 110


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_prints_working_commands_and_stops_its_processes(number: signal.Signals) -> None:
    """The curl and client lines do what they say, as they stand; the page is served; one signal ends it all."""
    with Process("samples.run") as process:
        _until(lambda: any("/withdraw" in line for line in process.lines))
        lines = [line.strip() for line in process.lines]
        (over_http,) = [line for line in lines if line.startswith("curl") and "Bearer ey" in line]
        (over_grpc,) = [line for line in lines if line.startswith("TOKEN=")]
        assert '{"message":"Access granted"}' in _curl(over_http)
        assert '{"message": "Access granted"}' in _shell(over_grpc)
        (page,) = [line for line in lines if re.fullmatch(r"http://127\.0\.0\.1:\d+", line)]
        assert "<title>bearward playground</title>" in httpx2.get(page, timeout=30).text
        assert process.stop(number) == 0
        assert all(line.startswith("INFO bearward.") for line in process.errors().splitlines())
        assert not _listening("\n".join(process.lines))


def _curl(line: str) -> str:
    """What this curl line asks for, asked by our own client: curl need not be installed."""
    command, url, option, header = shlex.split(line)
    assert (command, option) == ("curl", "-H")
    name, _, value = header.partition(": ")
    return httpx2.get(url, headers={name: value}, timeout=30).text


def _shell(line: str) -> str:
    return subprocess.run(["sh", "-c", line], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout


def _listening(output: str) -> bool:
    """Whether anything still listens on an address in the output."""
    for address in set(re.findall(r"http://127\.0\.0\.1:\d+", output)):
        try:
            httpx2.get(address, timeout=5)
        except httpx2.TransportError:
            continue
        return True
    return False


def _kid(token: str) -> str:
    kid: str = json.loads(decode(token.partition(".")[0].encode()))["kid"]
    return kid


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
