"""The protected service over HTTP: its routes, and how they become JSON.

Rule of this file: translation only. The rule is above each route; the work is done in `samples.service`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any

from sanic import HTTPResponse, Request, Sanic, Websocket
from sanic.exceptions import SanicException
from sanic.response import json as json_response

from bearward import Principal
from bearward.verifier import Verifier
from bearward_sanic import public, requires
from samples.notes import Note
from samples.service import MAX_TEXT, READ, WRITE, ImportBatch, InvalidNoteError, ServiceThread, until_stopped

__all__ = ["App", "add_routes"]

App = Sanic[Any, Any]

ABOUT = {
    "service": "bearward sample: notes behind bearer tokens",
    "public": ["GET /", "GET /healthz", "GET /readyz"],
    "any valid token": ["GET /protected", "GET /whoami"],
    "notes:read": ["GET /notes", "GET /notes/stream"],
    "notes:write": ["POST /notes", "POST /notes/import", "websocket /notes/ws"],
}
# In JSON one character of a text may take twelve: two escapes for what UTF-16 writes as a pair.
_MAX_LINE = 6 * MAX_TEXT + 1024


def add_routes(app: App, service_thread: ServiceThread, verifier: Verifier, stopping: asyncio.Event) -> None:
    """Add every route of the contract to `app`."""
    _add_public(app, verifier)
    _add_simple(app, service_thread)
    _add_streams(app, service_thread, stopping)
    app.exception(InvalidNoteError)(_no_note)
    app.exception(SanicException)(_problem)


def _add_public(app: App, verifier: Verifier) -> None:
    @app.get("/")
    @public
    async def about(_: Request) -> HTTPResponse:
        return json_response(ABOUT)

    @app.get("/healthz")
    @public
    async def healthz(_: Request) -> HTTPResponse:
        return json_response({"status": "ok"})

    @app.get("/readyz")
    @public
    async def readyz(_: Request) -> HTTPResponse:
        health = verifier.health()
        return json_response(health.to_dict(), status=200 if health.ready else 503)


def _add_simple(app: App, service_thread: ServiceThread) -> None:
    service = service_thread.service

    @app.get("/protected")
    async def protected(_: Request) -> HTTPResponse:
        return json_response({"message": service.access()})

    @app.get("/whoami")
    async def whoami(request: Request) -> HTTPResponse:
        return json_response(service.whoami(_caller(request)))

    @app.get("/notes")
    @requires(READ)
    async def notes(_: Request) -> HTTPResponse:
        return json_response([note.to_dict() for note in await service_thread.do(service.notes)])

    @app.post("/notes")
    @requires(WRITE)
    async def add_note(request: Request) -> HTTPResponse:
        note = await service_thread.do(service.add_note, _caller(request), _text(request.body))
        return json_response(note.to_dict(), status=201)

    @app.post("/notes/import", stream=True)
    @requires(WRITE)
    async def import_notes(request: Request) -> HTTPResponse:
        importing = ImportBatch()
        async for line in _lines(request):
            importing.add(_text(line))
        count = await service_thread.do(service.import_notes, _caller(request), importing.texts)
        return json_response({"imported": count})


def _add_streams(app: App, service_thread: ServiceThread, stopping: asyncio.Event) -> None:
    service = service_thread.service

    @app.get("/notes/stream")
    @requires(READ)
    async def stream(request: Request) -> None:
        last = await service_thread.do(service.last)
        response = await request.respond(content_type="text/event-stream", headers={"cache-control": "no-store"})
        # A comment, so that the head goes out now; the first note may be long in coming.
        await response.send(": watching\n\n")
        async for note in until_stopped(stopping, service_thread.watch(last)):
            await response.send(f"id: {note.id}\ndata: {_json(note)}\n\n")
        await response.eof()

    @app.websocket("/notes/ws")  # type: ignore[untyped-decorator,unused-ignore]
    @requires(WRITE)
    async def chat(request: Request, ws: Websocket) -> None:
        async for text in until_stopped(stopping, _messages(ws)):
            note = await service_thread.do(service.add_note, _caller(request), text)
            await ws.send(_json(note))


async def _messages(ws: Any) -> AsyncIterator[str]:
    while True:
        message = await ws.recv()
        if message is None:
            return
        if not isinstance(message, str):
            # RFC 6455 section 7.4.1: 1003, a type of data that cannot be accepted.
            await ws.close(1003, "a note is text")
            return
        yield message


async def _lines(request: Request) -> AsyncIterator[bytes]:
    """The lines of a streamed body that are not empty, the last one with or without a line feed."""
    rest = b""
    while (piece := await request.stream.read()) is not None:  # type: ignore[union-attr]
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            if line.strip():
                yield line
        if len(rest) > _MAX_LINE:
            raise InvalidNoteError(f"a line must not be longer than {_MAX_LINE} bytes")
    if rest.strip():
        yield rest


def _text(body: bytes) -> str:
    try:
        document = json.loads(body.decode())
    except (ValueError, RecursionError):
        raise InvalidNoteError('must be JSON: {"text": "…"}') from None
    text = document.get("text") if isinstance(document, dict) else None
    if not isinstance(text, str):
        raise InvalidNoteError('must be a JSON object with a string: {"text": "…"}')
    return text


async def _no_note(_: Request, error: Exception) -> HTTPResponse:
    return _problem_json(HTTPStatus.BAD_REQUEST, str(error), code="invalid_note")


async def _problem(request: Request, error: SanicException) -> HTTPResponse:
    """What Sanic itself refuses: no such route, a body that is too large, a handshake that is none."""
    if error.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return request.app.error_handler.default(request, error)  # which logs it
    answer = _problem_json(HTTPStatus(error.status_code), str(error).strip())
    answer.headers.update(error.headers)
    return answer


def _problem_json(status: HTTPStatus, detail: str, **more: str) -> HTTPResponse:
    problem = {"title": status.phrase, "status": status.value, "detail": detail, **more}
    return json_response(problem, status=status, content_type="application/problem+json")


def _caller(request: Request) -> Principal:
    principal: Principal = request.ctx.principal
    return principal


def _json(note: Note) -> str:
    return json.dumps(note.to_dict(), ensure_ascii=False)
