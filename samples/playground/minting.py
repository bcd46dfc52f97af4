"""Tokens for the page: minted by the local issuer, taken apart, changed, and signed again.

Rules of this file: the keys that prove possession (DPoP, certificates) are made here and stay here; the page knows their
thumbprints from the tokens. What is bounded is bounded because a page may ask for ever.
"""

from __future__ import annotations

import datetime as dt
import json
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bearward import TrustedIssuer
from bearward.confirmation import certificate_thumbprint
from bearward.jose.base64url import decode, encode
from bearward.testing import DPoPClient, LocalIssuer, SigningKey, json_octets
from samples.playground.profiles import LOCAL, PROFILES, policy_of

__all__ = ["InvalidInputError", "Mint", "Parts", "parts_of"]

_MAX_HELD = 256
T = TypeVar("T")


class InvalidInputError(ValueError):
    """What the page sent cannot be used; the text says what it must be."""


@dataclass(frozen=True, slots=True)
class Parts:
    """A token taken apart as far as it can be; what cannot be read is None."""

    header: dict[str, Any] | None
    claims: dict[str, Any] | None
    segments: tuple[str, ...] = field(repr=False)

    def bound_to(self, member: str) -> str | None:
        """The thumbprint in the claim `cnf` (RFC 7800): `jkt` or `x5t#S256`."""
        confirmation = (self.claims or {}).get("cnf")
        value = confirmation.get(member) if isinstance(confirmation, dict) else None
        return value if isinstance(value, str) else None


def parts_of(token: str) -> Parts:
    """Take a token apart without believing any of it."""
    segments = tuple(token.split("."))
    header, claims = (_object(segments[at]) if len(segments) > at else None for at in (0, 1))
    return Parts(header, claims, segments)


class Mint:
    """Mints what the page asks for, and holds the keys of bound tokens."""

    def __init__(self, issuer: LocalIssuer) -> None:
        self.issuer = issuer
        self._clients: OrderedDict[str, DPoPClient] = OrderedDict()
        self._certificates: OrderedDict[str, bytes] = OrderedDict()

    def mint(
        self, *, alg: str, profile: str, binding: str, scope: str, subject: str, lifetime: float, **changes: Any
    ) -> str:
        """A good token; `binding` is `none`, `dpop` or `certificate`. Raises `InvalidInputError`."""
        claims = self._confirmation(binding) | changes
        if profile == LOCAL:
            claims |= {"client_id": "playground", "sid": f"session-of-{subject}"}
        policy = self._policy(profile)
        if policy is None or "sub" not in policy.expected_claims:
            claims["sub"] = subject
        if scope and (policy is None or "scope" not in policy.refused_claims):
            claims["scope"] = scope
        allowed = policy is None or alg in policy.algorithms
        return self.issuer.mint(alg=alg if allowed else None, policy=policy, claims=claims, expires_in=lifetime)

    def sign(self, header: dict[str, Any], claims: dict[str, Any], *, key: SigningKey | None = None) -> str:
        """These members, signed by the issuer's own key for `alg`, or for its default where it has none for that."""
        signer = key or self.key(header.get("alg"))
        return self.issuer.sign_segments(json_octets(header), json_octets(claims), signer)

    def key(self, alg: object) -> SigningKey:
        """The key that signs for `alg` now, or for the default where there is none for that."""
        try:
            return self.issuer.key(alg if isinstance(alg, str) else None)
        except LookupError:
            return self.issuer.key()

    @staticmethod
    def with_old_signature(token: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
        """These members under the signature that the token had: it must never verify."""
        signature = token.rpartition(".")[2] if token.count(".") == 2 else ""
        return ".".join((*(encode(json_octets(members)).decode("ascii") for members in (header, claims)), signature))

    def client(self, jkt: str | None) -> DPoPClient | None:
        """Who holds the key with this thumbprint; None if the playground did not make it."""
        return None if jkt is None else self._clients.get(jkt)

    def certificate(self, thumbprint: str | None) -> bytes | None:
        """The certificate (DER) with this thumbprint; None if the playground did not make it."""
        return None if thumbprint is None else self._certificates.get(thumbprint)

    def new_certificate(self) -> bytes:
        """A client's certificate in DER, self-signed: RFC 8705 section 2.2."""
        key = ec.generate_private_key(ec.SECP256R1())
        name, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "playground")]), dt.datetime.now(dt.UTC)
        builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - dt.timedelta(days=1)).not_valid_after(now + dt.timedelta(days=1))
        return builder.sign(key, SHA256()).public_bytes(Encoding.DER)

    def _policy(self, profile: str) -> TrustedIssuer | None:
        if profile == LOCAL:
            return None
        if profile not in PROFILES:
            raise InvalidInputError(f"profile must be {LOCAL} or one of {', '.join(PROFILES)}")
        return policy_of(profile, self.issuer.jwks_uri)

    def _confirmation(self, binding: str) -> dict[str, Any]:
        if binding == "dpop":
            client = DPoPClient()
            _hold(self._clients, client.jkt, client)
            return {"cnf": client.cnf}
        if binding == "certificate":
            der = self.new_certificate()
            _hold(self._certificates, certificate_thumbprint(der), der)
            return {"cnf": {"x5t#S256": certificate_thumbprint(der)}}
        if binding != "none":
            raise InvalidInputError("binding must be none, dpop or certificate")
        return {}


def _hold(held: OrderedDict[str, T], name: str, value: T) -> None:
    held[name] = value
    while len(held) > _MAX_HELD:
        held.popitem(last=False)


def _object(segment: str) -> dict[str, Any] | None:
    try:
        read = json.loads(decode(segment.encode("ascii")))
    except (ValueError, RecursionError):
        return None
    return read if isinstance(read, dict) else None
