"""The sample servers as tests start them, and how they are asked, whatever they speak."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import grpc
import httpx2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub

TIMEOUT = 30
SERVERS = [["samples.http_server"], ["samples.http_server", "--workers", "2"]]
SERVERS += [["samples.grpc_server"], ["samples.grpc_server", "--sync"]]


def bearer(token: str) -> dict[str, str]:
    """The header that presents a token."""
    return {"authorization": f"Bearer {token}"}


def metadata(token: str) -> tuple[tuple[str, str], ...]:
    """The metadata that presents a token."""
    return (("authorization", f"Bearer {token}"),)


def channel_to(stack: ExitStack, url: str) -> grpc.Channel:
    """A channel to `grpc://127.0.0.1:1234`, open as long as the stack is."""
    channel: grpc.Channel = stack.enter_context(grpc.insecure_channel(url.partition("://")[2]))
    return channel


def is_ready(url: str) -> bool:
    """Whether the server says that it is ready, at `/readyz` or by its health service."""
    if url.startswith("http"):
        answer = httpx2.get(f"{url}/readyz", timeout=TIMEOUT)
        assert answer.status_code == (200 if answer.json()["ready"] else 503)
        return answer.status_code == 200
    with grpc.insecure_channel(url.partition("://")[2]) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        status = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT, wait_for_ready=True).status
        return bool(status == health_pb2.HealthCheckResponse.SERVING)


def access(url: str, token: str) -> str:
    """What a caller hears: the message, or the code of the refusal."""
    if url.startswith("http"):
        answer = httpx2.get(f"{url}/protected", headers=bearer(token), timeout=TIMEOUT).json()
        return str(answer.get("message") or answer["code"])
    with grpc.insecure_channel(url.partition("://")[2]) as channel:
        try:
            request = messages.AccessRequest()
            stub = ProtectedServiceStub(channel)
            return stub.Access(request, metadata=metadata(token), timeout=TIMEOUT).message
        except grpc.RpcError as error:
            call: Any = error
            return str(dict(call.trailing_metadata())["bearward-code"])


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that other processes do."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def until_heard(url: str, token: str, answer: str) -> None:
    """Wait until a caller with this token hears this answer."""
    until(lambda: access(url, token) == answer)


def becomes_ready(url: str) -> None:
    """Wait until the server says so several times: there may be several workers."""
    until(lambda: all(is_ready(url) for _ in range(5)))
