"""Requests that are being served, and ending those that outlive their token.

Rules of this file: a request costs one entry in a dict and nothing else; a few times a second those that are still
being served are put under watch. What can be ended then, and how, is decided in `stream_end`; everything else is left
alone until it can be ended.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

from sanic import Request
from sanic.http.constants import Stage

from bearward import AuthError, Principal, Verifier
from bearward.bug_reports import report_bug
from bearward.reporter import Reporter
from bearward.watches import Watch
from bearward_sanic.connection_memory import SeenCredentials
from bearward_sanic.context import principal_of
from bearward_sanic.reports import operation_of
from bearward_sanic.stream_end import can_end_response, can_end_upload, end_response, end_upload

__all__ = ["LiveRequests"]

_LOG: Final = logging.getLogger("bearward.sanic")

_SCAN_INTERVAL: Final = 0.2
"""Seconds between two scans; an end comes at most this much after the token's."""

_IN_FLIGHT: Final = (Stage.HANDLER, Stage.RESPONSE)
"""While a request is being served."""


class _Tracked:
    """What was admitted on one stream, and the watch over a request that took longer than a scan."""

    __slots__ = ("ended", "request", "seen", "task", "upload", "watch")

    def __init__(self, task: asyncio.Task[Any] | None, seen: SeenCredentials | None, upload: bool) -> None:  # noqa: FBT001
        self.task = task
        self.seen = seen
        self.upload = upload
        self.request: Request | None = None
        self.watch: Watch | None = None
        self.ended: AuthError | None = None

    def end(self, error: AuthError) -> None:
        """Called by the watch."""
        self.ended = error

    def watch_over(self, request: Request, verifier: Verifier, leeway: float) -> None:
        """Have the end of the token behind `request` reported; a stream carries one request after the other."""
        if request is self.request:
            return
        self.unwatch()
        self.request = request
        principal = principal_of(request)
        if principal is not None:
            self.watch = verifier.watch(principal, self.end, leeway=leeway)

    def unwatch(self) -> None:
        """Forget the request."""
        if self.watch is not None:
            self.watch.close()
        self.request = self.watch = self.ended = None

    def release(self) -> None:
        """Forget everything; the connection's next request is tracked again."""
        self.unwatch()
        if self.seen is not None:
            self.seen.tracked = None


class LiveRequests:
    """The guarded requests of one worker that are being served."""

    def __init__(self, verifier: Verifier, reporter: Reporter, *, enabled: bool, leeway: float = 0.0) -> None:
        self._verifier = verifier
        self._reporter = reporter
        self._enabled = enabled
        self._leeway = leeway
        self._tracked: dict[Any, _Tracked] = {}
        """What was admitted, by the stream that it came on."""
        self._timer: asyncio.TimerHandle | None = None
        self._endings: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to scan, on the running event loop."""
        if self._enabled:
            self._timer = asyncio.get_running_loop().call_later(_SCAN_INTERVAL, self._scan)

    def stop(self) -> None:
        """Stop scanning and forget everything."""
        if self._timer is not None:
            self._timer.cancel()
        for stream in tuple(self._tracked):
            self._forget(stream)

    # Positional, since CPython 3.11 calls a function that has keyword-only arguments at twice the cost.
    def track(self, request: Request, seen: SeenCredentials | None = None, upload: bool = False) -> None:  # noqa: FBT001, FBT002
        """A request was admitted. One that its connection remembers as `seen` need not be tracked again until a scan.

        `upload` says that the handler reads the body by itself.
        """
        stream = request.stream
        if self._enabled:
            before = self._tracked.get(stream)
            if before is None or seen is not None or before.upload is not upload:
                if before is not None:
                    before.release()
                self._tracked[stream] = _Tracked(asyncio.current_task(), seen, upload)
        if seen is not None:
            seen.tracked = stream

    def ended(self, principal: Principal) -> AuthError | None:
        """Why a request of `principal` that took a while to come may not go on; None if it may."""
        if self._enabled:
            try:
                self._verifier.check_still_valid(principal, leeway=self._leeway)
            except AuthError as error:
                return error
        return None

    def _scan(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_SCAN_INTERVAL, self._scan)
        for stream, tracked in tuple(self._tracked.items()):
            request = getattr(stream, "request", None)
            task = tracked.task
            if task is None or task.done() or request is None or stream.stage not in _IN_FLIGHT:
                self._forget(stream)
                continue
            try:
                tracked.watch_over(request, self._verifier, self._leeway)
                if tracked.ended is not None and self._end(request, task, tracked.ended, upload=tracked.upload):
                    self._forget(stream)
            except Exception as bug:  # noqa: BLE001  (one request must not keep the others from ending)
                report_bug(_LOG, "the end of a request failed; it is cancelled", bug)
                task.cancel()
                self._forget(stream)

    def _end(self, request: Request, task: asyncio.Task[Any], error: AuthError, *, upload: bool) -> bool:
        """End what can be ended now; whether that was so."""
        ends_upload = upload and can_end_upload(request)
        if not ends_upload and not can_end_response(request):
            return False
        principal = principal_of(request)
        if principal is not None:
            self._reporter.ended(error, principal, operation_of(request))
        if ends_upload:
            end_upload(request, task, error)
            return True
        ending = asyncio.get_running_loop().create_task(
            end_response(request, task, error), name="bearward: end of a stream"
        )
        self._endings.add(ending)
        ending.add_done_callback(self._endings.discard)
        return True

    def _forget(self, stream: Any) -> None:
        tracked = self._tracked.pop(stream, None)
        if tracked is not None:
            tracked.release()
