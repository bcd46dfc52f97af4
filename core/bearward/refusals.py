"""The catalogue of refusals: every reason for which bearward refuses, in one place.

Rules of this file: a refusal has a stable code, says whose fault it is, and names the RFC 6750 error if there is one.
It has no HTTP or gRPC number (each adapter has one table for that) and no text that depends on the token: messages are
constants, so nothing from a caller's token can reach a log or a response through them.
"""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["Fault", "OAuthError", "OwnRefusal", "Refusal"]


class Fault(Enum):
    """Whose fault a refusal is."""

    CREDENTIALS = "credentials"
    """The caller's credentials are missing or not good: who is it?"""
    PERMISSION = "permission"
    """The caller is known, and may not do this."""
    SERVICE = "service"
    """Ours: the caller may well be right, and may try again."""


class OAuthError(Enum):
    """The `error` values of a challenge (RFC 6750 section 3.1, RFC 9470 section 3, RFC 9449 sections 7.1 and 9)."""

    INVALID_REQUEST = "invalid_request"
    INVALID_TOKEN = "invalid_token"
    INSUFFICIENT_SCOPE = "insufficient_scope"
    INSUFFICIENT_USER_AUTHENTICATION = "insufficient_user_authentication"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"


_CREDENTIALS, _PERMISSION, _SERVICE = Fault.CREDENTIALS, Fault.PERMISSION, Fault.SERVICE
_REQUEST, _TOKEN, _SCOPE = OAuthError.INVALID_REQUEST, OAuthError.INVALID_TOKEN, OAuthError.INSUFFICIENT_SCOPE
_STEP_UP = OAuthError.INSUFFICIENT_USER_AUTHENTICATION
_PROOF, _NONCE = OAuthError.INVALID_DPOP_PROOF, OAuthError.USE_DPOP_NONCE


