"""Whether a verified token was sent by its owner: a bearer token, or one with proof of possession of a key.

Rules of this file: pure. A bound token (RFC 7800 `cnf`) is never accepted without proof, a proof does not improve an
unbound token, and if a token names two keys (`jkt` and `x5t#S256`) both must be proved.

| scheme | token without `cnf` | `jkt` | `x5t#S256` | both |
| --- | --- | --- | --- | --- |
| `Bearer` | passes unless DPoP is required | refused | by the certificate unless DPoP is required | refused |
| `DPoP` | refused | by the proof | refused | by proof and certificate |
| `mtls_pop` | refused | refused | by the certificate unless DPoP is required | refused |
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from bearward.dpop.policy import DPoP
from bearward.dpop.proof import Proof, check_proof, single_proof
from bearward.errors import AuthError
from bearward.refusals import Refusal
from bearward.sender import Scheme, SenderProof, binding_of, check_certificate_binding

__all__ = ["Presented", "check_proven_earlier", "check_sender"]


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
    certificate_later: bool = False
    """The certificate is not known yet: the caller then calls `check_certificate` before admitting anyone."""
    vouched_by: str | None = None
    """The name of a proxy that has checked the certificate in our place (`unsafe_binding_proved_by`)."""


def check_sender(
    claims: Mapping[str, Any], presented: Presented, policy: DPoP | None, now: float
) -> tuple[SenderProof, Proof | None]:
    """How the sender of a verified token is proven, and the DPoP proof that is still to be recorded; raise `AuthError`.

    `policy` is None if DPoP is not offered. `now` is in seconds since the epoch.
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
    if not presented.certificate_later:
        binding = check_certificate_binding(binding, presented.certificate, presented.vouched_by)
    return binding, proof


def check_proven_earlier(claims: Mapping[str, Any], presented: Presented, policy: DPoP | None) -> SenderProof:
    """The same for a verified token whose DPoP key was proven to who issued a ticket for it; raise `AuthError`.

    A certificate is the connection's, and so has to be there again.
    """
    binding = binding_of(claims)
    if binding.jkt is not None and policy is None:
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    if binding.jkt is None and policy is not None and policy.required:
        raise AuthError(Refusal.SENDER_CONSTRAINT_REQUIRED)
    return check_certificate_binding(binding, presented.certificate, presented.vouched_by)


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
