"""DPoP proofs: every check of RFC 9449 section 4.3, as a pure function of (proof, token, request, policy, now).

Rules of this file: no I/O, no clock, no logging. Cheap checks come first, then the signature, and the nonce last, so
that only the holder of the key learns that a nonce is missing. A proof that passes here may still have been used
before: the caller records it (`bearward.dpop.replay`) after everything else has been decided.

From any text the outcome is a `Proof` or an `AuthError`.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any, NamedTuple

from bearward.dpop.key import ProofHeader, read_header
from bearward.dpop.policy import DPoP
from bearward.errors import AuthError
from bearward.jose.base64url import encode
from bearward.jose.compact import split
from bearward.jose.strict_json import HEADER_LIMITS, parse_object
from bearward.refusals import Refusal

__all__ = ["MAX_JTI", "MAX_PROOF", "Proof", "check_proof", "single_proof"]

MAX_PROOF = 8 * 1024
"""Characters of a proof: a key of 4096 bits, its signature and a long URI fit twice."""
MAX_JTI = 512
"""Characters of a `jti` (RFC 9449 section 11.1 warns of large ones)."""
_fast_new = tuple.__new__  # a NamedTuple's own constructor is one more call
_NUMERIC = frozenset({int, float})  # by exact type: JSON's true and false are no NumericDate


class Proof(NamedTuple):
    """A verified proof of possession."""

    jkt: str
    """The RFC 7638 thumbprint of the key that signed it."""
    jti: str
    issued_at: float
    """`iat`, seconds since the epoch."""
    expires_at: float
    """The last moment at which the same proof would pass again; until then its `jti` must be remembered."""


def single_proof(values: Sequence[str | bytes]) -> str:
    """The proof of all `DPoP` values of a request (RFC 9449 section 4.3, check 1); raise `AuthError`.

    Refusals: DPOP_PROOF_MISSING, DPOP_PROOF_REPEATED, DPOP_PROOF_MALFORMED.

    >>> single_proof(["a.b.c"])
    'a.b.c'
    >>> single_proof(["a.b.c", "a.b.c"])
    Traceback (most recent call last):
        ...
    bearward.errors.AuthError: more than one DPoP proof was presented
    """
    if len(values) != 1:
        raise AuthError(Refusal.DPOP_PROOF_REPEATED if values else Refusal.DPOP_PROOF_MISSING)
    value = values[0]
    if len(value) > MAX_PROOF:
        raise AuthError(Refusal.DPOP_PROOF_MALFORMED)
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    # RFC 9110 section 5.5: white space around a field's value is no part of it; gRPC hands it on all the same.
    text = text.strip(" \t")
    if "," in text:  # two fields, joined on the way (RFC 9110 section 5.3)
        raise AuthError(Refusal.DPOP_PROOF_REPEATED)
    return text


def check_proof(proof: str, *, token: str, jkt: str, htm: str, path: str, policy: DPoP, now: float) -> Proof:
    """The proof that `proof` is, for a request `htm` to `path` with the access `token`; raise `AuthError`.

    `jkt` is the token's own `cnf.jkt`, from a token that was verified. `htm` is the request's method, compared exactly;
    `path` is its path as it was sent, without query; `now` is in seconds since the epoch.

    Refusals: the `DPOP_…` of the catalogue but for DPOP_PROOF_MISSING, DPOP_PROOF_REPEATED, DPOP_REPLAYED and
    DPOP_UNAVAILABLE.
    """
    if len(proof) > MAX_PROOF:
        raise AuthError(Refusal.DPOP_PROOF_MALFORMED)
    try:
        _, payload, signing_input, signature = split(proof)
        claims = parse_object(payload, HEADER_LIMITS)
    except (AuthError, ValueError):
        raise AuthError(Refusal.DPOP_PROOF_MALFORMED) from None
    segment = proof.partition(".")[0]
    known = _KNOWN.get(segment)
    alg, key = known or read_header(segment, policy.algorithms)
    if alg not in policy.algorithms:
        raise AuthError(Refusal.DPOP_ALGORITHM_NOT_ALLOWED)
    issued, jti = _check_claims(claims, token=token, htm=htm, path=path, policy=policy, now=now)
    if key.thumbprint != jkt:  # neither is a secret, so there is nothing to learn from the time that it takes
        raise AuthError(Refusal.DPOP_KEY_MISMATCH)
    if not key.verify(alg, signing_input, signature):
        raise AuthError(Refusal.DPOP_SIGNATURE_INVALID)
    if policy.nonces is not None and not policy.nonces.accepts(claims.get("nonce", ""), now):
        raise AuthError(Refusal.DPOP_NONCE_REQUIRED)
    if known is None:
        _remember(segment, ProofHeader(alg, key))
    return _fast_new(Proof, (key.thumbprint, jti, issued, issued + policy.window))


def _check_claims(
    claims: dict[str, Any], *, token: str, htm: str, path: str, policy: DPoP, now: float
) -> tuple[float, str]:
    """`iat` and `jti`, once all claims are there, are well formed and say what this request asks for."""
    jti = _text(claims, "jti")
    if not jti or len(jti) > MAX_JTI:
        raise AuthError(Refusal.DPOP_CLAIM_MALFORMED, claim="jti")
    if "nonce" in claims and type(claims["nonce"]) is not str:
        raise AuthError(Refusal.DPOP_CLAIM_MALFORMED, claim="nonce")
    if claims.get("htm") != htm:
        _text(claims, "htm")
        raise AuthError(Refusal.DPOP_METHOD_MISMATCH, claim="htm")
    if not policy.public_origins.match(_text(claims, "htu"), path):
        raise AuthError(Refusal.DPOP_URI_MISMATCH, claim="htu")
    # Fast path for usual, valid proofs; the rules below check the rest, and would have accepted these too.
    issued, window = claims.get("iat"), policy.window
    # Compared, never subtracted from: a number of a thousand digits is no float.
    if type(issued) is not int or not now - window <= issued <= now + window or "exp" in claims or "nbf" in claims:
        issued = _check_times(claims, window, now)
    if claims.get("ath") != access_token_hash(token):
        _text(claims, "ath")
        raise AuthError(Refusal.DPOP_TOKEN_MISMATCH, claim="ath")
    return issued, jti


def _check_times(claims: dict[str, Any], window: float, now: float) -> float:
    """`iat` within the window. A proof is a JWT, so an `exp` or `nbf` that a client adds holds too (RFC 7519)."""
    issued = _date(claims, "iat")
    if issued < now - window or ("exp" in claims and _date(claims, "exp") <= now):
        raise AuthError(Refusal.DPOP_PROOF_EXPIRED, claim="iat" if issued < now - window else "exp")
    if issued > now + window or ("nbf" in claims and _date(claims, "nbf") > now + window):
        raise AuthError(Refusal.DPOP_PROOF_NOT_YET_VALID, claim="iat" if issued > now + window else "nbf")
    return issued


def _text(claims: dict[str, Any], name: str) -> str:
    value = claims.get(name)
    if type(value) is not str:
        refusal = Refusal.DPOP_CLAIM_MALFORMED if name in claims else Refusal.DPOP_CLAIM_MISSING
        raise AuthError(refusal, claim=name)
    return value


def _date(claims: dict[str, Any], name: str) -> float:
    value = claims.get(name)
    if type(value) not in _NUMERIC:
        refusal = Refusal.DPOP_CLAIM_MALFORMED if name in claims else Refusal.DPOP_CLAIM_MISSING
        raise AuthError(refusal, claim=name)
    # Compared, never converted: a number of a thousand digits is no float, and no date either.
    if not -_FARTHEST < value < _FARTHEST:  # type: ignore[operator]
        raise AuthError(Refusal.DPOP_CLAIM_MALFORMED, claim=name)
    return value  # type: ignore[return-value]


_FARTHEST = 1e15  # seconds


def access_token_hash(token: str) -> str:
    """The `ath` of an access token (RFC 9449 section 4.2)."""
    digest = _SHA256.copy()  # a new one would be looked up by its name
    digest.update(token.encode("utf-8", "surrogatepass"))
    return encode(digest.digest()).decode("ascii")


_SHA256 = sha256()


# A client's header is the same in each of its proofs, and making a key of it takes half as long as a verification. Only
# the headers of proofs that passed are kept, so that attackers evict no one; bounded in number and in bytes.
_KNOWN: dict[str, ProofHeader] = {}
_MAX_KNOWN = 4096
_MAX_KNOWN_SEGMENT = 1536


def _remember(segment: str, header: ProofHeader) -> None:
    if len(segment) > _MAX_KNOWN_SEGMENT:
        return
    if len(_KNOWN) >= _MAX_KNOWN:
        _KNOWN.clear()
    _KNOWN[segment] = header
