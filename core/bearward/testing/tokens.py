"""From what a test asks for to a signed token: honest by default, for an issuer's own policy or for another one.

Rule of this file: it writes what it is asked to, right or wrong. No check of the verifying side is repeated here.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Final

from bearward.testing.for_policy import claims_for, header_type
from bearward.testing.keys import SigningKey
from bearward.testing.minting import json_octets, sign_placed, sign_segments
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["OWN_KID", "TokenMaker"]

OWN_KID: Final = "the key's own kid"
_TYPE: Final = "at+jwt"


@dataclass(frozen=True, slots=True)
class TokenMaker:
    """Makes tokens with this `iss`, `aud` and lifetime in seconds, or such as `policy` accepts."""

    issuer: str
    audience: str
    lifetime: float
    policy: TrustedIssuer | None = None

    def token(
        self,
        signer: SigningKey,
        *,
        alg: str | None,
        kid: str | None,
        headers: Mapping[str, Any],
        without_headers: Collection[str],
        claims: Mapping[str, Any],
        without: Collection[str],
        now: int,
    ) -> str:
        """A token that `signer` signs; see `LocalIssuer.mint`."""
        name = signer.alg if alg is None else alg
        header: dict[str, Any] = {"alg": name, "typ": _TYPE, "kid": signer.kid if kid is OWN_KID else kid}
        if self.policy is not None:
            header["typ"] = header_type(self.policy, _TYPE)
        header = {member: value for member, value in header.items() if value is not None}
        edited = _edited({**header, **headers}, without_headers)
        payload = _edited({**self._claims(now), **claims}, without)
        place = None if self.policy is None else self.policy.place
        if place is None:
            return sign_segments(json_octets(edited), json_octets(payload), signer, name)
        return sign_placed(edited, payload, signer, name, place)

    def _claims(self, now: int) -> dict[str, Any]:
        honest: dict[str, Any] = {
            "iss": self.issuer,
            "sub": "subject",
            "aud": self.audience,
            "client_id": "client",
            "iat": now,
            "exp": _numeric_date(now + self.lifetime),
            "jti": uuid.uuid4().hex,
        }
        if self.policy is None:
            return honest
        merged = {**honest, **claims_for(self.policy, now)}
        return {claim: value for claim, value in merged.items() if value is not None}


def _numeric_date(seconds: float) -> float:
    """RFC 7519 section 2 allows a fraction; a whole number is written without one, as issuers do."""
    return int(seconds) if float(seconds).is_integer() else seconds


def _edited(members: Mapping[str, Any], without: Collection[str]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if name not in without}
