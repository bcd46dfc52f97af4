"""Why we refuse what a peer accepts, and accept what a peer refuses: one sentence for each kind of difference.

Rule of this file: a difference without a reason here fails the tests; nothing is explained by a wildcard.
"""

from __future__ import annotations

from tests.differential.compare import Row

__all__ = ["why_accepted", "why_refused"]

_REFUSED: dict[tuple[str, str], str] = {
    ("base64url", "token_malformed"): (
        "RFC 7515 section 2: base64url without padding. A second spelling of the same octets would be a second token"
        " that verifies."
    ),
    ("header JSON", "header_malformed"): (
        "RFC 7515 section 4 and RFC 8259: one JSON object in UTF-8 without a byte order mark, no lone surrogates, no NaN,"
        " no number beyond a double, no name twice at any depth; nesting is bounded. What two parsers could read"
        " differently is refused."
    ),
    (
        "header JSON",
        "token_too_large",
    ): "A header beyond 4 KiB, without its certificates, costs work before anything is known about its sender.",
    ("payload JSON", "payload_malformed"): (
        "RFC 7519 section 7.2 and RFC 8259: the same rules for the claims set. With a claim twice, the service behind"
        " might read the other one."
    ),
    ("key binding", "key_unknown"): (
        "RFC 7517 sections 4.2 and 4.3, RFC 8725 section 3.5: a key that is meant for encryption, may not verify, or is"
        " too weak is not taken from the set at all."
    ),
    ("key binding", "signature_invalid"): "The same without a `kid`: such a key is not tried either.",
    ("EdDSA", "key_unknown"): "Under a public key of small order anybody can make signatures; such a key is set aside.",
    ("EdDSA", "signature_invalid"): "The same without a `kid`.",
    ("crit", "header_critical"): (
        "RFC 7515 section 4.1.11: an extension that is marked critical must be understood, and none is here; `b64` is"
        " for detached payloads (RFC 7797 section 7 forbids it in a JWT)."
    ),
    ("crit", "payload_unencoded"): "RFC 7797 section 3: `b64` is a boolean, and a JWT must not use it (section 7).",
    ("JWE", "token_encrypted"): "A header with `enc` is that of a JWE (RFC 7516 section 9), whatever stands around it.",
    (
        "JWE",
        "token_compressed",
    ): "`zip` is for JWE (RFC 7516 section 4.1.3): a signed token that has it is mistaken or worse.",
    ("JWE", "header_malformed"): "RFC 7515 section 4.1.10: `cty` is a string.",
    ("typ", "token_type_not_allowed"): (
        "RFC 8725 section 3.11: a token of another type was made for another purpose and must not pass as an access"
        " token. The policy names the types that may."
    ),
    ("typ", "header_malformed"): "RFC 7515 section 4.1.9: `typ` is a string.",
    ("time", "claim_malformed"): (
        "RFC 7519 section 2: a NumericDate is a number, not a string and not a boolean; one of hundreds of digits is a"
        " mistake, and no sum can be made with it."
    ),
    ("issuer and audience", "token_sender_constrained"): (
        "RFC 7800, RFC 8705, RFC 9449: a token with `cnf` is worth something only together with the proof of its key."
    ),
}


def why_refused(row: Row) -> str:
    """Why we refuse what somebody accepts; raises `KeyError` if nobody has said why."""
    return _REFUSED[row.kind, row.ours]


def why_accepted(row: Row) -> str:
    """Why we accept what somebody refuses; raises `KeyError` if nobody has said why."""
    named = {
        ("key binding", "Ed25519"): "RFC 9864 names Ed25519 and Ed448; PyJWT does not know these names yet.",
        ("key binding", "Ed448"): "RFC 9864 names Ed25519 and Ed448; PyJWT does not know these names yet.",
        ("key binding", "by a key without alg"): (
            "RFC 7517 section 4.4: `alg` of a JWK is optional, and an RSA key serves RS* and PS* as the policy allows;"
            " PyJWT takes such a key for RS256 only."
        ),
        ("EdDSA", "the same algorithm"): (
            "RFC 9864 section 2.2: `EdDSA` by a key of one curve is that curve's own name, and the other way round."
        ),
        ("key injection", "which is not looked at"): _UNREGISTERED,
        ("header JSON", "good:"): _UNREGISTERED,
        ("JWE", "which mean nothing here"): _UNREGISTERED,
    }
    return next(why for (kind, part), why in named.items() if row.kind == kind and part in row.name)


_UNREGISTERED = (
    "RFC 7515 section 4: members that are not understood are ignored, unless `crit` names them, and a key in a header is"
    " no reason to trust it; joserfc refuses members that it does not know, and reads some that it need not."
)
