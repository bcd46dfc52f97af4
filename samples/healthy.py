"""`python -m samples.healthy TARGET`: exits with 0 if a server lives, for the health check of a container.

TARGET is `http://host:port/path`, which must answer 200, or `grpc://host:port/service`, which must report SERVING.
Rule of this file: it asks once, waits two seconds at most, and says nothing but its exit code and one line.
"""

from __future__ import annotations

import sys
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

__all__ = ["is_healthy", "main"]

_TIMEOUT = 2.0
_SERVING = health_pb2.HealthCheckResponse.SERVING


def is_healthy(target: str) -> bool:
    """Whether the server at `target` says that it lives."""
    parts = urlsplit(target)
    if parts.scheme == "grpc":
        return _grpc(parts.netloc, parts.path.removeprefix("/"))
    if parts.scheme != "http":
        raise ValueError(target)
    try:
        with urllib.request.urlopen(target, timeout=_TIMEOUT) as response:  # noqa: S310  (http only, just checked)
            return bool(response.status == 200)
    except (urllib.error.URLError, TimeoutError):
        return False


def _grpc(address: str, service: str) -> bool:
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        try:
            request = health_pb2.HealthCheckRequest(service=service)
            stub: Any = health_pb2_grpc.HealthStub(channel)
            answer = stub.Check(request, timeout=_TIMEOUT, wait_for_ready=True)
        except grpc.RpcError:
            return False
    return bool(answer.status == _SERVING)


def main() -> int:
    """Ask the target that is named; 2 for a wrong use."""
    if len(sys.argv) != 2 or not sys.argv[1].startswith(("http://", "grpc://")):
        print("usage: python -m samples.healthy http://host:port/path | grpc://host:port/service", file=sys.stderr)
        return 2
    healthy = is_healthy(sys.argv[1])
    print(f"{sys.argv[1]}: {'healthy' if healthy else 'not healthy'}")
    return 0 if healthy else 1


if __name__ == "__main__":
    sys.exit(main())
