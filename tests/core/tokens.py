"""Tokens and key sets for tests of verification: signed by a generated key, good unless they are told otherwise."""

from __future__ import annotations

from typing import Any

from bearward import TrustedIssuer
from bearward.jose.compact import parse_compact
from bearward.jose.jwk_set import JWKSet
from bearward.principal import Principal
from bearward.testing import SigningKey, json_octets, sign_segments
from bearward.verification import verify_token
from tests.core.fake_clock import FakeClock

__all__ = ["ISSUER", "KEY", "NOW", "POLICY", "key_set", "token_of", "verified"]

NOW = FakeClock().now()
ISSUER = "https://login.example"
KEY = SigningKey.generate("ES256", kid="k")
POLICY = TrustedIssuer(ISSUER, audience="api")


def key_set(*jwks: dict[str, Any]) -> JWKSet:
    """The set of these keys."""
    return JWKSet.parse(json_octets({"keys": list(jwks)}))


def token_of(key: SigningKey, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token that `POLICY` accepts, unless `header` or `claims` say otherwise; a member that is None is left out."""
    members = {"alg": key.alg, "kid": key.kid, **(header or {})}
    good = {"iss": ISSUER, "aud": "api", "exp": NOW + 300, **claims}
    return sign_segments(json_octets(_present(members)), json_octets(_present(good)), key)


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def verified(token: str, keys: JWKSet | None, policy: TrustedIssuer = POLICY, now: float = NOW) -> Principal:
    """The principal of `token`; raises `AuthError`."""
    return verify_token(parse_compact(token), policy, keys, now)
