"""`python -m samples.grpc_server`: the protected service over grpc.aio, or with `--sync` over a thread pool.

Rule of this file: it starts, serves and ends. It listens whether or not its issuer can be reached; the health service
says which.
"""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import grpc
import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from bearward import ConfigurationError, SettingsReloader
from bearward.request_explanation import check_explain_address
from bearward.settings import Settings
from bearward.verifier import Verifier
from bearward_grpc import (
    AuthInterceptor,
    SyncAuthInterceptor,
    VerifierThread,
    check_on_start,
    guarded_server,
    metadata_size_options,
    redact_logs,
)
from samples.command_line import (
    RELOAD,
    STOPS,
    Parser,
    bind_socket,
    ignore_reload,
    listening_origins,
    load,
    notes_path,
    open_notes,
    print_ready,
    run_command,
    stop_event,
    wait_for_stop,
)
from samples.event_link import linked_verifier
from samples.grpc_methods import RULES, SERVICE, AioMethods, SyncMethods
from samples.proxy import forwarded_certificate
from samples.service import ProtectedService, ServiceThread
from samples.v1 import sample_pb2_grpc

__all__ = ["main"]

OPTIONS = (("grpc.so_reuseport", 0), *metadata_size_options())
"""Without the first two servers may share a port, and each gets a part of the calls. Without the others gRPC refuses
calls with more than 8 KiB of metadata at random, and a token may have 16."""
GRACE = 2.0
"""Seconds that calls have to end by themselves when the server stops."""
THREADS = 32
_LOOK_AGAIN = 0.1


async def serve(reload: Callable[[], Settings], host: str, port: int) -> None:
    """Serve over grpc.aio until SIGTERM or SIGINT; SIGHUP has the settings read again."""
    settings, stop = reload(), _stop_event()
    port = _known_port(settings, host, port)
    verifier = linked_verifier(settings, "grpc.aio", default_origins=listening_origins(host, port))
    reloader = SettingsReloader(verifier, reload, settings)
    asyncio.get_running_loop().add_signal_handler(RELOAD, reloader.reload_soon)
    service_thread = ServiceThread(ProtectedService(open_notes(notes_path(settings))))
    methods = AioMethods(service_thread)
    auth = AuthInterceptor(verifier, RULES, reflection=True, client_certificate=forwarded_certificate(settings))
    server = guarded_server(auth, options=OPTIONS)
    sample_pb2_grpc.add_ProtectedServiceServicer_to_server(methods, server)
    healthy = health.aio.HealthServicer()
    _add_common(server, healthy)
    actual = _listen(server, host, port)
    await verifier.start()
    await server.start()
    background = [asyncio.create_task(work) for work in (_report_health(verifier, healthy), reloader.run())]
    print_ready("grpc", host, actual)
    await stop.wait()
    methods.stop()
    for task in background:
        task.cancel()
    await server.stop(GRACE)
    await asyncio.gather(*background, return_exceptions=True)
    await verifier.aclose()
    service_thread.close()


def serve_in_threads(reload: Callable[[], Settings], host: str, port: int) -> None:
    """Serve over grpc.server until SIGTERM or SIGINT; SIGHUP has the settings read again."""
    settings, stop = reload(), stop_event()
    port = _known_port(settings, host, port)
    verifier = linked_verifier(settings, "grpc.server", default_origins=listening_origins(host, port))
    background = VerifierThread(verifier)
    reloader = SettingsReloader(background.verifier, reload, settings)
    signal.signal(RELOAD, lambda *_: reloader.reload_soon())
    store = open_notes(notes_path(settings))
    methods = SyncMethods(ProtectedService(store))
    background.start(wait=None)
    reloading = background.submit(reloader.run())
    pool = ThreadPoolExecutor(THREADS, thread_name_prefix="grpc")
    proxy = forwarded_certificate(settings)
    auth = SyncAuthInterceptor(background, RULES, reflection=True, client_certificate=proxy, pool=pool)
    server = check_on_start(grpc.server(pool, interceptors=[auth], options=OPTIONS), auth.policy)
    sample_pb2_grpc.add_ProtectedServiceServicer_to_server(methods, server)
    healthy = health.HealthServicer()
    _add_common(server, healthy)
    actual = _listen(server, host, port)
    server.start()
    stopping = threading.Event()
    reporting = threading.Thread(target=_keep_reporting, args=(background.verifier, healthy.set, stopping))
    reporting.start()
    print_ready("grpc", host, actual)
    wait_for_stop(stop)
    stopping.set()
    methods.stop()
    reloading.cancel()
    server.stop(GRACE).wait()
    reporting.join()
    background.stop()
    store.close()


def _add_common(server: Any, healthy: Any) -> None:
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    reflection.enable_server_reflection((SERVICE, health.SERVICE_NAME, reflection.SERVICE_NAME), server)


def _known_port(settings: Settings, host: str, port: int) -> int:
    """The port to listen on, chosen before gRPC would where proofs of possession name it (RFC 9449, `htu`)."""
    if settings.explain and not settings.unsafe_explain_remote:
        check_explain_address(host)
    if port or settings.dpop is None:
        return port
    with bind_socket(host, port) as sock:
        chosen: int = sock.getsockname()[1]
    return chosen


def _listen(server: Any, host: str, port: int) -> int:
    # gRPC reports a port that is taken in several lines of its own.
    bind_socket(host, port).close()
    try:
        actual = server.add_insecure_port(f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
    except RuntimeError:
        actual = 0
    if not actual:
        raise ConfigurationError("--host, --port", "must be an address that is free here")
    return int(actual)


def _status(*, serving: bool) -> Any:
    states = health_pb2.HealthCheckResponse
    return states.SERVING if serving else states.NOT_SERVING


async def _report_health(verifier: Verifier, healthy: Any) -> None:
    """Readiness under "" and the service's name, as `/readyz`; the process itself under "live", as `/healthz`."""
    await healthy.set("live", _status(serving=True))
    known = None
    while True:
        if verifier.ready is not known:
            known = verifier.ready
            for name in ("", SERVICE):
                await healthy.set(name, _status(serving=known))
        await asyncio.sleep(_LOOK_AGAIN)


def _keep_reporting(verifier: Verifier, tell: Callable[[str, Any], None], stopping: threading.Event) -> None:
    tell("live", _status(serving=True))
    known = None
    while not stopping.wait(0 if known is None else _LOOK_AGAIN):
        if verifier.ready is not known:
            known = verifier.ready
            for name in ("", SERVICE):
                tell(name, _status(serving=known))


def _stop_event() -> asyncio.Event:
    stop = asyncio.Event()
    for number in STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def main() -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the settings read again."""
    ignore_reload()
    parser = Parser("python -m samples.grpc_server", description="The protected service over gRPC.")
    parser.add_address(50051)
    parser.add_config()
    parser.add_argument("--sync", action="store_true", help="serve with grpc.server and a thread pool")
    arguments = parser.parse_args()
    reload = partial(load, arguments.config)
    redact_logs()
    if arguments.sync:
        serve_in_threads(reload, arguments.host, arguments.port)
    else:
        asyncio.run(serve(reload, arguments.host, arguments.port))


if __name__ == "__main__":
    run_command("samples.grpc_server", main)
