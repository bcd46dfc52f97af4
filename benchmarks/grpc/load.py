"""A load of unary calls, each with its own token: what h2load, which sends one set of headers, cannot do.

    python -m benchmarks.grpc.load --port 45001 --path /bench.v1.Echo/Unary --body BODY < TOKENS

Rules of this file: one HTTP/2 connection with so many calls in flight, as h2load does it; what is sent is made before
the first call, so that this side is never the slow one; an answer counts only if it brought a message. Prints how
many did.
"""

from __future__ import annotations

import argparse
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

from hpack import Encoder, HeaderTuple

_DATA, _HEADERS, _SETTINGS, _PING, _GOAWAY, _WINDOW_UPDATE = 0, 1, 4, 6, 7, 8  # RFC 9113 section 6
_END_STREAM, _ACK, _END_HEADERS = 0x1, 0x1, 0x4
_WIDE = 0x7FFF0000
_HEAD = struct.Struct(">BHBBI")  # length in 8 and 16 bits, type, flags, stream


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """One HTTP/2 frame."""
    return _HEAD.pack(len(payload) >> 16, len(payload) & 0xFFFF, kind, flags, stream) + payload


def request(stream: int, path: str, token: str, body: bytes) -> bytes:
    """A whole call: HEADERS and DATA. Nothing refers to an earlier call's headers, as with a caller who comes once."""
    block = Encoder().encode(
        [
            HeaderTuple(name, value)
            for name, value in (
                (":method", "POST"),
                (":scheme", "http"),
                (":path", path),
                (":authority", "127.0.0.1"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                ("authorization", f"Bearer {token}"),
            )
        ]
    )
    return frame(_HEADERS, _END_HEADERS, stream, block) + frame(_DATA, _END_STREAM, stream, body)


class Load:
    """One connection over which prepared calls are made."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._octets = b""
        self._answer = b""  # to what the server asks of every client
        self._window = 65535  # RFC 9113 section 6.9.2: what may be sent at first
        self.messages = 0
        self.ended = 0
        settings = frame(_SETTINGS, 0, 0, struct.pack(">HI", 4, _WIDE))
        widened = frame(_WINDOW_UPDATE, 0, 0, struct.pack(">I", _WIDE))
        self._socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + settings + widened)

    def run(self, calls: list[bytes], size: int, at_once: int) -> None:
        """Make the calls; `size` is that of the DATA of each."""
        begun = 0
        while self.ended < len(calls):
            room = min(at_once - (begun - self.ended), self._window // size)
            batch = calls[begun : begun + max(room, 0)]
            begun += len(batch)
            self._window -= size * len(batch)
            sent, self._answer = self._answer + b"".join(batch), b""
            if sent:
                self._socket.sendall(sent)
            self._take(self._socket.recv(1 << 18))

    def _take(self, octets: bytes) -> None:
        if not octets:
            raise ConnectionError("the server closed the connection")
        for kind, flags, stream, payload in self._frames(octets):
            if kind in (_DATA, _HEADERS):
                self.messages += kind == _DATA and bool(payload)
                self.ended += bool(flags & _END_STREAM)
            elif kind in (_SETTINGS, _PING) and not flags & _ACK:
                self._answer += frame(kind, _ACK, 0, payload if kind == _PING else b"")
            elif kind == _WINDOW_UPDATE and not stream:
                self._window += int.from_bytes(payload)
            elif kind == _GOAWAY:
                raise ConnectionError("the server goes away")

    def _frames(self, octets: bytes) -> Iterator[tuple[int, int, int, bytes]]:
        self._octets += octets
        at = 0
        while len(self._octets) - at >= _HEAD.size:
            high, low, kind, flags, stream = _HEAD.unpack_from(self._octets, at)
            end = at + _HEAD.size + (high << 16) + low
            if end > len(self._octets):
                break
            yield kind, flags, stream, self._octets[at + _HEAD.size : end]
            at = end
        self._octets = self._octets[at:]


def main() -> None:
    """Parse the command line and make one call for each token on standard input."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", required=True)
    parser.add_argument("--body", type=Path, required=True)
    parser.add_argument("--at-once", type=int, default=16)
    given = parser.parse_args()
    body = given.body.read_bytes()
    tokens = sys.stdin.read().split()
    calls = [request(2 * i + 1, given.path, token, body) for i, token in enumerate(tokens)]
    load = Load(given.port)
    load.run(calls, len(body), given.at_once)
    print(load.messages)


if __name__ == "__main__":
    main()
