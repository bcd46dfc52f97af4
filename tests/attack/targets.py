"""What is attacked: the core in this process, and the two samples as processes.

Rule of this file: a target takes `Authorization` values as octets and says what came back. It never tidies a request,
never raises for what a target does, and knows whether its target still runs.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import psutil

from bearward.credentials import bearer_token
from bearward.errors import AuthError
from bearward.settings import Settings
from bearward.verifier import Verifier
from samples.processes import Process
from tests.attack.case import ACCEPTED, Answer
from tests.attack.grpc_wire import GRPCWire
from tests.attack.http_wire import HTTPWire

__all__ = ["TARGETS", "Target", "core", "grpc", "grpc_sync", "http"]


class Target(Protocol):
    """Something that judges credentials."""

    name: str

    def judge(self, values: Sequence[bytes]) -> Answer:
        """What comes of a request with these `Authorization` values."""

    def alive(self) -> bool:
        """Whether it still runs."""


class _Core:
    name = "core"

    def __init__(self, verifier: Verifier, run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self._verifier, self._run = verifier, run

    def judge(self, values: Sequence[bytes]) -> Answer:
        begun = time.perf_counter()
        try:
            token = bearer_token(values)
            self._run(self._verifier.verify(token))
            verdict = ACCEPTED
        except AuthError as refusal:
            verdict = refusal.code
        except Exception as error:  # noqa: BLE001  (this is what must not happen; the score tells it)
            verdict = f"error: {type(error).__name__}"
        return Answer(verdict, time.perf_counter() - begun)

    def alive(self) -> bool:
        return True


class _Sample:
    def __init__(self, name: str, process: Process, wire: HTTPWire | GRPCWire) -> None:
        self.name, self._process, self._wire = name, process, wire

    def judge(self, values: Sequence[bytes]) -> Answer:
        begun = time.perf_counter()
        try:
            verdict, detail = self._wire.ask(values)
        except OSError as error:
            verdict, detail = f"error: {type(error).__name__}", {}
        return Answer(verdict, time.perf_counter() - begun, detail)

    def alive(self) -> bool:
        return (
            psutil.pid_exists(self._process.pid) and psutil.Process(self._process.pid).status() != psutil.STATUS_ZOMBIE
        )


@contextmanager
def core(config: Path) -> Iterator[Target]:
    """The core's verifier, on an event loop in its own thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="attack-core", daemon=True)
    thread.start()

    def run(coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, loop).result(60)

    verifier = Settings.from_toml(config).verifier()
    try:
        run(verifier.start())
        yield _Core(verifier, run)
    finally:
        run(verifier.aclose())
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)
        loop.close()


@contextmanager
def http(config: Path) -> Iterator[Target]:
    """The HTTP sample, over our own socket."""
    with Process("samples.http_server", "--port", "0", "--config", str(config)) as process:
        host, _, port = process.address().rpartition(":")
        wire = HTTPWire(host, int(port))
        try:
            yield _Sample("http", process, wire)
        finally:
            wire.close()


@contextmanager
def grpc(config: Path) -> Iterator[Target]:
    """The gRPC sample, over HTTP/2 frames of our own."""
    with _grpc("grpc", config) as target:
        yield target


@contextmanager
def grpc_sync(config: Path) -> Iterator[Target]:
    """The same over a pool of threads."""
    with _grpc("grpc-sync", config, "--sync") as target:
        yield target


@contextmanager
def _grpc(name: str, config: Path, *arguments: str) -> Iterator[Target]:
    with Process("samples.grpc_server", "--port", "0", "--config", str(config), *arguments) as process:
        host, _, port = process.address().rpartition(":")
        wire = GRPCWire(host, int(port))
        try:
            yield _Sample(name, process, wire)
        finally:
            wire.close()


TARGETS = {"core": core, "http": http, "grpc": grpc, "grpc-sync": grpc_sync}
