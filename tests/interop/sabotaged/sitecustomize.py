"""Breaks bearward on purpose in the processes of a run, so that it can be seen which rows notice: `sabotage.py`.

Rule of this file: `INTEROP_SABOTAGE` names one way; without it nothing happens. Python imports this file by its name
when the folder is on the path, which it is in such a run alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any

from bearward import Principal, Requirement, Verifier, confirmation, possession, verification
from bearward.dpop.proof import Proof
from bearward.errors import AuthError
from bearward.jose.compact import UnverifiedToken, parse_compact
from bearward.jose.jwk import VerificationKey
from bearward.jose.jwk_set import JWKSet
from bearward.refusals import Refusal


def accepts() -> None:
    """Verification is switched off: whatever can be read is admitted."""

    def verify_now(self: Verifier, token: str, *_: object) -> Principal:
        return Principal.from_verified_claims(parse_compact(token).claims, "nobody's key")

    _put(Verifier, _verify_now=verify_now, cached_entry=lambda self, token: None)


def refuses() -> None:
    """Nobody is admitted."""

    def verify_now(self: Verifier, token: str, *_: object) -> Principal:
        raise AuthError(Refusal.SIGNATURE_INVALID)

    _put(Verifier, _verify_now=verify_now, cached_entry=lambda self, token: None)


def unsigned() -> None:
    """Signatures are not looked at: any key of the set will do."""

    def find_signing_key(token: UnverifiedToken, keys: JWKSet) -> VerificationKey:
        return (*keys.candidates(token.header.alg, token.header.kid), *keys.keys)[0]

    _put(verification, find_signing_key=find_signing_key)


def unvalidated() -> None:
    """Claims are not looked at."""
    _put(verification, check_times=lambda claims, policy, now: None, check_claims=lambda claims, policy, **more: None)


def unauthorized() -> None:
    """Whoever is known may do everything."""
    for kind in Requirement.__subclasses__():
        _put(kind, unmet=lambda self, principal, now: None)


def unproven() -> None:
    """Neither proofs nor certificates are looked at: whoever holds a bound token is its owner."""

    def check_proof(proof: str, *, jkt: str, now: float, **_: object) -> Proof:
        return Proof(jkt, secrets.token_hex(), now, now)

    _put(possession, check_proof=check_proof, single_proof=lambda values: "", check_thumbprint=lambda *_: None)
    _put(confirmation, check_thumbprint=lambda *_: None)


def _put(where: Any, **names: Any) -> None:
    for name, value in names.items():
        getattr(where, name)  # what is not there any more is put in vain, and must not look as if it were
        setattr(where, name, value)


WAYS: dict[str, Callable[[], None]] = {
    way.__name__: way for way in (accepts, refuses, unsigned, unvalidated, unauthorized, unproven)
}
if os.environ.get("INTEROP_SABOTAGE"):
    WAYS[os.environ["INTEROP_SABOTAGE"]]()
