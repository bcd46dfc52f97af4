"""gRPC by hand: HTTP/2 frames with metadata of any octets, and what the trailers say.

Rule of this file: `h2` frames and packs headers and is told to check nothing that it sends.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.exceptions

from tests.attack.case import ACCEPTED, TRANSPORT

__all__ = ["GRPCWire"]

_TIMEOUT = 30.0
_METHOD = b"/bearward.sample.v1.ProtectedService/Access"
_EMPTY_MESSAGE = b"\x00\x00\x00\x00\x00"
_STATUS = {"keys_unavailable": 14}
"""Of what the table expects: other codes are UNAUTHENTICATED (16)."""


class GRPCWire:
    """One connection at a time; a new one where the server ended the last."""

    def __init__(self, host: str, port: int) -> None:
        self._address = (host, port)
        self._socket: socket.socket | None = None
        self._h2 = h2.connection.H2Connection()

    def ask(self, values: Sequence[bytes]) -> tuple[str, Mapping[str, Any]]:
        """The verdict, with the trailers; raises `OSError` if the server says nothing at all."""
        self._connect()
        assert self._socket is not None
        stream = self._h2.get_next_available_stream_id()
        headers = [
            (b":method", b"POST"),
            (b":scheme", b"http"),
            (b":path", _METHOD),
            (b":authority", b"sample"),
            (b"te", b"trailers"),
            (b"content-type", b"application/grpc"),
            *((b"authorization", value) for value in values),
        ]
        self._h2.send_headers(stream, headers)
        self._h2.send_data(stream, _EMPTY_MESSAGE, end_stream=True)
        self._socket.sendall(self._h2.data_to_send())
        trailers = self._answer(stream)
        return _verdict(trailers), trailers

    def close(self) -> None:
        """End the connection."""
        if self._socket is not None:
            self._socket.close()
        self._socket = None

    def _connect(self) -> None:
        if self._socket is not None:
            return
        config = h2.config.H2Configuration(
            client_side=True, validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding=None
        )
        self._h2 = h2.connection.H2Connection(config)
        self._socket = socket.create_connection(self._address, _TIMEOUT)
        self._h2.initiate_connection()
        self._socket.sendall(self._h2.data_to_send())

    def _answer(self, stream: int) -> dict[str, str]:
        """Headers and trailers of the answer, joined; what ended the stream instead under `ended`."""
        held: dict[str, str] = {}
        assert self._socket is not None
        while True:
            octets = self._socket.recv(65536)
            if not octets:
                self.close()
                return held | {"ended": "closed"}
            for event in self._h2.receive_data(octets):
                if (
                    isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived)
                    and event.stream_id == stream
                ):
                    held |= {_text(name): _text(value) for name, value in event.headers or ()}
                elif isinstance(event, h2.events.StreamEnded) and event.stream_id == stream:
                    self._flush()
                    return held
                elif isinstance(event, h2.events.StreamReset) and event.stream_id == stream:
                    self._flush()
                    return held | {"ended": "reset"}
                elif isinstance(event, h2.events.ConnectionTerminated):
                    self.close()
                    return held | {"ended": "goaway"}
            self._flush()

    def _flush(self) -> None:
        if self._socket is not None:
            self._socket.sendall(self._h2.data_to_send())


def _text(octets: bytes | str) -> str:
    return octets if isinstance(octets, str) else octets.decode("latin-1")


def _verdict(trailers: Mapping[str, str]) -> str:
    status = trailers.get("grpc-status")
    code = trailers.get("bearward-code")
    if code is not None:
        right = str(_STATUS.get(code, 16))
        return code if status == right else f"error: status {status} with {code}"
    if status == "0":
        return ACCEPTED
    if status in ("2", "13") and "ended" not in trailers:
        return f"error: status {status}"
    return TRANSPORT
