"""A gRPC client that is no gRPC client: raw HTTP/2 frames, so that a body can be withheld and headers can be odd."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

import h2.config
import h2.connection
import h2.events

_TIMEOUT = 30.0


@dataclass
class Reply:
    """What came back on one stream."""

    headers: list[dict[str, str]] = field(default_factory=list)
    body: bytes = b""
    ended: bool = False

    @property
    def trailers_only(self) -> bool:
        """Whether the whole answer was one HEADERS frame."""
        return self.ended and len(self.headers) == 1 and not self.body

    @property
    def status(self) -> int:
        """The gRPC status number."""
        return int(self.headers[-1]["grpc-status"])


class RawCall:
    """One HTTP/2 connection with one stream."""

    def __init__(
        self, port: int, method: str, metadata: Iterable[tuple[str, str | bytes]] = (), *, window: int | None = None
    ):
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT)
        settings = h2.config.H2Configuration(
            header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False
        )
        self._http = h2.connection.H2Connection(settings)
        self._http.initiate_connection()
        if window is not None:
            self._http.update_settings({4: window})  # SETTINGS_INITIAL_WINDOW_SIZE
        self._stream = self._http.get_next_available_stream_id()
        self._http.send_headers(
            self._stream,
            [
                (":method", "POST"),
                (":scheme", "http"),
                (":path", method),
                (":authority", "localhost"),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
                *metadata,
            ],
        )
        self.reply = Reply()
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def open_window(self, octets: int) -> None:
        """Let the server send `octets` more on this stream."""
        self._http.increment_flow_control_window(octets, self._stream)
        self._flush()

    def send(self, message: bytes, *, end: bool = False) -> None:
        """One message of the request."""
        self._http.send_data(self._stream, b"\0" + len(message).to_bytes(4, "big") + message, end_stream=end)
        self._flush()

    def half_close(self) -> None:
        """No message follows."""
        self._http.end_stream(self._stream)
        self._flush()

    def until_headers(self) -> Reply:
        """Read until the first HEADERS frame."""
        while not self.reply.headers and not self.reply.ended:
            self._read()
        return self.reply

    def until_end(self) -> Reply:
        """Read until the stream is over."""
        while not self.reply.ended:
            self._read()
        return self.reply

    def _read(self) -> None:
        octets = self._socket.recv(65536)
        if not octets:
            raise ConnectionError("the server closed the connection")
        for event in self._http.receive_data(octets):
            self._take(event)
        self._flush()

    def _take(self, event: h2.events.Event) -> None:
        if isinstance(event, h2.events.ResponseReceived | h2.events.TrailersReceived):
            self.reply.headers.append({str(name): str(value) for name, value in event.headers or ()})
        elif isinstance(event, h2.events.DataReceived):
            self.reply.body += event.data or b""
        elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
            self.reply.ended = True

    def _flush(self) -> None:
        self._socket.sendall(self._http.data_to_send())
