"""`python -m benchmarks.http.sanic_app KIND ISSUER JWKS_URI LIBRARY PORT CACHE`: one JSON route.

KIND is `plain`, `floor` (its handler verifies the signature and nothing else) or `guarded` (by bearward); LIBRARY is
`cryptography` or `aws-lc`.
"""

from __future__ import annotations

import sys
from typing import Any

from sanic import HTTPResponse, Request, Sanic, json

from bearward import TrustedIssuer, Verifier
from bearward.jose import aws_lc
from benchmarks.providers import signature_alone

AUDIENCE = "https://api.example"


def main(kind: str, issuer: str, jwks_uri: str, library: str, *, port: int, token_cache: int) -> None:
    """Serve until told to stop."""
    aws_lc.use(library == "aws-lc")
    app: Any = Sanic("bench", configure_logging=False)
    check = signature_alone(jwks_uri, library) if kind == "floor" else None
    if kind == "guarded":
        from bearward_sanic import authenticated, install

        verifier = Verifier(TrustedIssuer(issuer, audience=AUDIENCE), token_cache_bytes=token_cache)
        install(app, verifier, default=authenticated)

    async def protected(request: Request) -> HTTPResponse:
        if check is not None:
            check(request.headers["authorization"][7:])
        return json({"message": "Access granted"})

    app.add_route(protected, "/protected", methods=["GET"])
    app.run("127.0.0.1", port, single_process=True, access_log=False, motd=False)


if __name__ == "__main__":
    main(*sys.argv[1:5], port=int(sys.argv[5]), token_cache=int(sys.argv[6]))
