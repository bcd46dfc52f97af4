"""One variant of a Sanic server, for `run.py`: `python -m benchmarks.sanic.served <variant> <issuer>`.

It listens on a free port of loopback and prints that; each variant answers the same JSON at `/`. `floor` has no door: its
handler does the one thing that a fresh token cannot be judged without, the RSA verification of its signature.
"""

from __future__ import annotations

import socket
import sys
import urllib.request
from base64 import urlsafe_b64decode
from collections.abc import Callable
from json import loads
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.hashes import SHA256
from sanic import HTTPResponse, Request, Sanic
from sanic.response import json

from bearward import TrustedIssuer, Verifier
from bearward_sanic import authenticated, install

AUDIENCE = "https://api.example"


def make_app(variant: str, issuer: str) -> Sanic[Any, Any]:
    """`plain`, `guarded` or `floor`, each with `+ext` for sanic-ext."""
    app: Sanic[Any, Any] = Sanic("benchmark")
    app.config.AUTO_EXTEND = variant.endswith("+ext")

    check = signature_alone(issuer) if variant == "floor" else None

    @app.get("/")
    async def hello(request: Request) -> HTTPResponse:
        if check is not None:
            check(request)
        return json({"message": "Access granted"})

    if variant.startswith("guarded"):
        install(app, Verifier(TrustedIssuer(issuer, audience=AUDIENCE)), default=authenticated)
    return app


def signature_alone(issuer: str) -> Callable[[Request], None]:
    """Verify the signature of the request's token by `cryptography` itself, and look at nothing else."""
    with urllib.request.urlopen(f"{issuer}/jwks") as response:
        jwk = loads(response.read())["keys"][0]
    key = RSAPublicNumbers(_number(jwk["e"]), _number(jwk["n"])).public_key()
    padding, digest = PKCS1v15(), SHA256()

    def check(request: Request) -> None:
        signed, _, signature = request.headers["authorization"][7:].rpartition(".")
        key.verify(urlsafe_b64decode(signature + "=="), signed.encode(), padding, digest)

    return check


def _number(value: str) -> int:
    return int.from_bytes(urlsafe_b64decode(value + "=="), "big")


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
