"""The page's server: where it may listen, and until when it serves.

Rule of this file: loopback only. The page mints any token for anyone who can reach it, as the local issuer does.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from functools import partial

from sanic import Sanic

from bearward import ConfigurationError
from bearward.fetch.urls import is_loopback_host
from samples.command_line import STOPS, bind_socket, print_ready
from samples.playground.app import App, create_page
from samples.playground.scene import Scene
from samples.playground.stage import Stage

__all__ = ["PAGE_TOKEN_LIFETIME", "page_socket", "serve_page"]

PAGE_TOKEN_LIFETIME = 60
"""Seconds that a token of the page lives, so that one sees the page's own stream end and begin again."""
_BACKLOG = 64


def page_socket(host: str, port: int) -> socket.socket:
    """A listening socket on loopback; raises `ConfigurationError` for any other address."""
    if not is_loopback_host(host):
        must = "must be a loopback address (127.0.0.1, ::1 or localhost): the playground gives tokens to anyone who reaches it"
        raise ConfigurationError("--host", must)
    sock = bind_socket(host, port)
    sock.listen(_BACKLOG)
    return sock


def serve_page(
    scene: Scene, sock: socket.socket, host: str, *, lifetime: int, say_ready: Callable[[str], None] | None = None
) -> None:
    """Serve until SIGTERM or SIGINT; `say_ready` is called with the page's address, or the ready line is printed."""
    logging.getLogger("sanic.error").addFilter(lambda record: record.exc_info is None)
    port = sock.getsockname()[1]
    name = f"[{host}]" if ":" in host else host
    hosts = frozenset(f"{each}:{port}" for each in (name, "127.0.0.1", "localhost", "[::1]"))
    app = create_page(Stage(scene), hosts, f"http://{name}:{port}", lifetime=lifetime)
    announce = (
        partial(print_ready, "http", host, port) if say_ready is None else partial(say_ready, f"http://{name}:{port}")
    )
    app.after_server_start(partial(_install_signal_handlers, announce))
    app.prepare(sock=sock, single_process=True, register_sys_signals=False, access_log=False, motd=False)
    Sanic.serve_single(app)


async def _install_signal_handlers(announce: Callable[[], None], app: App) -> None:
    stop = asyncio.Event()
    for number in STOPS:
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    app.ctx.serving = asyncio.create_task(_serve_until(stop, app, announce))


async def _serve_until(stop: asyncio.Event, app: App, announce: Callable[[], None]) -> None:
    while not app.state.is_running:  # noqa: ASYNC110  (Sanic has no event for it)
        await asyncio.sleep(0.001)
    announce()
    await stop.wait()
    app.stop(terminate=False)
