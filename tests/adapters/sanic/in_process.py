"""An application served on a real socket by a thread of the test's own process, for tests that build many of them."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from pathlib import Path
from typing import Any, Self

from sanic import Sanic

from tests.adapters.sanic.servers import Answer

App = Sanic[Any, Any]


def make_app(name: str = "served", **more: Any) -> Any:
    """An application without sanic-ext, which leaves no name in Sanic's register; `more` goes to `Sanic`."""
    app: App = Sanic(name, configure_logging=False, **more)
    Sanic._app_registry.pop(name)
    app.config.update(AUTO_EXTEND=False, TOUCHUP=False, ACCESS_LOG=False, MOTD=False)
    return app


class Serving:
    """`with Serving(app) as server: server.call("GET", "/")`; what stops the start is raised by `with`.

    With `unix` it listens on a socket of that name, and on no port.
    """

    def __init__(self, app: App, *, unix: Path | None = None) -> None:
        self._app = app
        self._unix = unix
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        if self._error is not None:
            raise self._error

    def call(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        headers: dict[str, str] | None = None,
        body: Any = None,
    ) -> Answer:
        """One request on its own connection."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        sent = dict(headers or {}) | ({} if token is None else {"Authorization": f"Bearer {token}"})
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def raw(self) -> socket.socket:
        """A connection to say anything on."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=30)

    def _serve(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # noqa: BLE001  (raised in the test's thread)
            self._error = error
        finally:
            self._ready.set()

    def _listener(self) -> socket.socket:
        if self._unix is None:
            return socket.create_server(("127.0.0.1", 0))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self._unix))
        return listener

    async def _run(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        with self._listener() as listener:
            self.port: int = listener.getsockname()[1] if self._unix is None else 0
            server: Any = await self._app.create_server(sock=listener, return_asyncio_server=True, access_log=False)
            try:
                await server.startup()
                await server.before_start()
                await server.after_start()
                self._ready.set()
                await self._stop.wait()
                await server.before_stop()
            finally:  # also where a listener stopped the start: uvloop hangs in closing a loop that still has a server
                await server.close()
            for connection in tuple(server.connections):
                connection.close()
            await server.after_stop()
