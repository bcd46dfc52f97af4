"""How a request that outlives its token ends: cleanly, so that a client sees an end and not a broken connection.

Rules of this file: an upload whose body has not arrived completely is refused like any request, and its handler is
cancelled, even if the handler ignores that. A response of open length gets its last chunk, after which the handler sees
a cancellation and can clean up. A response with a declared length is finished: it cannot end early without being wrong.
Cancelling a handler never ends the task of an ASGI server.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from inspect import isawaitable
from typing import Any, Final

from sanic import Request
from sanic.asgi import ASGIApp
from sanic.http.constants import Stage
from sanic.response import BaseHTTPResponse, ResponseStream

from bearward import AuthError
from bearward_sanic.bodies import refuse_body
from bearward_sanic.context import OUTCOME, state_of

__all__ = ["can_end_response", "can_end_upload", "end_response", "end_upload", "ending_quietly", "upload_ended"]

_ENDED: Final = "_bearward_ended"
"""The reason, in place of a request that we have ended."""

_UPLOAD_ENDED: Final = "_bearward_upload_ended"

_RESPONSE: Final = "_bearward_response"
"""Where the response is kept under ASGI, since older Sanic forgets it once it has begun."""

_END_TIMEOUT: Final = 1.0
"""Seconds that a client which reads nothing may delay the end."""


def can_end_response(request: Request) -> bool:
    """Whether a response of open length is under way."""
    stream: Any = request.stream
    response = _response(request)
    return stream.stage is Stage.RESPONSE and response is not None and "content-length" not in response.headers


def can_end_upload(request: Request) -> bool:
    """Whether more of the body is to come, and no response has begun."""
    stream: Any = request.stream
    return stream.stage is Stage.HANDLER and bool(stream.request_body)


async def end_response(request: Request, task: asyncio.Task[Any], error: AuthError) -> None:
    """Send what closes the stream, then stop the handler, which sees a cancellation and can clean up."""
    stream: Any = request.stream
    response = _response(request)
    farewell = b""
    if (response.content_type or "").startswith("text/event-stream"):
        farewell = f"\n\nevent: {error.code}\ndata: {error.message}\n\n".encode()
    state_of(request)[_ENDED] = error
    try:
        async with asyncio.timeout(_END_TIMEOUT):
            await stream.send(farewell, end_stream=True)
    except Exception:  # noqa: BLE001, S110  (a client that is gone, or reads nothing, is cut off all the same)
        pass
    finally:
        task.cancel()


def end_upload(request: Request, task: asyncio.Task[Any], error: AuthError) -> None:
    """Stop the handler; `ending_quietly`, its wrapper, then refuses the request."""
    state = state_of(request)
    state[_ENDED] = state[_UPLOAD_ENDED] = error
    state[OUTCOME] = (error, (), False)
    refuse_body(request)
    task.cancel()


def upload_ended(request: Request) -> AuthError | None:
    """Why the upload of `request` was ended; then the task continues as if it had not been cancelled."""
    error: AuthError | None = state_of(request).get(_UPLOAD_ENDED)
    task = asyncio.current_task()
    if error is not None and task is not None and task.cancelling():
        task.uncancel()
    return error


def ending_quietly(handler: Callable[..., Any], *, asgi: bool) -> Callable[..., Any]:
    """`handler`, whose cancellation by us ends its request, and not the task that serves it."""

    @wraps(handler)
    async def quiet(request: Request, *args: Any, **kwargs: Any) -> Any:
        if asgi and isinstance(request.stream, ASGIApp):  # an application that ran under ASGI once stays marked so
            _remember_response(request)
        response = None
        try:
            response = handler(request, *args, **kwargs)
            if isawaitable(response):
                response = await response
        except asyncio.CancelledError:
            if not _was_ended(request):
                raise
            response = None
        error = upload_ended(request)
        if error is not None:  # also where the handler went on all the same
            raise error
        if isinstance(response, ResponseStream):
            response.streaming_fn = _streaming_quietly(request, response.streaming_fn)
        return response

    return quiet


def _streaming_quietly(request: Request, stream: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(stream)
    async def quiet(*args: Any, **kwargs: Any) -> Any:
        try:
            return await stream(*args, **kwargs)
        except asyncio.CancelledError:
            if not _was_ended(request):
                raise
            return None

    return quiet


def _response(request: Request) -> Any:
    stream: Any = request.stream
    return state_of(request).get(_RESPONSE) or stream.response


def _remember_response(request: Request) -> None:
    stream: Any = request.stream
    respond = stream.respond

    def remembering(response: BaseHTTPResponse) -> Any:
        state_of(request)[_RESPONSE] = response
        return respond(response)

    stream.respond = remembering


def _was_ended(request: Request) -> bool:
    """Whether it was we who cancelled; then the task continues as if it had not been cancelled."""
    task = asyncio.current_task()
    if task is None or _ENDED not in state_of(request):
        return False
    task.uncancel()
    return True
