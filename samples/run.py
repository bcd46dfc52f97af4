"""`python -m samples.run`: issuer, HTTP and gRPC server, up until Ctrl-C, and ready-made lines to call them.

Rule of this file: what it prints can be pasted into another shell as it stands.
"""

from __future__ import annotations

import json
import sys
import tempfile
import urllib.parse
import urllib.request
from contextlib import ExitStack
from pathlib import Path

from samples.command_line import Parser, run_command, stop_event, wait_for_stop
from samples.processes import Process, exit_on_signals

__all__ = ["main"]

AUDIENCE = "https://api.example"
SCOPE = "notes:read notes:write"

LINES = """\
issuer {issuer}   HTTP {http}   gRPC {grpc}   (Ctrl-C stops all three)

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


def run(folder: Path) -> None:
    """Start all three, say how to call them, and wait."""
    with ExitStack() as stack:

        def start(module: str, *arguments: str, **environment: str) -> Process:
            return stack.enter_context(Process(module, "--port", "0", *arguments, environment=environment, echo=True))

        issuer = start("samples.issuer").url()
        settings = {"BEARWARD_ISSUER": issuer, "BEARWARD_AUDIENCE": AUDIENCE}
        settings["BEARWARD_NOTES"] = str(folder / "notes.sqlite")
        http, over_grpc = start("samples.http_server", **settings), start("samples.grpc_server", **settings)
        values = {"issuer": issuer, "http": http.url(), "grpc": over_grpc.url(), "address": over_grpc.address()}
        token = fresh_token(issuer)
        stop = stop_event()
        print(LINES.format(**values, token=token, scope=SCOPE, python=sys.executable), flush=True)
        wait_for_stop(stop)
        print("stopping", flush=True)


def main() -> None:
    """Run until Ctrl-C or SIGTERM."""
    Parser("python -m samples.run", description="Issuer, HTTP and gRPC server, and lines to call them.").parse_args()
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="bearward-run-") as folder:
        run(Path(folder))


if __name__ == "__main__":
    run_command("samples.run", main)
