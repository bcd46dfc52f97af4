"""joserfc and PyJWT as a careful user sets them up: one issuer, one audience, `exp` required, an allow-list, the JWKS.

Rule of this file: a peer gets a token and answers the claims, that it refuses, or with which exception of another kind
than its own it failed. It is given every means to refuse that its documentation names.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import jwt
from joserfc import jwt as joserfc_jwt
from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import JWKRegistry
from joserfc.jws import extract_compact
from joserfc.jwt import JWTClaimsRegistry

from bearward.jose.algorithms import ASYMMETRIC

__all__ = ["PEERS", "Peer"]

Peer = Callable[[str], Mapping[str, Any] | str]
"""A token in; out come the claims, `refused`, or the name of an exception that is none of the library's own."""

REFUSED = "refused"


def joserfc(jwks: Mapping[str, Any], issuer: str, audience: str) -> Peer:
    """With a `JWTClaimsRegistry`; a key that joserfc cannot import is left out; without a `kid`, any key that fits."""
    keys = [key for member in jwks["keys"] if (key := _imported(member)) is not None]
    registry = JWTClaimsRegistry(
        iss={"essential": True, "value": issuer}, aud={"essential": True, "value": audience}, exp={"essential": True}
    )

    def decode(token: str) -> Mapping[str, Any]:
        header = extract_compact(token.encode()).headers()
        tried = [key for key in keys if "kid" not in header or key.kid == header["kid"]]
        error: Exception = InvalidKeyIdError()
        for key in tried:
            try:
                found = joserfc_jwt.decode(token, key, algorithms=list(ASYMMETRIC))
                break
            except JoseError as exc:
                error = exc
        else:
            raise error
        registry.validate(found.claims)
        return found.claims

    return _judging(decode, JoseError)


def pyjwt(jwks: Mapping[str, Any], issuer: str, audience: str) -> Peer:
    """With `require`, and the key that `kid` names; without a `kid`, any key that fits."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keys = jwt.PyJWKSet.from_dict(dict(jwks)).keys
    algorithms = [name for name in ASYMMETRIC if name in jwt.algorithms.get_default_algorithms()]

    def decode(token: str) -> Mapping[str, Any]:
        kid = jwt.get_unverified_header(token).get("kid")
        error: Exception = jwt.InvalidKeyError("no key")
        for key in (key for key in keys if kid is None or key.key_id == kid):
            try:
                claims: Mapping[str, Any] = jwt.decode(
                    token,
                    key,
                    algorithms=algorithms,
                    issuer=issuer,
                    audience=audience,
                    options={"require": ["exp", "iss", "aud"]},
                )
                return claims
            except jwt.PyJWTError as exc:
                error = exc
        raise error

    return _judging(decode, jwt.PyJWTError)


def _imported(member: Mapping[str, Any]) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return JWKRegistry.import_key(dict(member))
    except (JoseError, ValueError):
        return None


def _judging(decode: Callable[[str], Mapping[str, Any]], own: type[Exception]) -> Peer:
    def judge(token: str) -> Mapping[str, Any] | str:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return decode(token)
        except own:
            return REFUSED
        except Exception as error:  # noqa: BLE001  (which one it is, is the finding)
            return type(error).__name__

    return judge


PEERS: dict[str, Callable[[Mapping[str, Any], str, str], Peer]] = {"joserfc": joserfc, "PyJWT": pyjwt}
