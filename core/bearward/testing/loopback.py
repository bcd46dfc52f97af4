"""A small HTTP server in threads, for tests: it can go down, be slow, hold requests back, and count them.

Rule of this file: it knows nothing about tokens. It passes a `Request` to a function and sends the `Response`; whatever
can go wrong with a real server can be made to go wrong here, on purpose.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable

from bearward.testing.exchange import Request, Response, serve_connection

__all__ = ["LoopbackServer"]


class LoopbackServer:
    """Serves what `respond` returns on `host`:`port` (0: any free port) from `start` until `close`.

    All methods may be called from any thread. Times are seconds.
    """

    def __init__(
        self,
        respond: Callable[[Request], Response],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.host = host
        self.port: int = port
        self._handler = respond
        self._tls = tls
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._counts: Counter[str] = Counter()
        self._state = threading.Condition()
        self._open_gate = threading.Event()
        self._open_gate.set()
        self._closed = threading.Event()
        self._delay = 0.0
        self._threads: set[threading.Thread] = set()

    def up(self) -> None:
        """Listen; after `down`, on the same port again. Raises `OSError` if the port are not available."""
        with self._state:
            if self._listener is not None:
                return
            family = socket.AF_INET6 if ":" in self.host else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            try:
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                listener.bind((self.host, self.port))
                listener.listen(128)
            except OSError:
                listener.close()
                raise
            self.port = listener.getsockname()[1]
            self._listener = listener
            self._spawn(self._accept, listener)

    def down(self) -> None:
        """Refuse connections and cut open ones, like a server that died."""
        with self._state:
            listener, self._listener = self._listener, None
            connections = tuple(self._connections)
        if listener is not None:
            _hang_up(listener)
            listener.close()
        for connection in connections:
            _hang_up(connection)

    def close(self) -> None:
        """Shut down permanently and wait for the threads."""
        self._closed.set()
        self._open_gate.set()
        self.down()
        with self._state:
            threads = tuple(self._threads)
        for thread in threads:
            if thread is not threading.current_thread():
                thread.join(timeout=10)

    def slow(self, seconds: float) -> None:
        """Wait this long before each response from now on; 0 stops that."""
        self._delay = seconds

    def hold(self) -> None:
        """Accept requests but do not respond until `release`."""
        self._open_gate.clear()

    def release(self) -> None:
        """Respond to the requests that were held."""
        self._open_gate.set()

    def requests(self, path: str | None = None) -> int:
        """How many requests have arrived, for one path or in total, including those without a response yet."""
        with self._state:
            return self._counts.total() if path is None else self._counts[path]

    def wait_for_requests(self, path: str, count: int = 1, *, timeout: float = 30.0) -> None:
        """Block until there were `count` requests for `path` in total; raises `TimeoutError` after `timeout`."""
        with self._state:
            if not self._state.wait_for(lambda: self._counts[path] >= count, timeout):
                raise TimeoutError(f"{path} was asked for {self._counts[path]} times in {timeout} s, not {count}")

    def _spawn(self, run: Callable[[socket.socket], None], sock: socket.socket) -> None:
        thread = threading.Thread(target=self._tracked, args=(run, sock), name="bearward-loopback", daemon=True)
        self._threads.add(thread)
        thread.start()

    def _tracked(self, run: Callable[[socket.socket], None], sock: socket.socket) -> None:
        try:
            run(sock)
        finally:
            with self._state:
                self._threads.discard(threading.current_thread())

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._state:
                if self._listener is not listener:
                    connection.close()
                    return
                self._connections.add(connection)
                self._spawn(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        current = connection
        try:
            # A peer that goes away, or a handshake that fails, ends this connection and nothing else.
            with contextlib.suppress(OSError):
                if self._tls is not None:
                    current = self._tls.wrap_socket(connection, server_side=True)
                    self._swap(connection, current)
                serve_connection(current, self._respond)
        finally:
            with self._state:
                self._connections.discard(current)
            current.close()

    def _swap(self, old: socket.socket, new: socket.socket) -> None:
        with self._state:
            self._connections.discard(old)
            self._connections.add(new)

    def _respond(self, request: Request) -> Response:
        with self._state:
            self._counts[request.path] += 1
            self._state.notify_all()
        self._open_gate.wait()
        if self._delay:
            self._closed.wait(self._delay)
        return self._handler(request)


def _hang_up(sock: socket.socket) -> None:
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
