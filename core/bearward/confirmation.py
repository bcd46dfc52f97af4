"""Tokens bound to a client certificate (RFC 8705 section 3), if the certificate is known only after the token.

Rule of this file: a token with `cnf` is never accepted on its own. An adapter that learns the peer's certificate only
after the call has started checks that binding here; the binding to a DPoP key must have been checked before.
"""

from __future__ import annotations

from hashlib import sha256

from bearward.errors import AuthError
from bearward.jose import base64url
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.sender import SenderProof, binding_of, check_certificate_binding

__all__ = ["certificate_thumbprint", "check_certificate", "check_certificate_thumbprint", "is_bound"]


def is_bound(principal: Principal) -> bool:
    """Whether the principal's token is bound to a key (has a `cnf` claim, RFC 7800)."""
    return "cnf" in principal.claims


def certificate_thumbprint(der: bytes) -> str:
    """The `x5t#S256` of a certificate in DER (RFC 8705 section 3.1)."""
    return base64url.encode(sha256(der).digest()).decode("ascii")


def check_certificate(principal: Principal, certificate: bytes | None) -> SenderProof:
    """What is proven of a principal by the DER `certificate` of its connection; raise `AuthError`.

    TOKEN_SENDER_CONSTRAINED unless it is the one that the token is bound to, and a DPoP key that the token names beside
    it was proven before. A principal whose token is not bound passes.
    """
    return check_certificate_thumbprint(principal, None if certificate is None else certificate_thumbprint(certificate))


def check_certificate_thumbprint(
    principal: Principal, thumbprint: str | None, *, vouched_by: str | None = None
) -> SenderProof:
    """The same by the certificate's `x5t#S256`, for one that a proxy forwarded.

    `vouched_by` is the name of a proxy that has checked the certificate itself (`unsafe_binding_proved_by`).
    """
    binding = binding_of(principal.claims)
    if binding.jkt != principal.proof.jkt:
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    return check_certificate_binding(binding, thumbprint, vouched_by)
