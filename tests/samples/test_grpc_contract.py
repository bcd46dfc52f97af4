"""The gRPC sample keeps its contract, on an event loop and in threads: methods, codes, who may, and how long."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase

from bearward.testing import LocalIssuer
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.samples.conftest import SCOPES
from tests.samples.servers import metadata

TIMEOUT = 30
SERVICE = "bearward.sample.v1.ProtectedService"

Call = Callable[[ProtectedServiceStub, Any], Any]


def _chat(texts: list[str]) -> Iterator[messages.ChatRequest]:
    return iter([messages.ChatRequest(text=text) for text in texts])


CALLS: list[tuple[str, str | None, Call]] = [
    ("Access", None, lambda stub, who: stub.Access(messages.AccessRequest(), metadata=who, timeout=TIMEOUT)),
    ("WhoAmI", None, lambda stub, who: stub.WhoAmI(messages.WhoAmIRequest(), metadata=who, timeout=TIMEOUT)),
    ("ListNotes", "read", lambda stub, who: stub.ListNotes(messages.ListNotesRequest(), metadata=who, timeout=TIMEOUT)),
    ("AddNote", "write", lambda stub, who: stub.AddNote(messages.AddNoteRequest(), metadata=who, timeout=TIMEOUT)),
    (
        "WatchNotes",
        "read",
        lambda stub, who: list(stub.WatchNotes(messages.WatchNotesRequest(), metadata=who, timeout=TIMEOUT)),
    ),
    ("ImportNotes", "write", lambda stub, who: stub.ImportNotes(iter(()), metadata=who, timeout=TIMEOUT)),
    ("Chat", "write", lambda stub, who: list(stub.Chat(iter(()), metadata=who, timeout=TIMEOUT))),
]


@pytest.mark.parametrize(("name", "scope", "call"), CALLS, ids=[row[0] for row in CALLS])
def test_every_method_needs_a_token_and_its_scope(
    stub: ProtectedServiceStub, issuer: LocalIssuer, name: str, scope: str | None, call: Call
) -> None:
    """No token: UNAUTHENTICATED; the wrong scope: PERMISSION_DENIED; each with the code of the refusal."""
    assert _refused(lambda: call(stub, None)) == ("UNAUTHENTICATED", "credentials_missing")
    if scope is not None:
        other = metadata(issuer.mint(scope="notes:write" if scope == "read" else "notes:read"))
        assert _refused(lambda: call(stub, other)) == ("PERMISSION_DENIED", "scope_insufficient")


def test_any_valid_token_gets_access_and_whoami(stub: ProtectedServiceStub, issuer: LocalIssuer) -> None:
    """The two responses of the contract."""
    who = metadata(issuer.mint(sub="ada"))
    assert stub.Access(messages.AccessRequest(), metadata=who, timeout=TIMEOUT).message == "Access granted"
    principal = json.loads(stub.WhoAmI(messages.WhoAmIRequest(), metadata=who, timeout=TIMEOUT).principal)
    assert (principal["iss"], principal["sub"]) == (issuer.url, "ada")


def test_notes_are_added_imported_and_listed(stub: ProtectedServiceStub, issuer: LocalIssuer) -> None:
    """An empty text is a valid note; an import returns their number."""
    who = metadata(issuer.mint(scope=SCOPES, sub="ada"))
    added = [stub.AddNote(messages.AddNoteRequest(text=text), metadata=who, timeout=TIMEOUT) for text in ("a", "", "ä")]
    assert [(note.text, note.author) for note in added] == [("a", "ada"), ("", "ada"), ("ä", "ada")]
    requests = iter([messages.ImportNotesRequest(text=text) for text in ("x", "", "y")])
    assert stub.ImportNotes(requests, metadata=who, timeout=TIMEOUT).imported == 3
    listed = stub.ListNotes(messages.ListNotesRequest(), metadata=who, timeout=TIMEOUT).notes
    assert [note.text for note in listed][-6:] == ["a", "", "ä", "x", "", "y"]


def test_oversized_messages_are_refused(stub: ProtectedServiceStub, issuer: LocalIssuer) -> None:
    """INVALID_ARGUMENT, and nothing stored of an import."""
    who = metadata(issuer.mint(scope=SCOPES))
    long = "x" * (1 << 20) + "y"
    before = stub.ListNotes(messages.ListNotesRequest(), metadata=who, timeout=TIMEOUT)
    requests = [messages.ImportNotesRequest(text="x"), messages.ImportNotesRequest(text=long)]
    calls: list[Callable[[], Any]] = [
        lambda: stub.AddNote(messages.AddNoteRequest(text=long), metadata=who, timeout=TIMEOUT),
        lambda: stub.ImportNotes(iter(requests), metadata=who, timeout=TIMEOUT),
        lambda: list(stub.Chat(_chat([long]), metadata=who, timeout=TIMEOUT)),
    ]
    for call in calls:
        assert _refused(call)[0] == "INVALID_ARGUMENT"
    assert stub.ListNotes(messages.ListNotesRequest(), metadata=who, timeout=TIMEOUT) == before


def test_watch_sends_metadata_at_once_and_then_each_note(stub: ProtectedServiceStub, issuer: LocalIssuer) -> None:
    """Nothing of the past, each note from now on, in order."""
    who = metadata(issuer.mint(scope=SCOPES))
    stub.AddNote(messages.AddNoteRequest(text="before"), metadata=who, timeout=TIMEOUT)
    watched = stub.WatchNotes(messages.WatchNotesRequest(), metadata=who, timeout=TIMEOUT)
    watched.initial_metadata()
    for text in ("one", "two"):
        stub.AddNote(messages.AddNoteRequest(text=text), metadata=who, timeout=TIMEOUT)
    assert [next(watched).text for _ in range(2)] == ["one", "two"]
    watched.cancel()


def test_chat_echoes_stored_note(stub: ProtectedServiceStub, issuer: LocalIssuer) -> None:
    """In order, the empty text too, and it ends when the caller has said all."""
    who = metadata(issuer.mint(scope="notes:write", sub="ada"))
    notes = list(stub.Chat(_chat(["a", "", "b"]), metadata=who, timeout=TIMEOUT))
    assert [(note.text, note.author) for note in notes] == [("a", "ada"), ("", "ada"), ("b", "ada")]


def test_streams_end_with_their_token(
    stub: ProtectedServiceStub, issuer: LocalIssuer, request: pytest.FixtureRequest
) -> None:
    """UNAUTHENTICATED, even without traffic; a blocked thread can only be cancelled."""
    quiet = threading.Event()

    def silent() -> Iterator[messages.ChatRequest]:
        quiet.wait(TIMEOUT)
        yield from ()

    in_threads = "grpc.server" in request.node.name
    allowed = {"UNAUTHENTICATED", "CANCELLED"} if in_threads else {"UNAUTHENTICATED"}
    try:
        who = metadata(issuer.mint(scope=SCOPES, expires_in=2))
        watching = stub.WatchNotes(messages.WatchNotesRequest(), metadata=who, timeout=TIMEOUT)
        talking = stub.Chat(silent(), metadata=who, timeout=TIMEOUT)
        assert _refused(lambda: list(watching))[0] in allowed
        assert _refused(lambda: list(talking))[0] in allowed
    finally:
        quiet.set()


def test_health_needs_no_token(channel: grpc.Channel) -> None:
    """The whole server, the service by its name, and the process itself are serving; another name is unknown."""
    health: Any = health_pb2_grpc.HealthStub(channel)
    for name in ("", SERVICE, "live"):
        # It listens before it has keys: watched, so that a server on a busy machine may still become ready.
        watched = health.Watch(health_pb2.HealthCheckRequest(service=name), timeout=TIMEOUT)
        assert any(answer.status == health_pb2.HealthCheckResponse.SERVING for answer in watched)
        watched.cancel()
    assert _refused(lambda: health.Check(health_pb2.HealthCheckRequest(service="x"), timeout=TIMEOUT))[0] == "NOT_FOUND"


def test_reflection_needs_no_token(channel: grpc.Channel) -> None:
    """Tools such as grpcurl find the service by asking."""
    assert SERVICE in ProtoReflectionDescriptorDatabase(channel).get_services()


def _refused(call: Callable[[], Any]) -> tuple[str, str | None]:
    with pytest.raises(grpc.RpcError) as caught:
        call()
    refusal: Any = caught.value
    return refusal.code().name, dict(refusal.trailing_metadata() or ()).get("bearward-code")
