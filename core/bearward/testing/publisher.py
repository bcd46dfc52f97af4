"""What an issuer publishes over HTTP: its addresses, discovery document and JWK Set.

Rule of this file: it serves the real documents unless a test has replaced one of them, by path.
"""

from __future__ import annotations

import hashlib
import json
import ssl
from collections.abc import Callable, Mapping
from typing import Any

from bearward.testing.exchange import Request, Response, json_response
from bearward.testing.key_ring import KeyRing
from bearward.testing.loopback import LoopbackServer
from bearward.testing.tls import ThrowAwayAuthority

__all__ = ["Publisher"]

_DISCOVERY = "/.well-known/openid-configuration"
_METADATA = "/.well-known/oauth-authorization-server"


class Publisher(LoopbackServer):
    """Publishes the keys of a `KeyRing`; the public side of `LocalIssuer`, which says what the arguments mean."""

    def __init__(self, keys: KeyRing, *, host: str, port: int, path: str, identifier: str | None, tls: bool) -> None:
        self._authority = ThrowAwayAuthority() if tls else None
        context = None if self._authority is None else self._authority.server_context()
        super().__init__(self._route, host=host, port=port, tls=context)
        self.keys = keys
        self.jwks_headers: dict[str, str] = {}
        """Headers of the JWK Set's response, `{"Cache-Control": "max-age=60"}`; read at each request."""
        self.conditional = True
        """Whether the JWK Set carries an `ETag` and a request for an unchanged one gets a 304 (RFC 9110)."""
        self._name = path
        self._path = path.rstrip("/")
        self._identifier = identifier
        self._served: dict[str, Response | Callable[[Request], Response]] = {}

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:1234`: where it listens; the port is known once it is up."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self._authority is None else 'https'}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The issuer identifier: the `iss` of its tokens and the `issuer` of its discovery document."""
        return self.origin + self._name if self._identifier is None else self._identifier

    @property
    def discovery_uri(self) -> str:
        """Where the discovery document is (OpenID Connect Discovery 1.0 section 4)."""
        return self.origin + self._path + _DISCOVERY

    @property
    def jwks_uri(self) -> str:
        """Where the JWK Set is."""
        return f"{self.origin}{self._path}/jwks"

    @property
    def token_endpoint(self) -> str:
        """Where tokens are granted."""
        return f"{self.origin}{self._path}/token"

    def client_context(self) -> ssl.SSLContext:
        """Trusts this issuer's throw-away authority; raises `ValueError` if it serves plain http."""
        if self._authority is None:
            raise ValueError("this issuer serves plain http")
        return self._authority.client_context()

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the throw-away authority; raises `ValueError` if it serves plain http."""
        if self._authority is None:
            raise ValueError("this issuer serves plain http")
        return self._authority.ca_pem

    def serve(self, path: str, response: Response | Callable[[Request], Response] | None) -> None:
        """Respond to requests for `path` with this instead of the real document; None restores it."""
        if response is None:
            self._served.pop(path, None)
        else:
            self._served[path] = response

    def restore(self) -> None:
        """Serve the real documents again."""
        self._served.clear()

    def serve_jwks(self, document: Any, *, status: int = 200, **headers: str) -> None:
        """Serve this as the JWK Set: `bytes` as they are, None for the real one again, anything else as JSON."""
        self.serve(f"{self._path}/jwks", _as_response(document, status, headers))

    def serve_discovery(self, document: Any, *, status: int = 200, **headers: str) -> None:
        """Serve this as the discovery document; see `serve_jwks`."""
        self.serve(self._path + _DISCOVERY, _as_response(document, status, headers))

    def discovery(self) -> dict[str, Any]:
        """The discovery document (OpenID Connect Discovery 1.0 section 3, RFC 8414 section 2)."""
        return {
            "issuer": self.url,
            "jwks_uri": self.jwks_uri,
            "token_endpoint": self.token_endpoint,
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": sorted({key.alg for key in self.keys.published}),
            "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        }

    def _route(self, request: Request) -> Response:
        if request.method == "POST" and "origin" in request.headers:
            # Only a browser says where a POST comes from, also where a page of a stranger's had its name lead to here
            # (DNS rebinding): it would be granted tokens that whoever develops here has their services trust.
            return json_response({"error": "invalid_request", "error_description": "not for web pages"}, 403)
        served = self._served.get(request.path)
        if served is not None:
            return served(request) if callable(served) else served
        if request.path in (self._path + _DISCOVERY, _METADATA + self._path):
            return json_response(self.discovery())
        if request.path == f"{self._path}/jwks":
            return self._jwks_response(request)
        if request.path == f"{self._path}/token":
            return self._token_response(request)
        return json_response({"error": "not_found"}, 404)

    def _token_response(self, request: Request) -> Response:
        """Overridden by whoever can sign."""
        return json_response({"error": "not_found"}, 404)

    def _jwks_response(self, request: Request) -> Response:
        body = json.dumps(self.keys.jwks()).encode()
        headers = {"Content-Type": "application/jwk-set+json", **self.jwks_headers}
        if self.conditional:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if request.headers.get("if-none-match") == headers["ETag"]:
                return Response(b"", 304, headers)
        return Response(body, 200, headers)


def _as_response(document: Any, status: int, headers: Mapping[str, str]) -> Response | None:
    if document is None:
        return None
    named = {"Content-Type": "application/json"} | {n.replace("_", "-"): v for n, v in headers.items()}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Response(body, status, named)
