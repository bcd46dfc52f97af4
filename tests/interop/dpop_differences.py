"""Where a second verifier of DPoP judges a proof otherwise than bearward, and why; by verifier.

Rules of this file: data. A difference that is not here is wrong, and so is one here that is none any more. Names are those
of `tests/dpop_cases.py`; none is a wildcard.
"""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["DIFFERENCES", "ONLY_OVER"]

_NORMALIZED = (
    "RFC 9449 section 4.3 normalizes htu by RFC 3986 section 6.2.2: an escaped unreserved character (section 2.3) equals"
    " the character. It compares without that step."
)
_NO_PROOF_ASKED_FOR = (
    "RFC 9449 section 7.2: a resource that also takes bearer tokens takes an unbound one; the field DPoP says nothing"
    " there. It refuses whatever has that field."
)
_TWO_READINGS = (
    "RFC 7515 section 4 and RFC 7519 section 4 let a verifier refuse a name that stands twice. It keeps the last of two,"
    " and another reader may keep the first."
)
_BOUNDED = "RFC 8259 section 9 allows limits on nesting, and RFC 9449 section 11.1 limits for jti; it sets none."
_ZIP = "RFC 7516 section 4.1.3: zip is for encryption, and a signed proof that has it is mistaken. It passes over it."
_SECRET = (
    "RFC 9449 section 4.3: the jwk does not contain a private key. Members of another kind of key that are private (RFC"
    " 7518 section 6) count too; it looks for those of its own kind alone."
)
_NONCE = "RFC 9449 section 4.2: nonce is a string, also where nobody asked for one. It does not look at it."
_WINDOW = "RFC 9449 section 11.1 leaves the window to the server: 60 seconds here, 300 there."
_WHATWG = (
    "RFC 9449 section 4.3 asks for RFC 3986, under which these are other URIs or none (sections 2, 3.2 and 6.2.3). It"
    " reads URLs as browsers do, which repair them."
)
_LENGTH = "A URI of five thousand characters costs work, and is no address of ours (RFC 9110 section 4.1)."

_REPAIRED = (
    "htu: a port with zeros",
    "htu: one slash",
    "htu: backslashes",
    "htu: a backslash in the path",
    "htu: a space before it",
)
_ESCAPED = ("htu with a needless escape", "htu with a needless escape in lower case")
_LONG_JTI = f"jti {'j' * 513!r}"

DIFFERENCES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "oauth4webapi": {
        _NORMALIZED: _ESCAPED,
        _NO_PROOF_ASKED_FOR: ("a bearer token with a proof of no use",),
        _TWO_READINGS: ("a member twice in the header", "a claim twice"),
        _BOUNDED: ("a payload that nests deep", _LONG_JTI),
        _ZIP: ("a compressed proof",),
        _SECRET: ("a jwk with a private prime", "a jwk with a secret"),
        "RFC 7517 sections 4.2 and 4.3: a key that is not for verifying verifies nothing. It does not look at use and key_ops.": (
            "a jwk for encryption",
            "a jwk that may sign only",
        ),
        "RFC 9449 section 4.2: jti is a unique identifier, and the empty string is none.": (
            "jti ''",
            "hostile: empty jti",
        ),
        _NONCE: ("nonce 7", "nonce ['x']"),
        _WINDOW: ("iat a window and more ago", "iat a window and more ahead"),
        _WHATWG: _REPAIRED,
        _LENGTH: ("htu: five thousand characters",),
    },
    "auth0-api-python": {
        "RFC 9449 section 5.1 lets a server name its algorithms: ES256 alone there.": (
            *(f"signed by ES{bits}" for bits in (384, 512)),
            *(f"signed by {alg}" for alg in ("EdDSA", "Ed25519")),
            *(f"signed by {family}{bits}" for family in ("PS", "RS") for bits in (256, 384, 512)),
            "a jwk of Ed25519 with alg EdDSA",
        ),
        "RFC 7515 section 4.1.9: typ is a media type, in any case and with or without application/. It compares the text.": (
            "typ as a full media type",
            "typ in upper case",
        ),
        _NORMALIZED: _ESCAPED,
        _NO_PROOF_ASKED_FOR: ("a bearer token with a proof of no use",),
        "RFC 7800 section 3.1 and RFC 8705 section 3.1: what else cnf asks for is to be proved as well. It looks at jkt alone.": (
            "an unknown member beside jkt",
            "jkt and x5t#S256 without certificate",
        ),
        "RFC 7515 section 2: base64url without padding. It reads a padded segment too.": ("padding",),
        _TWO_READINGS: ("a member twice in the header", "a claim twice"),
        "RFC 8259 section 6: NaN is no number of JSON. Python's own reader, which it uses, takes it.": (
            "a claim that is no number",
        ),
        _BOUNDED: ("a payload that nests deep", _LONG_JTI),
        _ZIP: ("a compressed proof",),
        _SECRET: ("a jwk with a secret",),
        "RFC 7517 section 4.4: the key is for the algorithm that its alg names. It does not look at it.": (
            "a jwk for another algorithm",
        ),
        _NONCE: ("nonce 7", "nonce ['x']"),
        "RFC 7519 sections 4.1.4 and 4.1.5: a proof with exp and nbf is not to be used outside them. It reads neither.": (
            "exp that is a string",
            "nbf that is a boolean",
            "exp in the past",
            "nbf far in the future",
        ),
        _WINDOW: ("iat a window and more ago",),
        "RFC 9110 section 9.1: methods are case-sensitive. It compares them in lower case.": ("htm in lower case",),
        _WHATWG: (*_REPAIRED, "htu: user information before the host"),
        _LENGTH: ("htu: five thousand characters",),
    },
}
"""By verifier and reason: the cases."""
ONLY_OVER: Mapping[str, str] = {"a claim twice": "gRPC"}
"""Cases that differ over one transport: the second htm is POST, which is right there alone."""
