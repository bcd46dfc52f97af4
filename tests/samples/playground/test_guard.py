"""Who may use the page: where it listens, by which names, from which page, with which token; and what it may load."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bearward import AuthError
from samples.playground.app import STATIC
from samples.playground.guard import CONTENT_SECURITY_POLICY, PageTokens
from samples.playground.serving import page_socket
from samples.processes import Process
from tests.samples.playground.conftest import Api

ROOT = Path(__file__).resolve().parents[3]
BUDGET = 150_000


@pytest.mark.thorough
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "example.com", "127.0.0.1.example.com"])
def test_only_loopback_is_listened_on(host: str) -> None:
    """Any other address ends the command with one line that names the setting, before anything is started."""
    command = [sys.executable, "-m", "samples.playground", "--host", host, "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("samples.playground: --host: must be a loopback address")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_loopback_is_listened_on(host: str) -> None:
    """By its number or its name."""
    with page_socket(host, 0) as sock:
        assert sock.getsockname()[0] == "127.0.0.1"


@pytest.mark.thorough
@pytest.mark.parametrize("lifetime", ["9", "3601"])
def test_page_tokens_live_seconds_to_an_hour(lifetime: str) -> None:
    """Anything else is one line and exit code 2."""
    command = [sys.executable, "-m", "samples.playground", "--page-token-lifetime", lifetime]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert done.stderr == "samples.playground: --page-token-lifetime: must be from 10 to 3600 seconds\n"


def test_page_is_small() -> None:
    """All that a browser loads is less than 150 KB, before any compression."""
    assert sum(path.stat().st_size for path in STATIC.iterdir()) < BUDGET


def test_page_loads_only_its_own_files() -> None:
    """Its scripts and styles are files of their own beside it; nothing is inline, and nothing comes from elsewhere."""
    page = (STATIC / "index.html").read_text()
    assert not re.search(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", page)
    for path in STATIC.iterdir():
        text = path.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|@import|innerHTML|insertAdjacentHTML|document\.write|eval\(", text), path.name
        for name in re.findall(r"""from "\./([\w.]+)";|(?:src|href)="/([\w.]+)\"""", text):
            assert (STATIC / (name[0] or name[1])).is_file()


def test_page_tokens_are_of_an_issuer_of_their_own() -> None:
    """The local issuer's key is not theirs: no button, and no token from the mint, reaches the page's own rights."""
    origin = "http://127.0.0.1:7000"
    first, second = PageTokens(origin, 60), PageTokens(origin, 60)
    assert first.verifier.verify_now(first.grant()["access_token"]).subject == "page"
    with pytest.raises(AuthError) as refused:
        first.verifier.verify_now(second.grant()["access_token"])
    assert refused.value.code == "key_unknown"


@pytest.mark.thorough
def test_every_response_carries_the_policy(playground: Process, api: Api) -> None:
    """Files, answers, refusals and mistakes alike: scripts and styles from here alone, and no frame around it."""
    paths = ["/", "/main.js", "/style.css", "/nowhere", "/live", "/do/mint"]
    responses = [api.client.get(path) for path in paths] + [api.client.post("/session"), api.client.post("/do/mint")]
    for response in responses:
        assert response.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["cross-origin-resource-policy"] == "same-origin"
        assert "access-control-allow-origin" not in response.headers
        assert "set-cookie" not in response.headers
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert responses[6].headers["cache-control"] == "no-store"


@pytest.mark.thorough
@pytest.mark.parametrize("act", ["about", "mint", "break", "sign", "send", "rules", "issuer", "revoke", "streams"])
def test_every_act_needs_the_page_s_token(api: Api, act: str) -> None:
    """Without one, and with one from the mint, which is for the servers: 401."""
    minted = api.mint(scope="playground:use")
    for headers in ({}, {"authorization": f"Bearer {minted}"}):
        response = api.client.post(f"/do/{act}", json={}, headers=headers)
        assert response.status_code == 401
    assert api.client.get("/live", headers={"authorization": f"Bearer {minted}"}).status_code == 401


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"host": "attacker.example"}, 421),
        ({"host": "attacker.example:80", "origin": "http://attacker.example"}, 421),
        ({"host": "127.0.0.1"}, 421),
        ({"origin": "http://attacker.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "https://{own}"}, 403),
        ({"origin": ""}, 403),
        ({"origin": None}, 403),
        ({"origin": "http://{own}", "sec-fetch-site": "cross-site"}, 403),
        ({"origin": "http://{own}", "sec-fetch-site": "same-site"}, 403),
        ({"origin": "http://{own}", "sec-fetch-site": "same-origin"}, 200),
        ({"origin": "http://{own}"}, 200),
        ({"host": "localhost:{port}", "origin": "http://localhost:{port}"}, 200),
        ({"host": "localhost:{port}", "origin": "http://{own}"}, 403),
    ],
    ids=str,
)
def test_token_is_granted_to_the_page_alone(playground: Process, fields: dict[str, Any], status: int) -> None:
    """Not under another name of this machine (DNS rebinding), not to another page (CSRF)."""
    own = playground.address()
    port = int(own.rpartition(":")[2])
    sent = {"host": own, "content-length": "0", "connection": "close"}
    sent |= {name: value and value.format(own=own, port=port) for name, value in fields.items()}
    lines = [f"{name}: {value}" for name, value in sent.items() if value is not None]
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall("\r\n".join(["POST /session HTTP/1.1", *lines, "", ""]).encode())
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    assert int(answer.split()[1]) == status
    assert (b"access_token" in answer) is (status == 200)


@pytest.mark.thorough
def test_two_hosts_are_refused(playground: Process) -> None:
    """A request with two `Host` fields, or none, is not the page's."""
    own = playground.address()
    port = int(own.rpartition(":")[2])
    for hosts in ([own, own], []):
        lines = [f"host: {host}" for host in hosts]
        with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
            connection.sendall("\r\n".join(["GET / HTTP/1.1", *lines, "connection: close", "", ""]).encode())
            assert int(connection.recv(65536).split()[1]) in (400, 421)


@pytest.mark.thorough
def test_live_stream_ends_with_the_pages_token(api: Api) -> None:
    """The server ends it, and says why in its last event."""
    began = api.authorized()
    with api.client.stream("GET", "/live", headers=began) as response:
        lines = list(response.iter_lines())
    assert [line for line in lines if line.startswith("event: ")][-1] == "event: token_expired"
    assert json.loads(next(line for line in lines if line.startswith("data: {"))[6:])["servers"]


@pytest.mark.thorough
def test_files_are_listed_and_nothing_else_is_served(api: Api) -> None:
    """There is no path to climb out of."""
    for path in ("/../app.py", "/%2e%2e/app.py", "/static/index.html", "/app.py"):
        response = httpx2.get(f"{api.url}{path}", trust_env=False)
        assert response.status_code in (401, 404)
