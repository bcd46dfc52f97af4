"""A table of tokens for one profile: good shapes of that issuer, and its neighbours' tokens that must not pass.

Rule of this file: a row is data: the vendor's header and claims, and what is changed of them. `NOW` stands for the
moment of the run.
"""

from __future__ import annotations

import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from bearward.credential_place import CredentialPlace
from bearward.issuers.tenants import TenantIssuers
from bearward.testing import SigningKey, json_octets, sign_segments
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["ACCEPTED", "COMMON", "Row", "Table", "key_of", "no", "ok", "published", "token_of"]

ACCEPTED = "accepted"
Trusted = TrustedIssuer | TenantIssuers
ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "EdDSA")


@dataclass(frozen=True, slots=True)
class Row:
    """One token: `base` names the claims it starts from; `change` and `without` edit them, `header` the header."""

    name: str
    expected: str
    change: Mapping[str, Any] = field(default_factory=dict)
    without: tuple[str, ...] = ()
    header: Mapping[str, Any] = field(default_factory=dict)
    base: str = ""
    beside: Mapping[str, Any] = field(default_factory=dict)
    """What stands in the payload although it belongs into the header, where the issuer's place says so."""
    unpublished_key: bool = False
    """Signed with a key that nobody published, under the name of one that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """What `trust` makes of an issuer's tokens; times in claims are seconds from now."""

    name: str
    trust: Callable[..., Trusted | tuple[Trusted, ...]]
    header: Mapping[str, Any]
    claims: Mapping[str, Any]
    others: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Further sets of claims, for the `base` of a row."""
    rows: tuple[Row, ...]

    def trusted(self) -> tuple[Trusted, ...]:
        """The policies, with keys of this run."""
        made = self.trust(jwks=published())
        return made if isinstance(made, tuple) else (made,)

    def place(self) -> CredentialPlace | None:
        """Where the tokens are; None: in `Authorization`."""
        return self.trusted()[0].place


def ok(
    name: str,
    /,
    *,
    base: str = "",
    without: tuple[str, ...] = (),
    header: Mapping[str, Any] = {},
    beside: Mapping[str, Any] = {},
    **change: Any,
) -> Row:
    """A token that is let in."""
    return Row(name, ACCEPTED, change, without, header, base, beside)


def no(
    expected: str,
    name: str,
    /,
    *,
    base: str = "",
    without: tuple[str, ...] = (),
    header: Mapping[str, Any] = {},
    beside: Mapping[str, Any] = {},
    **change: Any,
) -> Row:
    """A token that is refused with this code."""
    return Row(name, expected, change, without, header, base, beside)


COMMON = (
    Row("expired", "token_expired", {"exp": -60, "iat": -600}),
    Row("signed with another key", "signature_invalid", unpublished_key=True),
    Row("unsigned", "algorithm_not_allowed", header={"alg": "none"}),
    Row("another issuer", "issuer_untrusted", {"iss": "https://login.example.net/"}),
    Row("of the same name, one character more", "issuer_untrusted", {"iss": "…x"}),
    Row("a logout token", "token_type_not_allowed", header={"typ": "logout+jwt"}),
    Row("a security event", "token_type_not_allowed", header={"typ": "secevent+jwt"}),
)
"""What no profile lets in."""


@cache
def key_of(algorithm: str) -> SigningKey:
    """The issuer's key."""
    return SigningKey.generate(algorithm)


@cache
def _unpublished_key(algorithm: str) -> SigningKey:
    return SigningKey.generate(algorithm)


def published() -> dict[str, Any]:
    """The JWK Set that all tables share: that two issuers of one vendor share their keys is the usual case."""
    return {"keys": [key_of(algorithm).public_jwk() for algorithm in ALGORITHMS]}


def token_of(table: Table, row: Row) -> str:
    """The row's token, signed."""
    claims = {**table.claims, **(table.others[row.base] if row.base else {}), **row.change}
    if claims.get("iss") == "…x":
        claims["iss"] = f"{table.claims.get('iss', 'https://login.example')}x"
    if claims.get("jti") == "…":
        claims["jti"] = uuid.uuid4().hex
    payload = {
        name: _timed(name, value) for name, value in claims.items() if name not in row.without and value is not None
    }
    header = {name: value for name, value in {**table.header, **row.header}.items() if value is not None}
    algorithm = header["alg"]
    if algorithm == "none":
        key = key_of(table.header["alg"])
    elif algorithm.startswith("HS"):
        key = SigningKey.symmetric(b"a secret of the issuer's own, long enough for all", algorithm)
    else:
        key = _unpublished_key(algorithm) if row.unpublished_key else key_of(algorithm)
    published_kid = key_of(algorithm if algorithm in ALGORITHMS else table.header["alg"]).kid
    header, place = {"kid": published_kid, **header}, table.place()
    if place is None or not place.padded:
        return sign_segments(json_octets(header), json_octets(payload), key, algorithm)
    header |= {name: payload.pop(name) for name in place.header_claims if name in payload}
    return _padded(header, {**payload, **row.beside}, key, algorithm)


def _padded(header: Mapping[str, Any], payload: Mapping[str, Any], key: SigningKey, algorithm: str) -> str:
    """As AWS writes a token: every segment with its padding, and signed as it is written."""
    signed = b".".join(urlsafe_b64encode(json_octets(members)) for members in (header, payload))
    signature = b"" if algorithm == "none" else urlsafe_b64encode(key.sign(signed, algorithm))
    return f"{signed.decode()}.{signature.decode()}"


_TIMES = frozenset({"exp", "nbf", "iat", "auth_time"})


def _timed(name: str, value: Any) -> Any:
    return int(time.time()) + value if name in _TIMES and type(value) is int else value
