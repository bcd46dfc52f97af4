"""`python -m tests.interop.peers.gateway ALGORITHM NAME=URL …`: a gateway that turns API keys into short-lived JWTs.

As the how-to's gateway does: callers send `Authorization: Bearer <API key>`; `/NAME/…` goes on to that backend with a
five-minute JWT instead of the key. Its issuer lies under a path, and its JWK Set carries `x5c`. For the tests alone,
`POST /__mint` signs any header and payload, both given as text.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

from joserfc import jws
from joserfc.jwk import OKPKey, RSAKey

from tests.interop.certificates import x5c
from tests.interop.tokens import b64

AUDIENCE = "https://api.example"
LIFETIME = 300
CONSUMERS = {"key-of-ada": "ada", "key-of-grace": "grace"}


class Issuer:
    """The JWT service of the gateway."""

    def __init__(self, algorithm: str, base: str) -> None:
        self.algorithm = algorithm
        self.url = f"{base}/__gateway/issuer"
        self._key: Any = OKPKey.generate_key("Ed25519") if algorithm == "EdDSA" else RSAKey.generate_key(2048)
        self._registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        jwk = {**self._key.as_dict(private=False), "kid": "gateway-1", "use": "sig", "alg": algorithm}
        jwks = {"keys": [{**jwk, "x5c": [x5c(self._key.private_key)]}]}
        metadata = {"issuer": self.url, "jwks_uri": f"{self.url}/.well-known/jwks.json"}
        path = urlsplit(self.url).path
        self.documents: dict[str, Any] = {
            f"{path}/.well-known/openid-configuration": metadata,
            f"{path}/.well-known/jwks.json": jwks,
        }

    def sign(self, header: str, payload: str) -> str:
        """Any header over any payload, as they stand: a library would write its own JSON."""
        signing_input = f"{b64(header.encode())}.{b64(payload.encode())}"
        signature = self._registry.get_alg(self.algorithm).sign(signing_input.encode(), self._key)
        return f"{signing_input}.{b64(signature)}"

    def token_for(self, consumer: str) -> str:
        """What a backend gets."""
        now = int(time.time())
        header = {"alg": self.algorithm, "kid": "gateway-1", "typ": "JWT"}
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": consumer,
            "iat": now,
            "exp": now + LIFETIME,
            "jti": uuid.uuid4().hex,
        }
        return self.sign(json.dumps(header), json.dumps(claims))


class Handler(BaseHTTPRequestHandler):
    """One request: a document of the issuer, the test's mint, or one to pass on."""

    protocol_version = "HTTP/1.1"
    issuer: Issuer
    backends: dict[str, str]

    def do_GET(self) -> None:
        """A document, or a call to a backend."""
        document = self.issuer.documents.get(self.path)
        if document is None:
            self._forward()
        else:
            self._answer(200, json.dumps(document).encode(), {})

    def do_POST(self) -> None:
        """Sign what the test asks for."""
        order = json.loads(self.rfile.read(int(self.headers["content-length"])))
        token = self.issuer.sign(order["header"], order["payload"])
        self._answer(200, json.dumps({"token": token}).encode(), {})

    def _forward(self) -> None:
        scheme, _, key = self.headers.get("authorization", "").partition(" ")
        name, _, path = self.path.lstrip("/").partition("/")
        if scheme.lower() != "bearer" or key not in CONSUMERS:
            self._answer(401, b'{"error": "no such API key"}', {"x-refused-by": "gateway"})
        elif name not in self.backends:
            self._answer(404, b'{"error": "no such backend"}', {})
        else:
            backend = http.client.HTTPConnection(urlsplit(self.backends[name]).netloc, timeout=30)
            backend.request(
                "GET", f"/{path}", headers={"authorization": f"Bearer {self.issuer.token_for(CONSUMERS[key])}"}
            )
            response = backend.getresponse()
            self._answer(response.status, response.read(), {"x-refused-by": "backend"} if response.status > 399 else {})
            backend.close()

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-type": "application/json", "content-length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
        """Say nothing."""


def main(algorithm: str, port: str, *backends: str) -> None:
    """Serve until told to end."""
    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    base = f"http://127.0.0.1:{port}"
    Handler.issuer = Issuer(algorithm, base)
    Handler.backends = dict(pair.split("=", 1) for pair in backends)
    sys.stdout.write(f"listening on {base}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
