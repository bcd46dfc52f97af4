"""One variant of a Sanic server, for `run.py`: `python -m benchmarks.sanic.served <variant> <issuer>`.

It listens on a free port of loopback and prints that; each variant answers the same JSON at `/`.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

from sanic import HTTPResponse, Request, Sanic
from sanic.response import json

from bearward import TrustedIssuer, Verifier
from bearward_sanic import install

AUDIENCE = "https://api.example"


def make_app(variant: str, issuer: str) -> Sanic[Any, Any]:
    """`plain`, or `guarded`, each with `+ext` for sanic-ext."""
    app: Sanic[Any, Any] = Sanic("benchmark")
    app.config.AUTO_EXTEND = variant.endswith("+ext")

    @app.get("/")
    async def hello(_: Request) -> HTTPResponse:
        return json({"message": "Access granted"})

    if variant.startswith("guarded"):
        install(app, Verifier(TrustedIssuer(issuer, audience=AUDIENCE)))
    return app


def main() -> None:
    """Serve until SIGTERM."""
    app = make_app(sys.argv[1], sys.argv[2])
    listener = socket.create_server(("127.0.0.1", 0))

    @app.after_server_start
    async def ready(_: Any) -> None:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()

    app.run(sock=listener, single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main()
