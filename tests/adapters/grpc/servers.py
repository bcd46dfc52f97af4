"""Real gRPC servers for the tests: one echo service, on grpc.aio and on grpc.server.

Rules of this file: servers listen on free ports of loopback and are gone when the context ends. A grpc.aio server runs
in a thread with its own event loop, so that one and the same client, the sync one, calls both kinds: grpc's aio client
loses the status of calls that it is still writing to (grpc issue 36066).
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
import uvloop

from bearward.verifier import Verifier
from bearward_grpc import AuthInterceptor, Policy, Rule, SyncAuthInterceptor, current_principal, guarded_server

SERVICE = "lab.v1.Echo"
KINDS = ("aio", "aio-guarded", "sync")
"""`aio-guarded` is made by `guarded_server`, and runs on uvloop."""
Rules = Policy | Mapping[str, Rule]
_Others = tuple[Sequence[Any], Sequence[Any]]
_Told = tuple[int, Mapping[str, Any]]  # threads, and what else grpc is told


@dataclass
class Seen:
    """What came as far as the handlers: bodies that were decoded, handlers that ran and for whom."""

    bodies: list[bytes] = field(default_factory=list)
    callers: list[str | None] = field(default_factory=list)

    def decode(self, body: bytes) -> bytes:
        """A deserializer that remembers."""
        self.bodies.append(body)
        return body

    def caller(self) -> bytes:
        """Remember who calls, and answer it."""
        principal = current_principal()
        self.callers.append(principal.subject if principal is not None else None)
        return (self.callers[-1] or "nobody").encode()


@dataclass
class Running:
    """A server that runs."""

    target: str
    seen: Seen
    verifier: Verifier
    interceptor: Any
    on_loop: Callable[[Coroutine[Any, Any, Any]], Any]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.target.rpartition(":")[2])


Methods = Mapping[str, "grpc.RpcMethodHandler[Any, Any]"]


def methods(behaviors: Mapping[str, Callable[..., Any]], decode: Callable[[bytes], Any] | None = None) -> Methods:
    """Handlers by name; the first two letters of a name are its kind (`UU`, `US`, `SU`, `SS`)."""
    make: dict[str, Callable[..., Any]] = {
        "UU": grpc.unary_unary_rpc_method_handler,
        "US": grpc.unary_stream_rpc_method_handler,
        "SU": grpc.stream_unary_rpc_method_handler,
        "SS": grpc.stream_stream_rpc_method_handler,
    }
    return {name: make[name[:2]](behavior, request_deserializer=decode) for name, behavior in behaviors.items()}


def async_echo(seen: Seen) -> dict[str, Callable[..., Any]]:
    """Each answer starts with the caller's subject."""

    async def unary_unary(request: bytes, _: Any) -> bytes:
        return seen.caller() + b":" + request

    async def unary_stream(request: bytes, _: Any) -> AsyncIterator[bytes]:
        yield seen.caller()
        yield request

    async def stream_unary(requests: AsyncIterator[bytes], _: Any) -> bytes:
        return seen.caller() + b":" + b",".join([request async for request in requests])

    async def stream_stream(requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:
        yield seen.caller()
        async for request in requests:
            yield request

    return {"UU": unary_unary, "US": unary_stream, "SU": stream_unary, "SS": stream_stream}


def sync_echo(seen: Seen) -> dict[str, Callable[..., Any]]:
    """The same with plain functions."""

    def unary_unary(request: bytes, _: Any) -> bytes:
        return seen.caller() + b":" + request

    def unary_stream(request: bytes, _: Any) -> Iterator[bytes]:
        yield seen.caller()
        yield request

    def stream_unary(requests: Iterator[bytes], _: Any) -> bytes:
        return seen.caller() + b":" + b",".join(requests)

    def stream_stream(requests: Iterator[bytes], _: Any) -> Iterator[bytes]:
        yield seen.caller()
        yield from requests

    return {"UU": unary_unary, "US": unary_stream, "SU": stream_unary, "SS": stream_stream}


def register(server: Any, handlers: Methods, service: str = SERVICE) -> None:
    """Register as generated code does."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, dict(handlers)),))
    add = getattr(server, "add_registered_method_handlers", None)
    if add is not None:
        add(service, handlers)


@contextlib.contextmanager
def serving(
    kind: str,
    verifier: Verifier,
    rules: Rules,
    *,
    behaviors: Callable[[Seen], dict[str, Callable[..., Any]]] | None = None,
    outside: Sequence[Any] = (),
    inside: Sequence[Any] = (),
    add: Callable[[Any], None] | None = None,
    credentials: grpc.ServerCredentials | None = None,
    workers: int = 8,
    options: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Iterator[Running]:
    """A guarded server of `kind`; `outside` and `inside` are further interceptors, `options` what grpc is told."""
    serve = _serving_sync if kind == "sync" else _serving_aio
    make = behaviors or (sync_echo if kind == "sync" else async_echo)

    def prepare(server: Any, seen: Seen) -> str:
        register(server, methods(make(seen), seen.decode))
        if add is not None:
            add(server)
        if credentials is not None:
            return f"localhost:{server.add_secure_port('127.0.0.1:0', credentials)}"
        return f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"

    with serve(kind, verifier, rules, prepare, (outside, inside), (workers, options or {}), settings) as running:
        yield running


@contextlib.contextmanager
def bare_server(kind: str, behaviors: Callable[[Seen], dict[str, Callable[..., Any]]]) -> Iterator[tuple[str, Seen]]:
    """A server of `kind` without any interceptor: its target, and what its handlers saw."""
    seen = Seen()
    handlers = methods(behaviors(seen), seen.decode)

    def prepare(server: Any) -> str:
        register(server, handlers)
        return f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"

    if kind == "sync":
        with ThreadPoolExecutor(8) as pool:
            server = grpc.server(pool)
            target = prepare(server)
            server.start()
            try:
                yield target, seen
            finally:
                server.stop(0).wait(30)
        return

    async def start() -> tuple[Any, str]:
        server = grpc.aio.server(migration_thread_pool=ThreadPoolExecutor(8))
        target = prepare(server)
        await server.start()
        return server, target

    with running_loop(kind) as on_loop:
        server, target = on_loop(start())
        try:
            yield target, seen
        finally:
            on_loop(server.stop(0))


@contextlib.contextmanager
def _serving_sync(
    _: str, verifier: Verifier, rules: Rules, prepare: Any, others: _Others, told: _Told, settings: dict[str, Any]
) -> Iterator[Running]:
    interceptor = SyncAuthInterceptor(verifier, rules, **settings)
    background, seen = interceptor.background, Seen()
    background.start(wait=30)
    with ThreadPoolExecutor(told[0]) as pool:
        server = grpc.server(pool, interceptors=[*others[0], interceptor, *others[1]], **told[1])
        target = prepare(server, seen)
        server.start()
        try:
            yield Running(target, seen, verifier, interceptor, lambda work: background.submit(work).result(30))
        finally:
            server.stop(0).wait(30)
            background.stop()


@contextlib.contextmanager
def _serving_aio(
    kind: str, verifier: Verifier, rules: Rules, prepare: Any, others: _Others, told: _Told, settings: dict[str, Any]
) -> Iterator[Running]:
    async def start() -> tuple[Any, str, Any, Seen]:
        await verifier.start()
        interceptor, seen = AuthInterceptor(verifier, rules, **settings), Seen()
        pool, (outside, inside) = ThreadPoolExecutor(told[0]), others
        if kind == "aio-guarded":
            server = guarded_server(
                interceptor, outside=outside, inside=inside, migration_thread_pool=pool, check=False, **told[1]
            )
        else:
            interceptors = (*outside, interceptor, *inside)
            server = grpc.aio.server(migration_thread_pool=pool, interceptors=interceptors, **told[1])
        target = prepare(server, seen)
        await server.start()
        return server, target, interceptor, seen

    with running_loop(kind) as on_loop:
        server, target, interceptor, seen = on_loop(start())
        try:
            yield Running(target, seen, verifier, interceptor, on_loop)
        finally:
            on_loop(server.stop(0))
            on_loop(verifier.aclose())


@contextlib.contextmanager
def running_loop(kind: str) -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    """An event loop of `kind` in its own thread: what runs a coroutine on it and waits."""
    loop = uvloop.new_event_loop() if kind == "aio-guarded" else asyncio.new_event_loop()
    thread = threading.Thread(target=_run_loop, args=(loop,), name="aio-server")
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(30)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(30)


def _run_loop(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