class Refusal(Enum):
    """One reason to refuse: (fault, RFC 6750 error or None, fixed text).

    The code on the wire is the name in lower case, and its meaning never changes:

    >>> Refusal.TOKEN_EXPIRED.code
    'token_expired'
    >>> Refusal.TOKEN_EXPIRED.error.value
    'invalid_token'
    """

    # Credentials: how the token was presented (RFC 6750 section 2)
    CREDENTIALS_MISSING = (_CREDENTIALS, None, "no bearer token was presented")
    BEARER_SCHEME_MISSING = (_CREDENTIALS, None, "a token was presented without the scheme Bearer")
    CREDENTIALS_MALFORMED = (_CREDENTIALS, _REQUEST, "the credentials are malformed")
    CREDENTIALS_REPEATED = (_CREDENTIALS, _REQUEST, "more than one credential was presented")

    # Form of the token (RFC 7515, RFC 7519)
    TOKEN_TOO_LARGE = (_CREDENTIALS, _TOKEN, "the token is too large")
    TOKEN_MALFORMED = (_CREDENTIALS, _TOKEN, "the token is not a well-formed compact JWS")
    TOKEN_ENCRYPTED = (_CREDENTIALS, _TOKEN, "encrypted tokens are not accepted")
    TOKEN_JSON_SERIALIZED = (_CREDENTIALS, _TOKEN, "the JWS JSON serialization is not accepted")
    TOKEN_COMPRESSED = (_CREDENTIALS, _TOKEN, "compressed tokens are not accepted")
    TOKEN_NESTED = (_CREDENTIALS, _TOKEN, "nested tokens are not accepted")
    TOKEN_TYPE_NOT_ALLOWED = (_CREDENTIALS, _TOKEN, "this type of token is not accepted")
    HEADER_MALFORMED = (_CREDENTIALS, _TOKEN, "the token's header is malformed")
    HEADER_CRITICAL = (_CREDENTIALS, _TOKEN, "the token demands an extension that is not understood")
    PAYLOAD_UNENCODED = (_CREDENTIALS, _TOKEN, "tokens with an unencoded payload are not accepted")
    PAYLOAD_MALFORMED = (_CREDENTIALS, _TOKEN, "the token's payload is not a claims set")

    # Algorithm, key, signature
    ALGORITHM_NOT_ALLOWED = (_CREDENTIALS, _TOKEN, "the token's algorithm is not allowed")
    KEY_UNKNOWN = (_CREDENTIALS, _TOKEN, "the token names a key that the issuer does not publish")
    KEY_UNSUITABLE = (_CREDENTIALS, _TOKEN, "the issuer has no key that fits the token's algorithm")
    KEY_WITHDRAWN = (_CREDENTIALS, _TOKEN, "the key that signed the token was withdrawn")
    SIGNATURE_INVALID = (_CREDENTIALS, _TOKEN, "the token's signature is not valid")

    # Claims
    ISSUER_UNTRUSTED = (_CREDENTIALS, _TOKEN, "the token's issuer is not trusted")
    AUDIENCE_MISMATCH = (_CREDENTIALS, _TOKEN, "the token is meant for another audience")
    TOKEN_EXPIRED = (_CREDENTIALS, _TOKEN, "the token has expired")
    TOKEN_NOT_YET_VALID = (_CREDENTIALS, _TOKEN, "the token is not valid yet")
    TOKEN_ISSUED_IN_FUTURE = (_CREDENTIALS, _TOKEN, "the token was issued in the future")
    TOKEN_TOO_OLD = (_CREDENTIALS, _TOKEN, "the token was issued too long ago")
    CLAIM_MISSING = (_CREDENTIALS, _TOKEN, "the token lacks a required claim")
    CLAIM_MALFORMED = (_CREDENTIALS, _TOKEN, "a claim of the token is malformed")
    CLAIM_MISMATCH = (_CREDENTIALS, _TOKEN, "a claim of the token does not have a required value")
    TOKEN_REVOKED = (_CREDENTIALS, _TOKEN, "the token was revoked")
    TOKEN_REPLAYED = (_CREDENTIALS, _TOKEN, "the token can be used only once, and was used before")
    TOKEN_SENDER_CONSTRAINED = (_CREDENTIALS, _TOKEN, "the token is bound to a key that was not proven")

    # Sender-constrained tokens (RFC 9449 sections 4.3, 7 and 9, RFC 8705 section 3)
    TOKEN_NOT_BOUND = (_CREDENTIALS, _TOKEN, "the token is not bound to a DPoP key, and was presented as if it were")
    SENDER_CONSTRAINT_REQUIRED = (_CREDENTIALS, _TOKEN, "a token that is bound to a key is required")
    DPOP_PROOF_MISSING = (_CREDENTIALS, _PROOF, "no DPoP proof was presented")
    DPOP_PROOF_REPEATED = (_CREDENTIALS, _PROOF, "more than one DPoP proof was presented")
    DPOP_PROOF_MALFORMED = (_CREDENTIALS, _PROOF, "the DPoP proof is too large, or not a well-formed compact JWS")
    DPOP_PROOF_TYPE_NOT_ALLOWED = (_CREDENTIALS, _PROOF, "the DPoP proof's typ is not dpop+jwt")
    DPOP_ALGORITHM_NOT_ALLOWED = (_CREDENTIALS, _PROOF, "the DPoP proof's algorithm is not allowed")
    DPOP_KEY_INVALID = (
        _CREDENTIALS,
        _PROOF,
        "the DPoP proof's jwk is missing, private, weak or unfit for its algorithm",
    )
    DPOP_CLAIM_MISSING = (_CREDENTIALS, _PROOF, "the DPoP proof lacks a required claim")
    DPOP_CLAIM_MALFORMED = (_CREDENTIALS, _PROOF, "a claim of the DPoP proof is malformed")
    DPOP_METHOD_MISMATCH = (_CREDENTIALS, _PROOF, "the DPoP proof was made for another method")
    DPOP_URI_MISMATCH = (_CREDENTIALS, _PROOF, "the DPoP proof was made for another URI")
    DPOP_PROOF_EXPIRED = (_CREDENTIALS, _PROOF, "the DPoP proof was made too long ago")
    DPOP_PROOF_NOT_YET_VALID = (_CREDENTIALS, _PROOF, "the DPoP proof was made in the future")
    DPOP_TOKEN_MISMATCH = (_CREDENTIALS, _PROOF, "the DPoP proof was made for another access token")
    DPOP_SIGNATURE_INVALID = (_CREDENTIALS, _PROOF, "the DPoP proof's signature is not valid")
    DPOP_KEY_MISMATCH = (_CREDENTIALS, _PROOF, "the DPoP proof was not made with the key that the token is bound to")
    DPOP_NONCE_REQUIRED = (_CREDENTIALS, _NONCE, "the DPoP proof must carry a current nonce of this server")
    DPOP_REPLAYED = (_CREDENTIALS, _PROOF, "the DPoP proof was used before")
    CLIENT_CERTIFICATE_MALFORMED = (_CREDENTIALS, _REQUEST, "the forwarded client certificate is malformed")
    CLIENT_CERTIFICATE_REPEATED = (_CREDENTIALS, _REQUEST, "more than one client certificate was forwarded")
    TICKET_INVALID = (_CREDENTIALS, _TOKEN, "the ticket is not for this websocket, has expired, or was used before")

    # Permission
    SCOPE_INSUFFICIENT = (_PERMISSION, _SCOPE, "the token lacks a required scope")
    CLAIM_INSUFFICIENT = (_PERMISSION, _SCOPE, "the token's claims do not grant this")
    CHECK_FAILED = (_PERMISSION, None, "a check of this service refused the caller")
    NO_RULE = (_PERMISSION, None, "no rule allows this")
    CSRF_CHECK_FAILED = (_PERMISSION, None, "the request failed the check against cross-site request forgery")
    AUTHENTICATION_INSUFFICIENT = (_CREDENTIALS, _STEP_UP, "a stronger or more recent authentication is required")

    # Ours
    KEYS_UNAVAILABLE = (_SERVICE, None, "the issuer's keys are not available at the moment")
    REVOCATION_UNAVAILABLE = (_SERVICE, None, "revocation cannot be checked at the moment")
    DPOP_UNAVAILABLE = (_SERVICE, None, "DPoP proofs cannot be checked for replay at the moment")
    REPLAY_UNAVAILABLE = (_SERVICE, None, "the token cannot be checked for replay at the moment")
    CHECK_UNAVAILABLE = (_SERVICE, None, "a check of this service cannot be made at the moment")
    INTERNAL_ERROR = (_SERVICE, None, "internal error")

    def __init__(self, fault: Fault, error: OAuthError | None, message: str) -> None:
        self.fault = fault
        self.error = error
        self.message = message
        self.code = self.name.lower()

    @property
    def is_malformed(self) -> bool:
        """Whether the request itself is malformed, whoever sent it (HTTP: 400, RFC 6750 section 3.1)."""
        return self.error is OAuthError.INVALID_REQUEST or self in _MALFORMED_PROOFS


_MALFORMED_PROOFS = frozenset({Refusal.DPOP_PROOF_MALFORMED, Refusal.DPOP_PROOF_REPEATED})


class OwnRefusal(NamedTuple):
    """A reason that the catalogue does not hold: that of a check of the service's own (`own_check`)."""

    code: str
    """The code on the wire, in place of `check_failed`."""
    message: str
    """A fixed text."""
