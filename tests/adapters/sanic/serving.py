"""Run as a program: the application under test, on the socket that the parent opened.

    python -m tests.adapters.sanic.serving native '{"issuer": ..., "fd": 3}'

It prints `ready` once it serves, and ends on SIGTERM.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import sys
from typing import Any

from sanic import Sanic

from tests.adapters.sanic.app_under_test import make_app

PR_SET_PDEATHSIG = 1  # linux/prctl.h: a test run that is killed leaves no server behind


def main() -> None:
    """Serve until told to stop, or until the parent is gone."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    server, options = sys.argv[1], json.loads(sys.argv[2])
    listener = socket.socket(fileno=options["fd"])
    app = make_app(options)

    async def ready(_: Any) -> None:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        os.dup2(2, 1)  # access logs go to stdout: let the parent find them where the others are

    app.after_server_start(ready, priority=-2_000_000)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    {"native": _native, "uvicorn": by_uvicorn, "hypercorn": by_hypercorn}[server](app, listener, options)


def _native(app: Sanic[Any, Any], listener: socket.socket, options: dict[str, Any]) -> None:
    app.run(sock=listener, single_process=True, access_log=options.get("access_log", False), motd=False)


def by_uvicorn(app: Sanic[Any, Any], listener: socket.socket, options: dict[str, Any]) -> None:
    """Serve behind uvicorn until SIGTERM."""
    import uvicorn

    config = uvicorn.Config(app, log_level="info", access_log=options.get("access_log", False), lifespan="on")
    uvicorn.Server(config).run(sockets=[listener])


def by_hypercorn(app: Sanic[Any, Any], listener: socket.socket, options: dict[str, Any]) -> None:
    """Serve behind hypercorn until SIGTERM."""
    from hypercorn.asyncio import serve
    from hypercorn.config import Config

    config = Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.accesslog = "-" if options.get("access_log") else None
    config.errorlog = "-"

    async def run() -> None:
        stop = asyncio.Event()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
        await serve(app, config, shutdown_trigger=stop.wait)

    asyncio.run(run())


if __name__ == "__main__":
    main()
