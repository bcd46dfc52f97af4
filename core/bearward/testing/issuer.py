"""`LocalIssuer`: a real OpenID issuer over real HTTP on loopback, for tests and development.

Rule of this file: what a relying party sees (discovery document, JWK Set, tokens) is honest unless a test asks for
something else; everything hostile is requested by name.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self

from bearward.testing.exchange import Request, Response
from bearward.testing.key_ring import KeyRing
from bearward.testing.keys import SigningKey
from bearward.testing.minting import json_octets, sign_segments
from bearward.testing.publisher import Publisher
from bearward.testing.token_endpoint import TokenEndpoint

__all__ = ["LocalIssuer"]

_KEYS_OWN: Final = "the key's own kid"


class LocalIssuer(Publisher):
    """An issuer that runs in its own threads while its context is open.

    `algorithms` are those of its keys (the first is the default); `audience` and `lifetime` (seconds) go into its
    tokens; `path` makes it one tenant of several (`http://127.0.0.1:1234/tenant`); `identifier` gives it an `iss` other
    than its address; `clients` (id to secret; None admits anyone) and `scopes` (None: any) control `POST /token`; `tls`
    serves https with a throw-away authority (`client_context`); `clock` returns seconds since the epoch.

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
        super().__init__(KeyRing(algorithms), host=host, port=port, path=path, identifier=identifier, tls=tls)
        self.audience = audience
        self.lifetime = lifetime
        self._clients = clients
        self._scopes = None if scopes is None else frozenset(scopes)
        self._clock = clock

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<LocalIssuer {self.url}: {', '.join(map(repr, self.keys.published))}>"

    def key(self, alg: str | None = None) -> SigningKey:
        """The key that signs for `alg` (or by default); raises `LookupError` if there is none."""
        return self.keys.key(alg)

    def rotate(self, alg: str | None = None, *, kid: str | None = None) -> SigningKey:
        """Sign with a new key from now on, or with that of `publish_next`; the old one stays published."""
        return self.keys.rotate(alg, kid=kid)

    def publish_next(self, alg: str | None = None, *, kid: str | None = None) -> SigningKey:
        """Publish the key that the next `rotate` will sign with."""
        return self.keys.publish_next(alg, kid=kid)

    def withdraw(self, key: SigningKey | str) -> None:
        """Remove a key, or the key of this `kid`, from the JWK Set; whoever holds it can still sign with it."""
        self.keys.withdraw(key)

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
        """A signed token: by default an honest access token (RFC 9068) that is valid for `self.lifetime` seconds.

        `alg` is the algorithm (`none` leaves the signature empty); `key` signs instead of the issuer's own, and octets
        are a secret for HS256 and its siblings; `kid=None` omits `kid`. `headers`, then `claims` and further keyword
        arguments replace or add; `without_headers` and `without` remove. Raises `LookupError` if the issuer has no key
        for `alg`, `ValueError` if the key cannot sign with it.

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

    def _token_response(self, request: Request) -> Response:
        endpoint = TokenEndpoint(
            mint=lambda claims, lifetime: self.mint(claims=claims, lifetime=lifetime),
            audience=self.audience,
            lifetime=self.lifetime,
            clients=self._clients,
            scopes=self._scopes,
        )
        return endpoint.respond(request)


def _numeric_date(seconds: float) -> float:
    """RFC 7519 section 2 allows a fraction; a whole number is written without one, as issuers do."""
    return int(seconds) if float(seconds).is_integer() else seconds


def _edited(members: dict[str, Any], more: Mapping[str, Any] | None, without: Collection[str]) -> dict[str, Any]:
    merged = {**members, **(more or {})}
    return {name: value for name, value in merged.items() if name not in without}
