"""The checks of key and signature: whether the issuer has the key, and whether it signed the token.

Rules of this file: pure; `find_signing_key` decides. Key ids are named only if they are of the issuer's own set.
"""

from __future__ import annotations

from bearward.errors import AuthError
from bearward.explanation.context import Reader, judged, not_reached
from bearward.explanation.report import Check
from bearward.explanation.wording import names, shown
from bearward.jose.compact import JOSEHeader
from bearward.jose.jwk_set import JWKSet
from bearward.jose.jws import find_signing_key
from bearward.refusals import Refusal

__all__ = ["key_checks"]

_SIGNATURE = "the issuer's signature over header and claims"


def key_checks(reader: Reader) -> list[Check]:
    """Key and signature."""
    token, keys = reader.token, reader.context.keys(reader.policy)
    outcome = Refusal.KEYS_UNAVAILABLE if keys is None else find_signing_key(token, keys)
    refusal = outcome if isinstance(outcome, Refusal) else None
    key = _key(token.header, keys, None if refusal is Refusal.SIGNATURE_INVALID else refusal)
    if refusal is None:
        return [key, judged("signature", _SIGNATURE, "a good signature", lambda: None)]
    if refusal is Refusal.SIGNATURE_INVALID:
        return [
            key,
            judged(
                "signature",
                _SIGNATURE,
                "a signature that does not match",
                lambda: _raise(refusal),
                _signature_hint(reader),
            ),
        ]
    return [key, not_reached("signature", _SIGNATURE)]


def _key(header: JOSEHeader, keys: JWKSet | None, refusal: Refusal | None) -> Check:
    asked = f"a key of the issuer for {header.alg if refusal is None else 'the algorithm'}"
    kid = header.kid
    if kid is None:
        found = "no kid"
    elif keys is not None and keys.holds(kid):
        found = f"kid {shown(kid)}, which the issuer has"
    else:
        found = "a kid that the issuer's set does not hold" if keys is not None else "a kid; no keys are held"
    return judged("key", asked, found, lambda: _raise(refusal), _key_hint(header, keys, refusal))


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise AuthError(refusal)


def _key_hint(header: JOSEHeader, keys: JWKSet | None, refusal: Refusal | None) -> str:
    if keys is None:
        return "the issuer's keys were not fetched: is it reachable, and is its key set usable?"
    if refusal is Refusal.KEY_UNSUITABLE and header.kid is not None:
        fits = {alg for key in keys.keys if key.kid == header.kid for alg in key.algorithms}
        return f"that key is for {names(fits)}" if fits else "no key of the set is for this algorithm"
    if refusal is Refusal.KEY_UNSUITABLE:
        return f"the set holds keys for {names(alg for key in keys.keys for alg in key.algorithms)}"
    return (
        f"the set holds {_held(keys)}; the issuer may have rotated its keys, or the token is from another environment"
    )


def _held(keys: JWKSet) -> str:
    kids = [key.kid for key in keys.keys if key.kid is not None]
    several = f"{len(keys.keys)} key{'s' if len(keys.keys) > 1 else ''}"
    named = f" ({', '.join(shown(kid) for kid in kids[:4])}{', ...' if len(kids) > 4 else ''})" if kids else ""
    rejected = f" and {len(keys.rejected)} that cannot be used" if keys.rejected else ""
    return several + named + rejected


def _signature_hint(reader: Reader) -> str:
    if not reader.token.signature:
        return "the token has no signature: it was cut off, or never signed"
    return "the token was changed or cut off, or another environment of the issuer has another key under this name"
