"""One HTTP exchange of the loopback server: the request, the response, and both on the wire.

Rule of this file: bytes in, bytes out, HTTP/1.1 with connections kept alive; a body may be streamed without an end.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

__all__ = ["Request", "Response", "json_response", "serve_connection"]

_MAX_BODY = 1 << 20


@dataclass(frozen=True, slots=True)
class Request:
    """What a client sent. Header names are in lower case; the values of a repeated header are joined by a comma."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)
    client: str


@dataclass(frozen=True, slots=True)
class Response:
    """What is sent back. A body that is not `bytes` is sent piece by piece, chunked, for as long as it yields."""

    body: bytes | Iterable[bytes] = field(default=b"", repr=False)
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(document: Any, status: int = 200, **headers: str) -> Response:
    """A JSON document; in the names of `headers` an underscore stands for a hyphen."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(json.dumps(document).encode(), status, {"Content-Type": "application/json", **named})


def serve_connection(connection: socket.socket, respond: Callable[[Request], Response]) -> None:
    """Serve one connection to its end; raises `OSError` if the peer went away."""
    _Exchange(connection, respond)


class _Exchange(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 65536
    # Small responses in several writes would wait for the peer's delayed ACK.
    disable_nagle_algorithm = True

    def __init__(self, connection: socket.socket, respond: Callable[[Request], Response]) -> None:
        self._respond = respond
        # The third argument is a server that this class never asks for anything.
        super().__init__(connection, connection.getpeername(), None)  # type: ignore[arg-type]

    def _exchange(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isascii() or not length.isdigit():
            return self._send(Response(status=411, headers={"Connection": "close"}))
        if int(length) > _MAX_BODY:
            return self._send(Response(status=413, headers={"Connection": "close"}))
        body = self.rfile.read(int(length))
        return self._send(self._respond(self._request(body)))

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _exchange  # noqa: N815  (names that http.server looks for)

    def _request(self, body: bytes) -> Request:
        target = urlsplit(self.path)
        headers = {name.lower(): ", ".join(self.headers.get_all(name, ())) for name in self.headers}
        client = str(self.client_address[0])
        return Request(self.command, target.path, target.query, headers, body, client)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers.items():
            self.send_header(name, value)
        if not isinstance(response.body, bytes):
            self.send_header("Transfer-Encoding", "chunked")
        elif response.status != 304:
            self.send_header("Content-Length", str(len(response.body)))
        self.end_headers()
        if self.command != "HEAD":
            self._send_body(response.body)
        self.wfile.flush()

    def _send_body(self, body: bytes | Iterable[bytes]) -> None:
        if isinstance(body, bytes):
            self.wfile.write(body)
            return
        for piece in body:
            if piece:
                self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name that http.server gave it)
        """Log nothing: the output belongs to the test."""
