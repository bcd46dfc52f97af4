"""`python -m samples.demo`: watch real tokens be accepted and refused by a real gRPC and a real Sanic server.

Rule of this file: every server is a process on a free port, every call goes over a socket; a response that is not the
expected one, or a server that does not end cleanly, makes the exit code 1.
"""

from __future__ import annotations

import sys
import tempfile
import textwrap
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple

import grpc
import httpx2

from samples.command_line import Parser, run_command
from samples.demo_cases import CASES, Case, Issuers
from samples.processes import Process, exit_on_signals
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub

__all__ = ["main"]

AUDIENCE = "https://api.example"
SETTINGS = """
notes = '{notes}'

[[issuers]]
issuer = '{issuer}'
audience = '{audience}'

[issuers.keys]
cooldown = 0.1  # the demo rolls keys faster than anybody should
"""
_TIMEOUT = 10.0
_WIDTHS = (40, 7, 18)


class Response(NamedTuple):
    """What a transport responded: its status, and the code of the refusal or the message."""

    status: str
    text: str


class Servers:
    """The protected service over both transports, as a client sees it."""

    def __init__(self, client: httpx2.Client, http: str, channel: grpc.Channel) -> None:
        self._client = client
        self._http = http
        self._stub = ProtectedServiceStub(channel)

    def over_http(self, token: str | None, *, write: bool) -> Response:
        """`GET /protected`, or `POST /notes`."""
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        if write:
            response = self._client.post(f"{self._http}/notes", json={"text": "demo"}, headers=headers)
        else:
            response = self._client.get(f"{self._http}/protected", headers=headers)
        document: dict[str, Any] = response.json()
        return Response(str(response.status_code), document.get("code") or document.get("message") or "")

    def over_grpc(self, token: str | None, *, write: bool) -> Response:
        """`Access`, or `AddNote`."""
        metadata = None if token is None else (("authorization", f"Bearer {token}"),)
        try:
            if write:
                self._stub.AddNote(messages.AddNoteRequest(text="demo"), metadata=metadata, timeout=_TIMEOUT)
                return Response("OK", "")
            request = messages.AccessRequest()
            return Response("OK", self._stub.Access(request, metadata=metadata, timeout=_TIMEOUT).message)
        except grpc.RpcError as error:
            call: Any = error
            trailers = dict(call.trailing_metadata() or ())
            return Response(call.code().name, trailers.get("bearward-code", call.details()))

    def shared_note(self, token: str) -> bool:
        """Whether a note that is written over HTTP is read over gRPC."""
        headers = {"authorization": f"Bearer {token}"}
        written = self._client.post(f"{self._http}/notes", json={"text": "from HTTP"}, headers=headers).json()
        metadata = (("authorization", f"Bearer {token}"),)
        read = self._stub.ListNotes(messages.ListNotesRequest(), metadata=metadata, timeout=_TIMEOUT)
        return (written.get("id"), "from HTTP") in {(note.id, note.text) for note in read.notes}


def run(folder: Path) -> bool:
    """Start everything, try every case, stop everything; returns whether all was as expected."""
    processes: list[Process] = []
    with ExitStack() as stack:

        def start(module: str, *arguments: str) -> Process:
            process = stack.enter_context(Process(module, "--port", "0", *arguments))
            processes.append(process)
            return process

        trusted, untrusted = start("samples.issuer"), start("samples.issuer")
        settings = folder / "settings.toml"
        notes = folder / "notes.sqlite"
        settings.write_text(SETTINGS.format(notes=notes, issuer=trusted.url(), audience=AUDIENCE))
        http, over_grpc = (start(f"samples.{kind}_server", "--config", str(settings)) for kind in ("http", "grpc"))
        client = stack.enter_context(httpx2.Client(timeout=_TIMEOUT))
        channel = stack.enter_context(grpc.insecure_channel(over_grpc.address()))
        issuers = Issuers(client, trusted.url(), untrusted.url())
        print(f"issuer {trusted.url()}, Sanic {http.url()}, gRPC {over_grpc.url()}\n")
        expected = try_all(Servers(client, http.url(), channel), issuers)
    return expected and ended_cleanly(processes)


def try_all(servers: Servers, issuers: Issuers) -> bool:
    """Print the table; returns whether every response was the expected one."""
    _print_row("tried", "HTTP", "gRPC", "why")
    shared = servers.shared_note(issuers.token)
    right = [_try(servers, case, case.token(issuers)) for case in CASES]
    print(f"\na note written over HTTP {'was' if shared else 'WAS NOT'} read over gRPC")
    wrong = len(right) - sum(right)
    print(f"{len(right)} cases, {wrong} unexpected" if wrong else f"{len(right)} cases, each as expected")
    return shared and all(right)


def _try(servers: Servers, case: Case, token: str | None) -> bool:
    over_http = servers.over_http(token, write=case.write)
    over_grpc = servers.over_grpc(token, write=case.write)
    expected = case.refused or "Access granted"
    right = over_http == (str(case.status), expected) and over_grpc == (case.grpc, expected)
    why = over_http.text if over_http.text == over_grpc.text else f"{over_http.text} / {over_grpc.text}"
    _print_row(case.what, over_http.status, over_grpc.status, why if right else f"{why}  UNEXPECTED, not {expected}")
    return right


def _print_row(what: str, over_http: str, over_grpc: str, why: str) -> None:
    cells = (text.ljust(width) for text, width in zip((what, over_http, over_grpc), _WIDTHS, strict=True))
    print(" ".join((*cells, why)), flush=True)


def ended_cleanly(processes: list[Process]) -> bool:
    """Whether every process exited with code 0 and an empty stderr."""
    clean = True
    for process in processes:
        if process.wait() != 0 or process.errors():
            clean = False
            print(f"{process.name} ended with {process.wait()}:\n{textwrap.indent(process.errors(), '  ')}")
    return clean


def main() -> None:
    """Run the demo."""
    Parser("python -m samples.demo", description="Watch tokens be accepted and refused.").parse_args()
    exit_on_signals()
    with tempfile.TemporaryDirectory(prefix="bearward-demo-") as folder:
        right = run(Path(folder))
    sys.exit(0 if right else 1)


if __name__ == "__main__":
    run_command("samples.demo", main)
