"""`python -m samples.http_server`: the protected service over Sanic, in one process or in several.

Rule of this file: it starts, serves and ends. It listens whether or not its issuer can be reached; `/readyz` says
which. Everything of a worker is made in the worker.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sanic import Sanic
from sanic.worker.loader import AppLoader

from bearward import ConfigurationError
from bearward_sanic import install
from samples.command_line import Parser, bound, load, main_of, notes_path, ready
from samples.http_routes import App, add_routes
from samples.notes import MEMORY, NoteStore
from samples.service import OffLoop, ProtectedService

__all__ = ["create_app", "main"]

GRACE = 2.0
"""Seconds that requests have to end by themselves when the server stops."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What every worker is told."""

    config: str | None
    notes: str
    host: str
    port: int
    workers: int


def create_app(plan: Plan, started: Any) -> App:
    """The application of one worker; `started` counts them, and the last one says for all that they are ready."""
    verifier = load(plan.config).verifier()
    app = Sanic("bearward-sample", configure_logging=False)
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = GRACE
    install(app, verifier)
    off_loop = OffLoop(ProtectedService(NoteStore(plan.notes)))
    stopping = asyncio.Event()
    add_routes(app, off_loop, verifier, stopping)

    async def say_ready(_: App) -> None:
        with started.get_lock():
            started.value += 1
            last = started.value == plan.workers
        if last:
            ready("http", plan.host, plan.port)

    async def end_streams(_: App) -> None:
        stopping.set()

    async def close_notes(_: App) -> None:
        off_loop.close()

    app.after_server_start(say_ready)
    app.before_server_stop(end_streams)
    app.after_server_stop(close_notes)
    return app


def serve(config: str | None, notes: str, host: str, port: int, workers: int) -> None:
    """Serve until SIGTERM or SIGINT."""
    sock = bound(host, port)
    started = multiprocessing.get_context("spawn").Value("i", 0)
    plan = Plan(config, notes, host, sock.getsockname()[1], workers)
    app = create_app(plan, started)
    app.prepare(sock=sock, workers=workers, single_process=workers == 1, access_log=False, motd=False)
    if workers == 1:
        Sanic.serve_single(app)
    else:
        Sanic.serve(app, app_loader=AppLoader(factory=partial(create_app, plan, started)))


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = Parser("python -m samples.http_server", description="The protected service over HTTP.")
    parser.add_address(8000)
    parser.add_config()
    parser.add_argument("--workers", type=int, default=1, help="number of processes (default: %(default)s)")
    arguments = parser.parse_args()
    if not 1 <= arguments.workers <= 256:
        raise ConfigurationError("--workers", "must be a number from 1 to 256")
    notes = notes_path(load(arguments.config))
    with tempfile.TemporaryDirectory(prefix="notes-") as folder:
        if arguments.workers > 1 and notes == MEMORY:
            # What one worker writes another must read, and the memory of a process is its own.
            notes = str(Path(folder, "notes.sqlite"))
        serve(arguments.config, notes, arguments.host, arguments.port, arguments.workers)


if __name__ == "__main__":
    main_of("samples.http_server", main)
