"""Who sent a token: with nothing but the token (a bearer), or with proof of the key that it is bound to.

Rules of this file: pure. A token that is bound (RFC 7800 `cnf`) is worth nothing by itself, a token that is not bound is
not made better by a proof, and where a token names two keys (`jkt` and `x5t#S256`) both are proven. A confirmation
method that is not known here cannot be checked, so such a token is refused.

| scheme | token without `cnf` | `jkt` | `x5t#S256` | both |
| --- | --- | --- | --- | --- |
| `Bearer` | passes unless DPoP is required | refused | by the certificate | refused |
| `DPoP` | refused | by the proof | refused | by proof and certificate |
| `mtls_pop` | refused | refused | by the certificate | refused |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from hmac import compare_digest
from typing import Any, NamedTuple

from bearward.dpop.policy import DPoP
from bearward.dpop.proof import Proof, check_proof, single_proof
from bearward.errors import AuthError, Refusal

__all__ = ["BEARER", "Presented", "Scheme", "SenderProof", "binding_of", "check_sender"]

_KEY, _CERTIFICATE = "jkt", "x5t#S256"


class Scheme(Enum):
    """The authentication scheme under which a token was presented."""

    BEARER = "Bearer"
    DPOP = "DPoP"
    MTLS_POP = "mtls_pop"


class SenderProof(NamedTuple):
    """How it was proven that a token came from whom it was issued to.

    >>> str(SenderProof())
    'bearer'
    >>> str(SenderProof(jkt="0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"))
    'dpop 0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I'
    """

    jkt: str | None = None
    """The RFC 7638 thumbprint of the key that a DPoP proof was made with."""
    certificate: str | None = None
    """The thumbprint (`x5t#S256`) of the client certificate of the connection."""
    vouched_by: str | None = None
    """The name of a proxy that proved the binding in our place (`unsafe_binding_proved_by`)."""

    @property
    def is_bearer(self) -> bool:
        """Whether nothing but the token was presented."""
        return self == BEARER

    def __str__(self) -> str:
        named = (("dpop", self.jkt), ("certificate", self.certificate), ("proved by", self.vouched_by))
        return ", ".join(f"{name} {value}" for name, value in named if value is not None) or "bearer"


BEARER = SenderProof()


class Presented(NamedTuple):
    """What a request brings: the scheme, the proofs, and what the proofs are about."""

    scheme: Scheme
    token: str
    proofs: Sequence[str | bytes] = ()
    """All values of the `DPoP` field."""
    htm: str = ""
    """The request's method."""
    path: str = ""
    """The request's path as it was sent, without query."""
    certificate: str | None = None
    """The thumbprint (`x5t#S256`) of the client certificate, where there is one."""


def binding_of(claims: Mapping[str, Any]) -> SenderProof:
    """What the sender of a token with these verified claims must prove; raise `AuthError` (TOKEN_SENDER_CONSTRAINED).

    >>> binding_of({"cnf": {"jkt": "k1"}})
    SenderProof(jkt='k1', certificate=None, vouched_by=None)
    >>> binding_of({}).is_bearer
    True
    """
    if "cnf" not in claims:
        return BEARER
    confirmation = claims["cnf"]
    if not isinstance(confirmation, Mapping) or not confirmation or not confirmation.keys() <= {_KEY, _CERTIFICATE}:
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    for value in confirmation.values():
        if not isinstance(value, str) or not value or not value.isascii():
            raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    return SenderProof(confirmation.get(_KEY), confirmation.get(_CERTIFICATE))


def check_sender(
    claims: Mapping[str, Any], presented: Presented, policy: DPoP | None, now: float
) -> tuple[SenderProof, Proof | None]:
    """How the sender of a verified token is proven, and the DPoP proof that is still to be recorded; raise `AuthError`.

    `policy` is None where DPoP is not offered. `now` is in seconds since the epoch.
    """
    binding = binding_of(claims)
    proof = None
    if presented.scheme is Scheme.DPOP:
        proof = _check_dpop(binding, presented, policy, now)
    elif binding.jkt is not None:  # also with a certificate: the token says that both are asked for
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    elif presented.scheme is Scheme.MTLS_POP and binding.certificate is None:
        raise AuthError(Refusal.TOKEN_NOT_BOUND)
    elif policy is not None and policy.required:
        raise AuthError(Refusal.SENDER_CONSTRAINT_REQUIRED)
    if binding.certificate is not None and not _same(binding.certificate, presented.certificate):
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    return binding, proof


def _check_dpop(binding: SenderProof, presented: Presented, policy: DPoP | None, now: float) -> Proof:
    if policy is None:
        raise AuthError(Refusal.CREDENTIALS_MISSING)
    if binding.jkt is None:
        raise AuthError(Refusal.TOKEN_NOT_BOUND)
    return check_proof(
        single_proof(presented.proofs),
        token=presented.token,
        jkt=binding.jkt,
        htm=presented.htm,
        path=presented.path,
        policy=policy,
        now=now,
    )


def _same(expected: str, given: str | None) -> bool:
    return given is not None and compare_digest(expected.encode("ascii"), given.encode("utf-8", "replace"))
