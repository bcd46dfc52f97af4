"""`python -m benchmarks.http.sanic_app ISSUER|plain PORT CACHE`: one JSON route, unguarded or guarded by bearward."""

from __future__ import annotations

import sys
from typing import Any

from sanic import HTTPResponse, Request, Sanic, json

from bearward import TrustedIssuer, Verifier

AUDIENCE = "https://api.example"


def main(issuer: str, port: int, token_cache: int) -> None:
    """Serve until told to stop."""
    app: Any = Sanic("bench", configure_logging=False)
    if issuer != "plain":
        from bearward_sanic import authenticated, install

        verifier = Verifier(TrustedIssuer(issuer, audience=AUDIENCE), token_cache_bytes=token_cache)
        install(app, verifier, default=authenticated)

    async def protected(_: Request) -> HTTPResponse:
        return json({"message": "Access granted"})

    app.add_route(protected, "/protected", methods=["GET"])
    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
