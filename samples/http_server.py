"""`python -m samples.http_server`: the protected service over Sanic, in one process or in several.

Rule of this file: it starts, serves and ends. It listens whether or not its issuer can be reached; `/readyz` says
which. Everything of a worker is made in the worker.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import socket
import tempfile
from collections.abc import Callable, Collection
from functools import partial
from pathlib import Path

from sanic import Sanic

from bearward import AuthError, ConfigurationError, SettingsReloader
from bearward_sanic import authenticated, install
from samples.command_line import (
    LOOPBACK_ORIGINS,
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
)
from samples.event_link import linked_verifier
from samples.http_routes import App, add_routes
from samples.notes import MEMORY
from samples.proxy import forwarded_certificate
from samples.service import ProtectedService, ServiceThread
from samples.workers import run_workers

__all__ = ["create_app", "main"]

NAME = "samples.http_server"
BACKLOG = 128
GRACE = 2.0
"""Seconds that requests have to end by themselves when the server stops."""


def create_app(
    config: str | None,
    notes: str,
    on_start: Callable[[], None] = lambda: None,
    *,
    origins: Collection[str] = LOOPBACK_ORIGINS,
) -> App:
    """The application of one process, for Sanic's own server or an ASGI one; `origins` are those where none are set."""
    settings = load(config)
    verifier = linked_verifier(settings, "sanic", default_origins=origins)
    reloader = SettingsReloader(verifier, partial(load, config), settings)
    app = Sanic("bearward-sample", configure_logging=False)
    app.config.AUTO_EXTEND = False  # sanic-ext, where it is installed, doubles the time to start
    app.config.FALLBACK_ERROR_FORMAT = "json"
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = GRACE
    app.config.REQUEST_MAX_HEADER_SIZE = 16 * 1024  # all that Sanic allows; its default is less than a token may have
    install(app, verifier, default=authenticated, client_certificate=forwarded_certificate(settings))
    service_thread = ServiceThread(ProtectedService(open_notes(notes)))
    stopping = asyncio.Event()
    add_routes(app, service_thread, verifier, stopping)

    async def started(app: App) -> None:
        app.ctx.reloader = reloader
        app.ctx.reloading = asyncio.create_task(reloader.run())
        on_start()

    async def end_streams(app: App) -> None:
        stopping.set()
        app.ctx.reloading.cancel()

    async def close_notes(_: App) -> None:
        service_thread.close()

    app.after_server_start(started)
    app.before_server_stop(end_streams)
    app.after_server_stop(close_notes)
    return app


def serve(sock: socket.socket, make: Callable[[], App], say_ready: Callable[[], None]) -> None:
    """Serve in this process until SIGTERM or SIGINT; SIGHUP has the settings read again."""
    logging.getLogger("sanic.error").addFilter(_is_not_ours)
    app = make()
    app.after_server_start(partial(_install_signal_handlers, say_ready))
    app.prepare(sock=sock, single_process=True, register_sys_signals=False, access_log=False, motd=False)
    Sanic.serve_single(app)


def _is_not_ours(record: logging.LogRecord) -> bool:
    """`run_command` prints in one line why a start ended; Sanic would add a traceback."""
    return not (record.exc_info and isinstance(record.exc_info[1], AuthError | ConfigurationError | KeyboardInterrupt))


async def _install_signal_handlers(say_ready: Callable[[], None], app: App) -> None:
    """Sanic's own handlers lose a signal that comes before it serves, and it continues serving."""
    stop = asyncio.Event()
    for number in STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    asyncio.get_running_loop().add_signal_handler(RELOAD, app.ctx.reloader.reload_soon)
    app.ctx.serving = asyncio.create_task(_serve_until(stop, app, say_ready))


async def _serve_until(stop: asyncio.Event, app: App, say_ready: Callable[[], None]) -> None:
    # Sanic runs its loop for the listeners and then anew, to serve; stopping it before that has no effect.
    while not app.state.is_running:  # noqa: ASYNC110  (Sanic has no event for it)
        await asyncio.sleep(0.001)
    say_ready()
    await stop.wait()
    app.stop(terminate=False)


class CallOnLast:
    """Calls `act` at its `count`-th call, by whichever process."""

    def __init__(self, count: int, act: Callable[[], None]) -> None:
        self._count = count
        self._act = act
        self._called = multiprocessing.get_context("fork").Value("i", 0)

    def __call__(self) -> None:
        with self._called.get_lock():
            self._called.value += 1
            last = self._called.value == self._count
        if last:
            self._act()


def main() -> None:
    """Serve until SIGTERM or SIGINT; SIGHUP has the settings read again, by each worker."""
    ignore_reload()
    parser = Parser("python -m samples.http_server", description="The protected service over HTTP.")
    parser.add_address(8000)
    parser.add_config()
    parser.add_argument("--workers", type=int, default=1, help="number of processes (default: %(default)s)")
    arguments = parser.parse_args()
    if not 1 <= arguments.workers <= 256:
        raise ConfigurationError("--workers", "must be a number from 1 to 256")
    notes = notes_path(load(arguments.config))
    sock = bind_socket(arguments.host, arguments.port)
    # From now on connections queue instead of being refused.
    sock.listen(BACKLOG)
    say_ready = CallOnLast(arguments.workers, partial(print_ready, "http", arguments.host, sock.getsockname()[1]))
    with tempfile.TemporaryDirectory(prefix="notes-") as folder:
        if arguments.workers > 1 and notes == MEMORY:
            # What one worker writes another must read, and the memory of a process is its own.
            notes = str(Path(folder, "notes.sqlite"))
        open_notes(notes).close()
        origins = listening_origins(arguments.host, sock.getsockname()[1])
        work = partial(serve, sock, partial(create_app, arguments.config, notes, origins=origins), say_ready)
        if arguments.workers == 1:
            work()
        else:
            run_workers(arguments.workers, partial(run_command, NAME, work))


if __name__ == "__main__":
    run_command(NAME, main)
