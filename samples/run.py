"""`python -m samples.run`: issuer, servers and playground, up until Ctrl-C, and ready-made lines to call them.

Rule of this file: what it prints can be pasted into another shell as it stands.
"""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.parse
import urllib.request
from functools import partial
from pathlib import Path

from samples.command_line import Parser, run_command
from samples.playground.scene import Scene, running_scene
from samples.playground.serving import PAGE_TOKEN_LIFETIME, page_socket, serve_page
from samples.processes import exit_on_signals

__all__ = ["main"]

HOST = "127.0.0.1"
SCOPE = "notes:read notes:write"

LINES = """\
issuer {issuer}   HTTP {http}   gRPC {grpc}   (Ctrl-C stops them all)

A page that shows how they judge tokens, in a browser on this machine:

  {page}

Ready to paste into another shell, here:

  curl {http}/protected -H "Authorization: Bearer {token}"

  TOKEN={token} {python} -m samples.grpc_client --address {address} access

That token is good for five minutes. For the lines below, a fresh one:

  export TOKEN=$(curl -s {issuer}/token -d grant_type=client_credentials -d client_id=ada \\
      --data-urlencode 'scope={scope}' | {python} -c 'import json, sys; print(json.load(sys.stdin)["access_token"])')

Over HTTP:

  curl -i {http}/protected
  curl -i {http}/protected -H "Authorization: Bearer $TOKEN"
  curl {http}/whoami -H "Authorization: Bearer $TOKEN"
  curl {http}/notes -H "Authorization: Bearer $TOKEN" -d '{{"text": "milk"}}'
  curl {http}/notes -H "Authorization: Bearer $TOKEN"
  curl -N {http}/notes/stream -H "Authorization: Bearer $TOKEN"

Over gRPC, where the same notes are:

  {python} -m samples.grpc_client --address {address} access
  {python} -m samples.grpc_client --address {address} add bread
  {python} -m samples.grpc_client --address {address} list
  {python} -m samples.grpc_client --address {address} watch

Roll the signing key; then publish the new one alone:

  curl -X POST {issuer}/rotate
  curl -X POST {issuer}/withdraw
"""


def fresh_token(issuer: str) -> str:
    """A token from `POST /token`, with all scopes of the sample."""
    form = {"grant_type": "client_credentials", "client_id": "ada", "scope": SCOPE}
    request = urllib.request.Request(f"{issuer}/token", urllib.parse.urlencode(form).encode())  # noqa: S310  (loopback)
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        token: str = json.load(answer)["access_token"]
    return token


def print_lines(scene: Scene, token: str, page: str) -> None:
    """Say how to call them."""
    values = {"issuer": scene.issuer.url, "http": scene.http, "grpc": f"grpc://{scene.grpc}", "address": scene.grpc}
    print(LINES.format(**values, page=page, token=token, scope=SCOPE, python=sys.executable), flush=True)


def run(folder: Path) -> None:
    """Start everything, say how to call it, and wait."""
    with page_socket(HOST, 0) as sock, running_scene(folder) as scene:
        token = fresh_token(scene.issuer.url)
        serve_page(scene, sock, HOST, lifetime=PAGE_TOKEN_LIFETIME, say_ready=partial(print_lines, scene, token))
        print("stopping", flush=True)


def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    Parser("python -m samples.run", description="Issuer, servers, a page, and lines to call them.").parse_args()
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="bearward-run-") as folder:
        run(Path(folder))


if __name__ == "__main__":
    run_command("samples.run", main)
