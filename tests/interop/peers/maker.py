"""`python -m tests.interop.peers.maker LIBRARY`: an issuer whose keys and tokens are made by one JOSE library.

It serves a discovery document and a JWK Set as that library exports it, and `POST /mint` signs what it is given:
`{"algorithm", "claims", "header"}`, with `exp` put in where a `lifetime` is given. Symmetric secrets are told by `GET /secrets`, since the verifier must share them.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from typing import Any, Protocol

from tests.interop.peers.serving import Answer, serve


class Library(Protocol):
    """What each of `makers/` offers."""

    ALGORITHMS: tuple[str, ...]

    def offered(self) -> list[str]:
        """Every `alg` that the library itself knows."""
        ...

    def public_keys(self) -> list[dict[str, Any]]:
        """The members of the JWK Set."""
        ...

    def secrets(self) -> dict[str, str]:
        """Of the symmetric algorithms: name to text."""
        ...

    def sign(self, algorithm: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """A compact JWS."""
        ...


def main(name: str) -> None:
    """Serve until told to end."""
    library: Library = importlib.import_module(f"tests.interop.peers.by_{name}")
    issuer: list[str] = []

    def answer(method: str, path: str, body: bytes) -> Answer | dict[str, Any] | None:
        if (method, path) == ("POST", "/mint"):
            order = json.loads(body)
            if "lifetime" in order:
                order["claims"]["exp"] = time.time() + order["lifetime"]
            return {"token": library.sign(order["algorithm"], order["header"], order["claims"])}
        documents: dict[str, dict[str, Any]] = {
            "/.well-known/openid-configuration": {"issuer": issuer[0], "jwks_uri": f"{issuer[0]}/jwks"},
            "/jwks": {"keys": library.public_keys()},
            "/secrets": library.secrets(),
            "/algorithms": {"algorithms": library.ALGORITHMS, "offered": library.offered()},
        }
        return documents.get(path)

    serve(answer, url_known=issuer.append)


if __name__ == "__main__":
    main(sys.argv[1])
