"""`python -m samples.grpc_client`: call the protected service over gRPC from a shell.

Rule of this file: the token comes from the environment variable TOKEN, since arguments are for everybody to see;
results are JSON on stdout, a refusal is one line on stderr and exit code 1.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from samples.command_line import Parser, run_command
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub

__all__ = ["CALLS", "Client", "main", "refusal_line"]


class Client:
    """The calls, by their names on the command line; each yields JSON values."""

    def __init__(self, channel: grpc.Channel, token: str | None) -> None:
        self._stub = ProtectedServiceStub(channel)
        self._health: Any = health_pb2_grpc.HealthStub(channel)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    def access(self, texts: list[str]) -> Iterator[Any]:
        """Any valid token."""
        yield {"message": self._stub.Access(messages.AccessRequest(), metadata=self._metadata).message}

    def whoami(self, texts: list[str]) -> Iterator[Any]:
        """Whom the token speaks for."""
        yield json.loads(self._stub.WhoAmI(messages.WhoAmIRequest(), metadata=self._metadata).principal)

    def list_(self, texts: list[str]) -> Iterator[Any]:
        """All notes."""
        answer = self._stub.ListNotes(messages.ListNotesRequest(), metadata=self._metadata)
        yield [_note(note) for note in answer.notes]

    def add(self, texts: list[str]) -> Iterator[Any]:
        """Each text becomes a note."""
        for text in texts:
            yield _note(self._stub.AddNote(messages.AddNoteRequest(text=text), metadata=self._metadata))

    def watch(self, texts: list[str]) -> Iterator[Any]:
        """Each new note, until the token ends."""
        for note in self._stub.WatchNotes(messages.WatchNotesRequest(), metadata=self._metadata):
            yield _note(note)

    def import_(self, texts: list[str]) -> Iterator[Any]:
        """All texts in one call."""
        requests = (messages.ImportNotesRequest(text=text) for text in texts)
        yield {"imported": self._stub.ImportNotes(requests, metadata=self._metadata).imported}

    def chat(self, texts: list[str]) -> Iterator[Any]:
        """The texts in one conversation."""
        requests = (messages.ChatRequest(text=text) for text in texts)
        for note in self._stub.Chat(requests, metadata=self._metadata):
            yield _note(note)

    def health(self, texts: list[str]) -> Iterator[Any]:
        """Whether the server is ready; needs no token."""
        answer = self._health.Check(health_pb2.HealthCheckRequest())
        yield {"status": health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)}


CALLS: dict[str, Callable[[Client, list[str]], Iterator[Any]]] = {
    "access": Client.access,
    "whoami": Client.whoami,
    "list": Client.list_,
    "add": Client.add,
    "watch": Client.watch,
    "import": Client.import_,
    "chat": Client.chat,
    "health": Client.health,
}


def _note(note: messages.Note) -> dict[str, Any]:
    return {"id": note.id, "text": note.text, "author": note.author}


def refusal_line(error: grpc.RpcError) -> str:
    """`UNAUTHENTICATED token_expired: the token has expired`."""
    call: Any = error
    code = dict(call.trailing_metadata() or ()).get("bearward-code")
    return f"{call.code().name}{f' {code}' if code else ''}: {call.details()}"


def main() -> None:
    """Make one call."""
    parser = Parser("python -m samples.grpc_client", description="Call the protected service over gRPC.")
    parser.add_argument("--address", default="127.0.0.1:50051", help="HOST:PORT (default: %(default)s)")
    parser.add_argument("call", choices=CALLS)
    parser.add_argument("text", nargs="*", help="of the notes, for add, import and chat")
    arguments = parser.parse_args()
    try:
        with grpc.insecure_channel(arguments.address) as channel:
            client = Client(channel, os.environ.get("TOKEN"))
            for answer in CALLS[arguments.call](client, arguments.text):
                print(json.dumps(answer, ensure_ascii=False), flush=True)
    except grpc.RpcError as error:
        print(refusal_line(error), file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    run_command("samples.grpc_client", main)
