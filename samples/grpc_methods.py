"""The protected service over gRPC: its rules, and how its calls become messages.

Rule of this file: translation only. Who may call is said once, in `RULES`; what is done is `samples.service`.
"""

# ruff: noqa: N802  (the names of the methods are those of the .proto)
from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc

from bearward import Principal
from bearward_grpc import Rule, authenticated, current_principal
from samples.notes import Note
from samples.service import (
    READ,
    WRITE,
    ImportBatch,
    InvalidNoteError,
    ProtectedService,
    ServiceThread,
    until_stopped,
    validated_text,
)
from samples.v1 import sample_pb2, sample_pb2_grpc

__all__ = ["RULES", "SERVICE", "AioMethods", "SyncMethods"]

SERVICE = "bearward.sample.v1.ProtectedService"
RULES: dict[str, Rule] = {
    f"/{SERVICE}/Access": authenticated,
    f"/{SERVICE}/WhoAmI": authenticated,
    f"/{SERVICE}/ListNotes": READ,
    f"/{SERVICE}/AddNote": WRITE,
    f"/{SERVICE}/WatchNotes": READ,
    f"/{SERVICE}/ImportNotes": WRITE,
    f"/{SERVICE}/Chat": WRITE,
}

_STOPPING = (grpc.StatusCode.UNAVAILABLE, "the server is stopping")


class AioMethods(sample_pb2_grpc.ProtectedServiceServicer):
    """For grpc.aio. `stop` ends the calls that would not end by themselves."""

    def __init__(self, service_thread: ServiceThread) -> None:
        self._thread = service_thread
        self._service = service_thread.service
        self._stopping = asyncio.Event()

    def stop(self) -> None:
        """End the streams: grpc.aio leaves a traceback for those that it has to cancel."""
        self._stopping.set()

    async def Access(self, request: Any, context: Any) -> sample_pb2.AccessResponse:
        """Any valid token."""
        return sample_pb2.AccessResponse(message=self._service.access())

    async def WhoAmI(self, request: Any, context: Any) -> sample_pb2.WhoAmIResponse:
        """Any valid token."""
        return _whoami(self._service)

    async def ListNotes(self, request: Any, context: Any) -> sample_pb2.ListNotesResponse:
        """Scope notes:read."""
        return _listed(await self._thread.do(self._service.notes))

    async def AddNote(self, request: Any, context: Any) -> sample_pb2.Note:
        """Scope notes:write."""
        return await self._added(request.text, context)

    async def WatchNotes(self, request: Any, context: Any) -> AsyncIterator[sample_pb2.Note]:
        """Scope notes:read; the adapter ends the stream with its token."""
        last = await self._thread.do(self._service.last)
        # The caller learns at once that it was admitted; the first note may take long.
        await context.send_initial_metadata(())
        async for note in until_stopped(self._stopping, self._thread.watch(last)):
            yield _message(note)
        await self._refuse_if_stopping(context)

    async def ImportNotes(self, request_iterator: Any, context: Any) -> sample_pb2.ImportNotesResponse:
        """Scope notes:write."""
        importing = ImportBatch()
        try:
            async for request in until_stopped(self._stopping, aiter(request_iterator)):
                importing.add(request.text)
        except InvalidNoteError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        await self._refuse_if_stopping(context)
        count = await self._thread.do(self._service.import_notes, _caller(), importing.texts)
        return sample_pb2.ImportNotesResponse(imported=count)

    async def Chat(self, request_iterator: Any, context: Any) -> AsyncIterator[sample_pb2.Note]:
        """Scope notes:write; the adapter ends the stream with its token."""
        await context.send_initial_metadata(())
        async for request in until_stopped(self._stopping, aiter(request_iterator)):
            yield await self._added(request.text, context)
        await self._refuse_if_stopping(context)

    async def _added(self, text: str, context: Any) -> sample_pb2.Note:
        try:
            validated_text(text)
        except InvalidNoteError as error:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return _message(await self._thread.do(self._service.add_note, _caller(), text))

    async def _refuse_if_stopping(self, context: Any) -> None:
        if self._stopping.is_set():
            await context.abort(*_STOPPING)


class SyncMethods(sample_pb2_grpc.ProtectedServiceServicer):
    """For grpc.server: the same calls, each in a thread of the pool."""

    def __init__(self, service: ProtectedService) -> None:
        self._service = service
        self._stopping = threading.Event()

    def stop(self) -> None:
        """End the streams that watch."""
        self._stopping.set()

    def Access(self, request: Any, context: Any) -> sample_pb2.AccessResponse:
        """Any valid token."""
        return sample_pb2.AccessResponse(message=self._service.access())

    def WhoAmI(self, request: Any, context: Any) -> sample_pb2.WhoAmIResponse:
        """Any valid token."""
        return _whoami(self._service)

    def ListNotes(self, request: Any, context: Any) -> sample_pb2.ListNotesResponse:
        """Scope notes:read."""
        return _listed(self._service.notes())

    def AddNote(self, request: Any, context: Any) -> sample_pb2.Note:
        """Scope notes:write."""
        return self._added(request.text, context)

    def WatchNotes(self, request: Any, context: Any) -> Iterator[sample_pb2.Note]:
        """Scope notes:read."""
        last = self._service.last()
        context.send_initial_metadata(())
        for note in self._service.watch(last, lambda: context.is_active() and not self._stopping.is_set()):
            yield _message(note)
        if context.is_active():
            context.abort(*_STOPPING)

    def ImportNotes(self, request_iterator: Any, context: Any) -> sample_pb2.ImportNotesResponse:
        """Scope notes:write."""
        importing = ImportBatch()
        try:
            for request in request_iterator:
                importing.add(request.text)
        except InvalidNoteError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        return sample_pb2.ImportNotesResponse(imported=self._service.import_notes(_caller(), importing.texts))

    def Chat(self, request_iterator: Any, context: Any) -> Iterator[sample_pb2.Note]:
        """Scope notes:write."""
        context.send_initial_metadata(())
        for request in request_iterator:
            yield self._added(request.text, context)

    def _added(self, text: str, context: Any) -> sample_pb2.Note:
        try:
            return _message(self._service.add_note(_caller(), text))
        except InvalidNoteError as error:
            context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
            raise  # abort does not return


def _caller() -> Principal:
    principal = current_principal()
    assert principal is not None, "every method that asks for its caller has a rule"
    return principal


def _whoami(service: ProtectedService) -> sample_pb2.WhoAmIResponse:
    return sample_pb2.WhoAmIResponse(principal=json.dumps(service.whoami(_caller())))


def _message(note: Note) -> sample_pb2.Note:
    return sample_pb2.Note(id=note.id, text=note.text, author=note.author)


def _listed(notes: list[Note]) -> sample_pb2.ListNotesResponse:
    return sample_pb2.ListNotesResponse(notes=map(_message, notes))
