"""What a forger makes of a good token: the same attacks for every issuer.

Rules of this file: cases are data, each with the code that must be answered. Untrusted keys are made by joserfc.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

from tests.interop.tokens import b64, claims_of, header_of, hs256, joined, unb64

__all__ = ["Case", "forgeries", "untrusted_signer"]

Case = tuple[str, str | None, str]
"""Its name, the token (None: none), and the verdict that is wanted."""
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}


def forgeries(token: str, jwks: dict[str, Any]) -> Iterator[Case]:
    """Cases made of `token`, which is good, and of the keys that its issuer publishes."""
    header, claims = header_of(token), claims_of(token)
    head, body, tail = token.split(".")
    signature = unb64(tail)
    yield "no token", None, "credentials_missing"
    yield "two segments", f"{head}.{body}", "token_malformed"
    yield "padded signature", f"{token}=", "token_malformed"
    yield "signature altered", f"{head}.{body}.{b64(bytes([signature[0] ^ 1]) + signature[1:])}", "signature_invalid"
    yield "signature empty", f"{head}.{body}.", "signature_invalid"
    yield "signature of zeros", joined(header, claims, bytes(len(signature))), "signature_invalid"
    yield "payload altered", joined(header, {**claims, "jti": "forged"}, signature), "signature_invalid"
    yield "issuer altered", joined(header, {**claims, "iss": "https://evil.example"}, signature), "issuer_untrusted"
    yield "alg none", joined({**header, "alg": "none"}, claims, b""), "algorithm_not_allowed"
    yield "crit", joined({**header, "crit": ["exp"]}, claims, signature), "header_critical"
    yield "typ of another purpose", joined({**header, "typ": "dpop+jwt"}, claims, signature), "token_type_not_allowed"
    yield "a post-quantum alg", joined({**header, "alg": "ML-DSA-44"}, claims, signature), "algorithm_not_allowed"
    for name, secret in _public_secrets(jwks, header.get("kid")):
        yield f"HS256 with {name}", hs256({**header, "alg": "HS256"}, claims, secret), "algorithm_not_allowed"
    if header["alg"].startswith("HS"):
        return  # an attacker has no key of the same kind: only secrets count
    forge = untrusted_signer(str(header["alg"]))
    yield "the signature of another key", forge(header, claims), "signature_invalid"
    yield "another key in the header", forge({**header, "jwk": _jwk_of(forge)}, claims), "signature_invalid"
    if header.get("kid") is not None:
        yield "an unknown kid", forge({**header, "kid": "unknown"}, claims), "key_unknown"
    if header["alg"] in _CURVES:
        half = len(signature) // 2
        numbers = (int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big"))
        yield "signature in DER", joined(header, claims, encode_dss_signature(*numbers)), "signature_invalid"


def untrusted_signer(algorithm: str) -> Callable[[dict[str, Any], dict[str, Any]], str]:
    """A signer with its own key, which nobody trusts."""
    key = _new_key(algorithm)
    registry = jws.JWSRegistry(algorithms=[algorithm], strict_check_header=False)

    def sign(header: dict[str, Any], claims: dict[str, Any]) -> str:
        payload = unb64(b64(claims))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SecurityWarning)  # joserfc calls EdDSA and ES256K out; they are wanted here
            return jws.serialize_compact(header, payload, key, registry=registry)

    sign.__dict__["key"] = key
    return sign


def _jwk_of(forge: Callable[..., str]) -> dict[str, Any]:
    public: dict[str, Any] = forge.__dict__["key"].as_dict(private=False)
    return public


def _new_key(algorithm: str) -> Any:
    if algorithm in _CURVES:
        return ECKey.generate_key(_CURVES[algorithm])
    if algorithm in ("EdDSA", "Ed25519"):
        return OKPKey.generate_key("Ed25519")
    return OKPKey.generate_key("Ed448") if algorithm == "Ed448" else RSAKey.generate_key(2048)


def _public_secrets(jwks: dict[str, Any], kid: object) -> Iterator[tuple[str, bytes]]:
    """Public octets that a verifier might take for a shared secret (RFC 8725 section 2.1)."""
    for member in jwks["keys"]:
        if member.get("kid") == kid and member["kty"] in ("RSA", "EC", "OKP"):
            public = {name: member[name] for name in ("kty", "crv", "n", "e", "x", "y", "kid") if name in member}
            key: Any = KeySet.import_key_set({"keys": [public]}).keys[0]
            yield "the public key in PEM", key.as_pem(private=False)
            yield "the public key in DER", key.as_der(private=False)
            return
