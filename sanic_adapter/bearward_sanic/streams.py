"""Streamed responses that outlive their token: ended cleanly, so that a client sees an end and not a broken line.

Rules of this file: a request pays one entry in a dict and nothing else; a few times a second those that are still
being answered are put under watch. A response that has not begun is left alone until it streams; one whose length was
promised is finished, since it was granted as a whole and cannot end early without lying.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

from sanic import Request
from sanic.http.constants import Stage

from bearward import AuthError, Verifier
from bearward.watches import Watch
from bearward_sanic.connection_memory import SeenCredentials
from bearward_sanic.context import principal_of, state_of

__all__ = ["ENDED", "RESPONSE", "LiveRequests"]

ENDED: Final = "_bearward_ended"
"""Set on `request.ctx` once we have ended the response."""

RESPONSE: Final = "_bearward_response"
"""Where `request.ctx` keeps the response under ASGI, since older Sanic forgets it once it has begun."""

_SCAN_INTERVAL: Final = 0.2
"""Seconds between two looks; an end comes at most this much after the token's."""

_END_TIMEOUT: Final = 1.0
"""Seconds that a client which reads nothing may delay the end."""

_UNTRACKED: Final = (None, None)


class _TrackedRequest:
    """A request that took longer than a look, and its watch."""

    __slots__ = ("ended", "request", "watch")

    def __init__(self, request: Request) -> None:
        self.request = request
        self.ended: AuthError | None = None
        self.watch: Watch | None = None

    def end(self, error: AuthError) -> None:
        """Called by the watch."""
        self.ended = error

    def close(self) -> None:
        if self.watch is not None:
            self.watch.close()


class LiveRequests:
    """The guarded requests of one worker that are being answered."""

    def __init__(self, verifier: Verifier, *, enabled: bool, leeway: float = 0.0) -> None:
        self._verifier = verifier
        self._enabled = enabled
        self._leeway = leeway
        self._tracked: dict[Any, tuple[asyncio.Task[Any] | None, SeenCredentials | None]] = {}
        """What was let in, by the stream that it came on; looked through a few times a second."""
        self._live: dict[Any, _TrackedRequest] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to look, on the running event loop."""
        if self._enabled:
            self._timer = asyncio.get_running_loop().call_later(_SCAN_INTERVAL, self._scan)

    def stop(self) -> None:
        """Stop looking and forget everything."""
        if self._timer is not None:
            self._timer.cancel()
        for stream in tuple(self._tracked):
            self._forget(stream)

    def track(self, request: Request, seen: SeenCredentials | None = None) -> None:
        """A request was let in. One that its connection remembers as `seen` need not be noted again until then."""
        stream = request.stream
        if self._enabled:
            self._unmark(stream)
            self._tracked[stream] = asyncio.current_task(), seen
        if seen is not None:
            seen.tracked = stream

    def _scan(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_SCAN_INTERVAL, self._scan)
        for stream, (task, _) in tuple(self._tracked.items()):
            request = getattr(stream, "request", None)
            live = self._live.get(stream)
            if live is not None and live.request is not request:
                self._unwatch(stream)
                live = None
            if task is None or task.done() or request is None or not _in_flight(request):
                self._forget(stream)
                continue
            if live is None:
                live = self._live[stream] = _TrackedRequest(request)
                principal = principal_of(request)
                if principal is not None:
                    live.watch = self._verifier.watch(principal, live.end, leeway=self._leeway)
            if live.ended is not None and _can_end(request):
                self._end(request, task, live.ended)
                self._forget(stream)

    def _forget(self, stream: Any) -> None:
        self._unwatch(stream)
        self._unmark(stream)
        self._tracked.pop(stream, None)

    def _unwatch(self, stream: Any) -> None:
        live = self._live.pop(stream, None)
        if live is not None:
            live.close()

    def _unmark(self, stream: Any) -> None:
        """Have the connection's next request noted anew."""
        _, seen = self._tracked.get(stream, _UNTRACKED)
        if seen is not None:
            seen.tracked = None

    def _end(self, request: Request, task: asyncio.Task[Any], error: AuthError) -> None:
        ending = asyncio.get_running_loop().create_task(_end(request, task, error), name="bearward: end of a stream")
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)


def _in_flight(request: Request) -> bool:
    stream: Any = request.stream
    return stream is not None and stream.stage in (Stage.HANDLER, Stage.RESPONSE)


def _can_end(request: Request) -> bool:
    """Whether a response of open length is under way."""
    stream: Any = request.stream
    response = _response(request)
    return stream.stage is Stage.RESPONSE and response is not None and "content-length" not in response.headers


def _response(request: Request) -> Any:
    stream: Any = request.stream
    return state_of(request).get(RESPONSE) or stream.response


async def _end(request: Request, task: asyncio.Task[Any], error: AuthError) -> None:
    """Send what closes the stream, then stop the handler, which sees a cancellation and can clean up."""
    stream: Any = request.stream
    response = _response(request)
    farewell = b""
    if (response.content_type or "").startswith("text/event-stream"):
        farewell = f"\n\nevent: {error.code}\ndata: {error.refusal.message}\n\n".encode()
    state_of(request)[ENDED] = True
    try:
        async with asyncio.timeout(_END_TIMEOUT):
            await stream.send(farewell, end_stream=True)
    except Exception:  # noqa: BLE001, S110  (a client that is gone, or reads nothing, is cut off all the same)
        pass
    finally:
        task.cancel()
