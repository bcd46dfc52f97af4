"""`LocalIssuer`: a real OpenID issuer over real HTTP on loopback, for tests and development.

Rule of this file: what a relying party sees (discovery document, JWK Set, tokens) is honest unless a test asks for
something else; everything hostile is requested by name.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from bearward.clock import Clock
from bearward.errors import AuthError, UsageError
from bearward.issuers.tenants import TenantIssuers
from bearward.jose.compact import parse_compact
from bearward.jwks.options import JWKSOptions
from bearward.testing.certificates import CertificateClient
from bearward.testing.exchange import Request, Response
from bearward.testing.for_policy import choose_algorithm, with_keys_at
from bearward.testing.garbage import GARBAGE
from bearward.testing.hostile import HOSTILE_TOKENS
from bearward.testing.key_ring import KeyRing
from bearward.testing.keys import SigningKey
from bearward.testing.minting import sign_segments
from bearward.testing.proofs import DPoPClient
from bearward.testing.publisher import Publisher
from bearward.testing.token_endpoint import TokenEndpoint
from bearward.testing.tokens import OWN_KID, TokenMaker
from bearward.trusted_issuer import TrustedIssuer
from bearward.verification import verify_token
from bearward.verifier import Verifier

__all__ = ["LocalIssuer"]

_START_WAIT: Final = 10.0
_Trusted = TypeVar("_Trusted", bound=TrustedIssuer | TenantIssuers)


class LocalIssuer(Publisher):
    """An issuer that runs in its own threads while its context is open.

    `algorithms` are those of its keys (the first is the default); `audience` and `lifetime` (seconds) go into its
    tokens; `path` makes it one tenant of several (`http://127.0.0.1:1234/tenant`), and `path="/"` ends its name with a slash, as Auth0's; `identifier` gives it an `iss` other
    than its address; `clients` (id to secret; None admits anyone) and `scopes` (None: any) control `POST /token`; `tls`
    serves https with a throw-away authority (`client_context`); `clock` says what time it is (a `MovableClock`).

    >>> with LocalIssuer(algorithms=["ES256"]) as issuer:
    ...     token = issuer.mint(sub="ada", scope="notes:read", expires_in=60)
    ...     issuer.requests("/jwks")
    0

    What can go wrong with an issuer is done by name: `down`, `up`, `slow`, `hold`, `release`, `rotate`, `publish_next`,
    `publish`, `withdraw`, `serve_garbage`, `serve_jwks`, `serve_discovery`, and `recover`. `requests` and
    `wait_for_requests` count what it was asked.
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
        clock: Clock | None = None,
    ) -> None:
        super().__init__(KeyRing(algorithms), host=host, port=port, path=path, identifier=identifier, tls=tls)
        self.audience = audience
        self.lifetime = lifetime
        self._clients = clients
        self._scopes = None if scopes is None else frozenset(scopes)
        self.clock = clock
        """What it was given as its clock."""
        self.now: Callable[[], float] = time.time if clock is None else clock.now
        """Its clock, in seconds since the epoch."""

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

    def rotate(self, alg: str | None = None, *, kid: str | None = None, publish: bool = True) -> SigningKey:
        """Sign with a new key from now on, or with that of `publish_next`; the old one stays published.

        With `publish=False` the new key is published late: not before `publish(key)`.
        """
        return self.keys.rotate(alg, kid=kid, publish=publish)

    def publish(self, key: SigningKey) -> None:
        """Publish a key that `rotate` kept back, or that was created elsewhere."""
        self.keys.publish(key)

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
        kid: str | None = OWN_KID,
        headers: Mapping[str, Any] | None = None,
        without_headers: Collection[str] = (),
        claims: Mapping[str, Any] | None = None,
        without: Collection[str] = (),
        expires_in: float | None = None,
        policy: TrustedIssuer | None = None,
        bound_to: DPoPClient | CertificateClient | None = None,
        **more_claims: Any,
    ) -> str:
        """A signed token: by default an honest access token (RFC 9068) that is valid for `self.lifetime` seconds.

        `expires_in`, in seconds, is its life. `policy` makes it such a token as that policy accepts, with its `iss`, `aud`
        and further claims: that of a profile too (see `stand_in_for`). `bound_to` binds it to the key of a client (RFC
        9449) or to its certificate (RFC 8705). `alg` is the algorithm (`none` leaves the signature empty); `key` signs instead of the issuer's own, and
        octets are a secret for HS256 and its siblings; `kid=None` omits `kid`. `headers`, then `claims` and further
        keyword arguments replace or add; `without_headers` and `without` remove. Raises `LookupError` if the issuer has no
        key for `alg`, `ValueError` if the key cannot sign with it, `TypeError` for `lifetime` (that is the issuer's).

        >>> issuer = LocalIssuer(algorithms=["ES256"])
        >>> issuer.mint(alg="none").endswith(".")
        True
        """
        if "lifetime" in more_claims:
            raise TypeError("mint() takes expires_in=seconds; lifetime is an argument of LocalIssuer")
        bound = {} if bound_to is None else {"cnf": bound_to.cnf}
        maker = TokenMaker(self.url, self.audience, self.lifetime if expires_in is None else expires_in, policy)
        return maker.token(
            self._signer(alg, key, policy),
            alg=alg,
            kid=kid,
            headers=headers or {},
            without_headers=without_headers,
            claims={**bound, **(claims or {}), **more_claims},
            without=without,
            now=int(self.now()),
        )

    def hostile(self, name: str, **claims: Any) -> str:
        """The hostile token of this name in `HOSTILE_TOKENS`; raises `KeyError` if there is none.

        >>> LocalIssuer(algorithms=["ES256"]).hostile("unsigned", scope="notes:read").endswith(".")
        True
        """
        return HOSTILE_TOKENS[name].make(self, claims)

    def dpop_client(self, alg: str = "ES256") -> DPoPClient:
        """A client with a key of its own, on this issuer's clock: `mint(bound_to=client)`, `client.proof(...)`."""
        return DPoPClient(alg, clock=self.now)

    def stand_in_for(self, policy: _Trusted) -> _Trusted:
        """`policy` with the keys of this issuer in place of the real ones: an issuer that is not within reach of a test.

        Its tokens are `mint(policy=...)`. A key is added if the policy allows none of the algorithms of this issuer.

        >>> from bearward import profiles
        >>> real = profiles.keycloak(host="keycloak.example", realm="demo", audience="https://api.example")
        >>> with LocalIssuer() as issuer:
        ...     issuer.stand_in_for(real).issuer
        'https://keycloak.example/realms/demo'
        """
        self._check_up()
        moved = with_keys_at(policy, self.jwks_uri)
        if isinstance(moved, TrustedIssuer) and choose_algorithm(moved, self.keys.algorithms) is None:
            self.rotate(min(moved.algorithms))
        return moved

    def trusted(self, **settings: Any) -> TrustedIssuer:
        """The policy of a service that trusts this issuer and is its audience; `settings` are those of `TrustedIssuer`."""
        self._check_up()
        patient = JWKSOptions(start_wait=_START_WAIT)  # a busy machine is no reason to start a test without keys
        return TrustedIssuer(self.url, **{"audience": self.audience, "jwks_options": patient, **settings})

    def verifier(self, **settings: Any) -> Verifier:
        """A verifier that trusts this issuer, on the issuer's clock; `settings` are those of `Verifier`."""
        return Verifier(self.trusted(), **{"clock": self.clock, **settings})

    def serve_garbage(self, name: str) -> None:
        """Serve this entry of `GARBAGE` in place of the JWK Set, until `recover`; raises `KeyError` if there is none."""
        garbage = GARBAGE[name]
        self.serve(f"{self._path}/jwks", lambda _: garbage())

    def recover(self) -> None:
        """Be well again: up, fast, and with real documents. Keys stay as they are."""
        self.restore()
        self.slow(0.0)
        self.release()
        self.up()

    def sign_segments(self, header: bytes, payload: bytes, key: SigningKey | None = None) -> str:
        """A correctly signed token of any octets; by the issuer's default key unless another is given."""
        return sign_segments(header, payload, self.key() if key is None else key)

    def _check_up(self) -> None:
        if not self.port:
            raise UsageError("the issuer has no address before it is up: use it in `with LocalIssuer() as issuer:`")

    def _signer(self, alg: str | None, key: SigningKey | bytes | None, policy: TrustedIssuer | None) -> SigningKey:
        if isinstance(key, bytes):
            return SigningKey.symmetric(key, "HS256" if alg is None else alg)
        if key is not None:
            return key
        if policy is not None and alg is None:
            alg = choose_algorithm(policy, self.keys.algorithms)
        return self.key(None if alg == "none" else alg)

    def _token_response(self, request: Request) -> Response:
        endpoint = TokenEndpoint(
            mint=lambda claims, lifetime: self.mint(claims=claims, expires_in=lifetime),
            audience=self.audience,
            lifetime=self.lifetime,
            clients=self._clients,
            scopes=self._scopes,
            read_token=self._read_token,
        )
        return endpoint.respond(request)

    def _read_token(self, token: str) -> Mapping[str, Any] | None:
        """The claims of a token that this issuer signed with a published key and that has not expired."""
        names = {key.alg for key in self.keys.published}
        trusted = self.trusted(jwks=self.keys.jwks(), algorithms=names, unsafe_any_audience=True)
        try:
            unverified = parse_compact(token)
            return verify_token(unverified, trusted, trusted.static_keys, self.now()).to_dict()
        except AuthError:
            return None
