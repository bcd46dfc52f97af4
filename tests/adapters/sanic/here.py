"""The application under test, served by a thread of the test's own process on the newest Sanic.

Rules of this file: only where the environment asks for it, as `make mutation` does: it sees which lines a black-box test
runs, and changes them, in its own process alone. Elsewhere a server is a process, as it is in production.
"""

from __future__ import annotations

import asyncio
import io
import logging
import os
import socket
import sys
import threading
from typing import Any, Self

from sanic import Sanic

from tests.adapters.sanic.app_under_test import make_app
from tests.adapters.sanic.servers import START, Kind, Server

ASKED = "BEARWARD_SERVERS_HERE"
"""The environment variable that asks for it."""


def server_class(kind: Kind, options: dict[str, Any]) -> type[Server]:
    """What serves this kind. A test that reads an access log reads that of a process."""
    here = ASKED in os.environ and kind.python == sys.executable and "access_log" not in options
    return ServerHere if here else Server


class ServerHere(Server):
    """As `Server`, but for its process."""

    def __enter__(self) -> Self:
        listener = socket.create_server(("127.0.0.1", 0))
        self.port = listener.getsockname()[1]
        self._log = io.StringIO()
        self._handler = logging.StreamHandler(self._log)
        self._handler.addFilter(self._is_ours)
        logging.getLogger().addHandler(self._handler)
        self._ready = threading.Event()
        self._ended: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(listener,), daemon=True)
        self._thread.start()
        assert self._ready.wait(START)
        if self._ended is not None:
            raise AssertionError("the server did not start") from self._ended
        if self.waits_for_keys:
            self._wait_for_keys()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        logging.getLogger().removeHandler(self._handler)

    def begin_to_stop(self) -> None:
        """Ask the server to stop."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)

    def stop(self) -> int:
        """End the server; 0 where nothing went wrong."""
        self.begin_to_stop()
        self._thread.join(30)
        return 0 if self._ended is None and not self._thread.is_alive() else 1

    def log(self) -> str:
        """What was logged so far."""
        return self._log.getvalue()

    def _is_ours(self, record: logging.LogRecord) -> bool:
        """Not what another server of this process, or a test, has logged."""
        return record.thread == self._thread.ident

    def _run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listener))
        except BaseException as error:  # noqa: BLE001  (raised in the test's thread, or its exit code)
            self._ended = error
        finally:
            self._ready.set()
            listener.close()

    async def _serve(self, listener: socket.socket) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        app = make_app(self._options())
        Sanic._app_registry.pop(app.name)
        app.config.update(TOUCHUP=False, MOTD=False)
        app.after_server_start(self._is_ready, priority=-2_000_000)
        serve = {"native": _native, "uvicorn": _by_uvicorn, "hypercorn": _by_hypercorn}[self.kind.server]
        await serve(app, listener, self._stop)

    async def _is_ready(self, _: Any) -> None:
        self._ready.set()


async def _native(app: Any, listener: socket.socket, stop: asyncio.Event) -> None:
    server: Any = await app.create_server(sock=listener, return_asyncio_server=True)
    await server.startup()
    await server.before_start()
    await server.after_start()
    await stop.wait()
    await server.before_stop()
    await server.close()
    for connection in tuple(server.connections):
        connection.close()
    await server.after_stop()


async def _by_uvicorn(app: Any, listener: socket.socket, stop: asyncio.Event) -> None:
    import uvicorn

    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="on"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    await asyncio.wait([serving, asyncio.create_task(stop.wait())], return_when=asyncio.FIRST_COMPLETED)
    server.should_exit = True
    await serving


async def _by_hypercorn(app: Any, listener: socket.socket, stop: asyncio.Event) -> None:
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{os.dup(listener.fileno())}"]
    await serve(app, config, shutdown_trigger=stop.wait)
