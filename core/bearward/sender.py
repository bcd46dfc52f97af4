"""What the sender of a token must prove, and has proved (RFC 7800, RFC 8705 section 3.1, RFC 9449 section 6.1).

Rule of this file: pure. An unknown confirmation method cannot be checked, so a token with one is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Any, NamedTuple

from bearward.errors import AuthError
from bearward.refusals import Refusal

__all__ = [
    "BEARER",
    "Scheme",
    "SenderProof",
    "attributed",
    "binding_of",
    "check_certificate_binding",
    "check_thumbprint",
]

_KEY, _CERTIFICATE = "jkt", "x5t#S256"
_OBJECTS = (dict, MappingProxyType)


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

    @property
    def kind(self) -> str:
        """`bearer`, `dpop`, `certificate` or `dpop+certificate`: how it was proven, and not by which key.

        >>> SenderProof(jkt="k1", certificate="c1").kind
        'dpop+certificate'
        """
        named = (("dpop", self.jkt), ("certificate", self.certificate))
        return "+".join(name for name, value in named if value is not None) or "bearer"

    def __str__(self) -> str:
        named = (("dpop", self.jkt), ("certificate", self.certificate), ("proved by", self.vouched_by))
        return ", ".join(f"{name} {value}" for name, value in named if value is not None) or "bearer"


BEARER = SenderProof()
_fast_new = tuple.__new__  # a NamedTuple's own constructor is one more call


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
    if type(confirmation) in _OBJECTS and len(confirmation) == 1:  # what is usual and good is passed at a glance
        jkt = confirmation.get(_KEY)
        if type(jkt) is str and jkt and jkt.isascii():
            return _fast_new(SenderProof, (jkt, None, None))
    if not isinstance(confirmation, Mapping) or not _is_understood(confirmation):
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
    return SenderProof(confirmation.get(_KEY), confirmation.get(_CERTIFICATE))


def _is_understood(confirmation: Mapping[str, Any]) -> bool:
    """Whether nothing is asked but a key's or a certificate's thumbprint (RFC 7800 section 3.1: what else is, counts)."""
    if not confirmation or not confirmation.keys() <= {_KEY, _CERTIFICATE}:
        return False
    return all(isinstance(value, str) and value and value.isascii() for value in confirmation.values())


def check_thumbprint(binding: SenderProof, thumbprint: str | None) -> None:
    """Raise `AuthError` (TOKEN_SENDER_CONSTRAINED) unless a token that is bound to a certificate is bound to this one.

    `thumbprint` is the certificate's `x5t#S256`, None if there is no certificate.
    """
    if binding.certificate is not None and binding.certificate != thumbprint:
        raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)


def check_certificate_binding(binding: SenderProof, thumbprint: str | None, vouched_by: str | None) -> SenderProof:
    """The binding to a certificate, as a proxy of this name vouches for it, or else as `check_thumbprint` does.

    >>> str(check_certificate_binding(SenderProof(certificate="c1"), None, "kong"))
    'certificate c1, proved by kong'
    """
    if binding.certificate is None:
        return binding
    if vouched_by is not None:
        return binding._replace(vouched_by=vouched_by)
    check_thumbprint(binding, thumbprint)
    return binding


def attributed(error: AuthError, scheme: Scheme) -> AuthError:
    """The same error, saying under which scheme the credentials came, for its challenge."""
    if scheme is not Scheme.BEARER:
        error.scheme = scheme.value
    return error
