"""`LocalIssuer`: a real OpenID issuer over real HTTP on loopback, for tests and development.

Rule of this file: what a relying party sees (discovery document, JWK Set, tokens) is honest unless a test asks for
something else; everything hostile is asked for by name.
"""

from __future__ import annotations

import hashlib
import json
import ssl
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from bearward.testing.exchange import Answer, Request, json_answer
from bearward.testing.key_ring import KeyRing
from bearward.testing.keys import SigningKey
from bearward.testing.loopback import LoopbackServer
from bearward.testing.minting import json_octets, sign_segments
from bearward.testing.tls import ThrowAwayAuthority
from bearward.testing.token_endpoint import TokenEndpoint

__all__ = ["LocalIssuer"]

_KEYS_OWN: Final = "the key's own kid"
_DISCOVERY = "/.well-known/openid-configuration"
_METADATA = "/.well-known/oauth-authorization-server"


class LocalIssuer(LoopbackServer):
    """An issuer that runs in its own threads while its context is open.

    `algorithms` name the keys it makes (the first is the default), `audience` and `lifetime` (seconds) go into its
    tokens, `path` makes it one tenant of several (`http://127.0.0.1:1234/tenant`), `identifier` gives it another
    `iss` than its address, `clients` (id to secret; None lets anybody in) and `scopes` (None: any) rule `POST /token`,
    `tls` serves https with a throw-away authority (`client_context`), `clock` answers seconds since the epoch.

    >>> with LocalIssuer(algorithms=["ES256"]) as issuer:
    ...     token = issuer.mint(sub="ada", scope="notes:read", lifetime=60)
    ...     issuer.requests("/jwks")
    0

    From `LoopbackServer` it has `down`, `up`, `slow`, `hold`, `release`, `requests` and `wait_for_requests`.
    """

    def __init__(
        self,
        *,
        algorithms: Iterable[str] = ("RS256",),
        audience: str = "https://api.example",
        lifetime: float = 300.0,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "",
        identifier: str | None = None,
        clients: Mapping[str, str] | None = None,
        scopes: Collection[str] | None = None,
        tls: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authority = ThrowAwayAuthority() if tls else None
        context = None if self._authority is None else self._authority.server_context()
        super().__init__(self._route, host=host, port=port, tls=context)
        self.keys = KeyRing(algorithms)
        self.audience = audience
        self.lifetime = lifetime
        self.jwks_headers: dict[str, str] = {}
        """Headers of the JWK Set's answer, `{"Cache-Control": "max-age=60"}`; read at each request."""
        self.conditional = True
        """Whether the JWK Set carries an `ETag` and is answered with 304 where it did not change (RFC 9110)."""
        self._path = path.rstrip("/")
        self._identifier = identifier
        self._clients = clients
        self._scopes = None if scopes is None else frozenset(scopes)
        self._clock = clock
        self._served: dict[str, Answer | Callable[[Request], Answer]] = {}

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LocalIssuer {self.url}: {', '.join(map(repr, self.keys.published))}>"

    @property
    def origin(self) -> str:
        """`http://127.0.0.1:1234`: where it listens; the port is known once it is up."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'http' if self._authority is None else 'https'}://{host}:{self.port}"

    @property
    def url(self) -> str:
        """The issuer identifier: the `iss` of its tokens and the `issuer` of its discovery document."""
        return self.origin + self._path if self._identifier is None else self._identifier

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
        """Trusts this issuer's throw-away authority; raises `ValueError` where it serves plain http."""
        if self._authority is None:
            raise ValueError("this issuer serves plain http")
        return self._authority.client_context()

    @property
    def ca_pem(self) -> bytes:
        """The certificate of the throw-away authority; raises `ValueError` where it serves plain http."""
        if self._authority is None:
            raise ValueError("this issuer serves plain http")
        return self._authority.ca_pem

    # Keys -------------------------------------------------------------------------------------------------------

    def key(self, alg: str | None = None) -> SigningKey:
        """The key that signs for `alg` (or by default); raises `LookupError` where there is none."""
        return self.keys.key(alg)

    def rotate(self, alg: str | None = None, *, kid: str | None = None) -> SigningKey:
        """Sign with a new key from now on, or with that of `publish_next`; the old one stays published."""
        return self.keys.rotate(alg, kid=kid)

    def publish_next(self, alg: str | None = None, *, kid: str | None = None) -> SigningKey:
        """Publish the key that the next `rotate` will sign with."""
        return self.keys.publish_next(alg, kid=kid)

    def withdraw(self, key: SigningKey | str) -> None:
        """Take a key, or the key of this `kid`, out of the JWK Set; whoever holds it can still sign with it."""
        self.keys.withdraw(key)

    # Tokens -----------------------------------------------------------------------------------------------------

    def mint(
        self,
        *,
        alg: str | None = None,
        key: SigningKey | bytes | None = None,
        kid: str | None = _KEYS_OWN,
        headers: Mapping[str, Any] | None = None,
        without_headers: Collection[str] = (),
        claims: Mapping[str, Any] | None = None,
        without: Collection[str] = (),
        lifetime: float | None = None,
        **more_claims: Any,
    ) -> str:
        """A signed token: by default an honest access token (RFC 9068) that lives `self.lifetime` seconds.

        `alg` names the algorithm (`none` leaves the signature empty); `key` signs instead of the issuer's own, octets
        are a secret for HS256 and its siblings; `kid=None` leaves `kid` out. `headers`, then `claims` and further
        keyword arguments replace or add; `without_headers` and `without` remove. Raises `LookupError` where the
        issuer has no key for `alg`, `ValueError` where the key cannot sign by it.

        >>> issuer = LocalIssuer(algorithms=["ES256"])
        >>> issuer.mint(alg="none").endswith(".")
        True
        """
        signer = self._signer(alg, key)
        name = signer.alg if alg is None else alg
        header = {"alg": name, "typ": "at+jwt", "kid": signer.kid if kid is _KEYS_OWN else kid}
        if kid is None:
            del header["kid"]
        header = _edited(header, headers, without_headers)
        payload = _edited(self._claims(lifetime), {**(claims or {}), **more_claims}, without)
        return sign_segments(json_octets(header), json_octets(payload), signer, name)

    def sign_segments(self, header: bytes, payload: bytes, key: SigningKey | None = None) -> str:
        """A correctly signed token of any octets; by the issuer's default key unless another is given."""
        return sign_segments(header, payload, self.key() if key is None else key)

    def _signer(self, alg: str | None, key: SigningKey | bytes | None) -> SigningKey:
        if isinstance(key, bytes):
            return SigningKey.symmetric(key, "HS256" if alg is None else alg)
        if key is not None:
            return key
        return self.key(None if alg == "none" else alg)

    def _claims(self, lifetime: float | None) -> dict[str, Any]:
        now = int(self._clock())
        return {
            "iss": self.url,
            "sub": "subject",
            "aud": self.audience,
            "client_id": "client",
            "iat": now,
            "exp": _numeric_date(now + (self.lifetime if lifetime is None else lifetime)),
            "jti": uuid.uuid4().hex,
        }

    # HTTP -------------------------------------------------------------------------------------------------------

    def serve(self, path: str, answer: Answer | Callable[[Request], Answer] | None) -> None:
        """Answer `path` with this instead of the truth; None returns to the truth."""
        if answer is None:
            self._served.pop(path, None)
        else:
            self._served[path] = answer

    def serve_jwks(self, document: Any, *, status: int = 200, **headers: str) -> None:
        """Serve this as the JWK Set: `bytes` as they are, None for the truth again, anything else as JSON."""
        self.serve(f"{self._path}/jwks", _as_answer(document, status, headers))

    def serve_discovery(self, document: Any, *, status: int = 200, **headers: str) -> None:
        """Serve this as the discovery document; see `serve_jwks`."""
        self.serve(self._path + _DISCOVERY, _as_answer(document, status, headers))

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

    def _route(self, request: Request) -> Answer:
        served = self._served.get(request.path)
        if served is not None:
            return served(request) if callable(served) else served
        if request.path in (self._path + _DISCOVERY, _METADATA + self._path):
            return json_answer(self.discovery())
        if request.path == f"{self._path}/jwks":
            return self._jwks_answer(request)
        if request.path == f"{self._path}/token":
            return self._tokens().answer(request)
        return json_answer({"error": "not_found"}, 404)

    def _jwks_answer(self, request: Request) -> Answer:
        body = json.dumps(self.keys.jwks()).encode()
        headers = {"Content-Type": "application/jwk-set+json", **self.jwks_headers}
        if self.conditional:
            headers["ETag"] = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
            if request.headers.get("if-none-match") == headers["ETag"]:
                return Answer(b"", 304, headers)
        return Answer(body, 200, headers)

    def _tokens(self) -> TokenEndpoint:
        return TokenEndpoint(
            mint=lambda claims, lifetime: self.mint(claims=claims, lifetime=lifetime),
            audience=self.audience,
            lifetime=self.lifetime,
            clients=self._clients,
            scopes=self._scopes,
        )


def _numeric_date(seconds: float) -> float:
    """RFC 7519 section 2 allows a fraction; a whole number is written without one, as issuers do."""
    return int(seconds) if float(seconds).is_integer() else seconds


def _edited(members: dict[str, Any], more: Mapping[str, Any] | None, without: Collection[str]) -> dict[str, Any]:
    merged = {**members, **(more or {})}
    return {name: value for name, value in merged.items() if name not in without}


def _as_answer(document: Any, status: int, headers: Mapping[str, str]) -> Answer | None:
    if document is None:
        return None
    named = {"Content-Type": "application/json"} | {n.replace("_", "-"): v for n, v in headers.items()}
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Answer(body, status, named)
