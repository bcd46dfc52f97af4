"""The shapes of a call, and what a caller is told."""

from __future__ import annotations

import contextlib
import queue
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import grpc
from google.rpc import error_details_pb2, status_pb2  # type: ignore[import-untyped]

from tests.adapters.grpc.servers import SERVICE

TIMEOUT = 30.0
Metadata = tuple[tuple[str, str], ...]
Channel = Any  # the stubs cannot say which messages a method has


class Outcome(NamedTuple):
    """How a call ended."""

    status: grpc.StatusCode
    details: str
    trailers: dict[str, Any]
    messages: list[bytes]

    @property
    def code(self) -> Any:
        """The catalogue's code."""
        return self.trailers.get("bearward-code")

    @property
    def info(self) -> Any:
        """`google.rpc.ErrorInfo` of the answer."""
        return self.detail(error_details_pb2.ErrorInfo())

    @property
    def retry(self) -> Any:
        """`google.rpc.RetryInfo` of the answer."""
        return self.detail(error_details_pb2.RetryInfo())

    def detail(self, into: Any) -> Any:
        """One detail of the rich status, or None."""
        rich = status_pb2.Status.FromString(self.trailers["grpc-status-details-bin"])
        return next((into for packed in rich.details if packed.Unpack(into)), None)


def bearer(token: str) -> Metadata:
    """The metadata that carries `token`."""
    return (("authorization", f"Bearer {token}"),)


def _unary_unary(channel: Channel, metadata: Metadata, method: str = "UU") -> Outcome:
    return _single(channel.unary_unary(path(method)), b"hello", metadata)


def _unary_stream(channel: Channel, metadata: Metadata) -> Outcome:
    return collect(channel.unary_stream(path("US"))(b"hello", timeout=TIMEOUT, metadata=metadata))


def _stream_unary(channel: Channel, metadata: Metadata) -> Outcome:
    return _single(channel.stream_unary(path("SU")), iter([b"a", b"b"]), metadata)


def _stream_stream(channel: Channel, metadata: Metadata) -> Outcome:
    return collect(channel.stream_stream(path("SS"))(iter([b"a", b"b"]), timeout=TIMEOUT, metadata=metadata))


def _empty_stream(channel: Channel, metadata: Metadata) -> Outcome:
    return _single(channel.stream_unary(path("SU")), iter(()), metadata)


def _read_first(channel: Channel, metadata: Metadata) -> Outcome:
    requests = Requests()
    call = channel.stream_stream(path("SS"))(requests, timeout=TIMEOUT, metadata=metadata)
    with contextlib.closing(requests):
        try:
            first = next(call)
        except grpc.RpcError:
            return collect(call)
    outcome = collect(call)
    return outcome._replace(messages=[first, *outcome.messages])


def _unknown(channel: Channel, metadata: Metadata) -> Outcome:
    return _unary_unary(channel, metadata, "Nothing")


SHAPES: dict[str, Callable[[Channel, Metadata], Outcome]] = {
    "unary-unary": _unary_unary,
    "unary-stream": _unary_stream,
    "stream-unary": _stream_unary,
    "stream-stream": _stream_stream,
    "empty client stream": _empty_stream,
    "read-first bidi": _read_first,
    "unknown method": _unknown,
}
METHOD_OF = {
    "unary-unary": "UU",
    "unary-stream": "US",
    "stream-unary": "SU",
    "stream-stream": "SS",
    "empty client stream": "SU",
    "read-first bidi": "SS",
    "unknown method": "Nothing",
}


class Requests:
    """Request messages that a test sends one by one."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()

    def send(self, message: bytes) -> None:
        """One more message."""
        self._queue.put(message)

    def close(self) -> None:
        """No more messages."""
        self._queue.put(None)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._queue.get, None)

    def __next__(self) -> bytes:
        message = self._queue.get()
        if message is None:
            raise StopIteration
        return message


def path(method: str) -> str:
    """The full name of one of the echo service's methods."""
    return f"/{SERVICE}/{method}"


@contextlib.contextmanager
def channel_to(target: str) -> Iterator[Channel]:
    """Its own channel connection: grpc shares connections between channels with the same arguments."""
    with grpc.insecure_channel(target, options=(("grpc.use_local_subchannel_pool", 1),)) as channel:
        yield channel


def collect(call: Any) -> Outcome:
    """Everything that a stream of responses brings."""
    messages: list[bytes] = []
    with contextlib.suppress(grpc.RpcError):
        messages.extend(call)
    return _outcome(call, messages)


def _single(stub: Any, request: bytes | Iterable[bytes], metadata: Metadata) -> Outcome:
    try:
        answer, call = stub.with_call(request, timeout=TIMEOUT, metadata=metadata)
    except grpc.RpcError as error:
        return _outcome(error, [])
    return _outcome(call, [answer])


def _outcome(call: Any, messages: list[bytes]) -> Outcome:
    return Outcome(call.code(), call.details(), dict(call.trailing_metadata() or ()), messages)
