"""HTTP/1.1 by hand: a client that sends whatever octets it is given, and reads what comes back.

Rule of this file: nothing of a request is tidied; of an answer only what RFC 9112 makes unambiguous is read.
"""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from tests.attack.case import ACCEPTED, TRANSPORT

__all__ = ["HTTPWire"]

_TIMEOUT = 30.0
_STATUS = {"credentials_malformed": 400, "credentials_repeated": 400, "keys_unavailable": 503}
"""Of what the table expects: other codes are 401 (RFC 6750 section 3.1)."""


class HTTPWire:
    """One connection at a time to `GET /protected`; a new one where the server closed the last."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._held = b""

    def ask(self, values: Sequence[bytes]) -> tuple[str, Mapping[str, Any]]:
        """The verdict, with status and headers; raises `OSError` if no whole answer comes."""
        lines = [b"GET /protected HTTP/1.1", b"Host: sample", *(b"Authorization: " + value for value in values)]
        request = b"\r\n".join(lines) + b"\r\n\r\n"
        fresh = self._socket is None
        try:
            status, headers, body = self._exchange(request)
        except OSError:
            if fresh:
                raise
            self.close()  # an idle connection that the server closed just now
            status, headers, body = self._exchange(request)
        if headers.get("connection", "").lower() == "close":
            self.close()
        return _verdict(status, headers, body), {"status": status, "headers": headers}

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket, self._held = None, b""

    def _exchange(self, request: bytes) -> tuple[int, dict[str, str], bytes]:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, _TIMEOUT)
        self._socket.sendall(request)
        head = self._until(b"\r\n\r\n").decode("latin-1")
        first, *lines = head.split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = self._exactly(int(headers.get("content-length", "0")))
        return int(first.split(" ")[1]), headers, body

    def _until(self, end: bytes) -> bytes:
        while end not in self._held:
            self._held += self._more()
        text, _, self._held = self._held.partition(end)
        return text

    def _exactly(self, count: int) -> bytes:
        while len(self._held) < count:
            self._held += self._more()
        body, self._held = self._held[:count], self._held[count:]
        return body

    def _more(self) -> bytes:
        assert self._socket is not None
        octets = self._socket.recv(65536)
        if not octets:
            self.close()
            raise ConnectionResetError("the server closed the connection without an answer")
        return octets


def _verdict(status: int, headers: Mapping[str, str], body: bytes) -> str:
    if status == 200:
        return ACCEPTED if b"Access granted" in body else "error: 200 without access"
    try:
        code = json.loads(body).get("code") if "json" in headers.get("content-type", "") else None
    except ValueError:
        code = None
    if code is None:
        return TRANSPORT if 400 <= status < 500 else f"error: status {status}"
    if status != _STATUS.get(code, 401):
        return f"error: status {status} with {code}"
    if status == 401 and "www-authenticate" not in headers:
        return "error: 401 without a challenge"
    return str(code)
