"""Keys and tokens by PyJWT: keys of cryptography, exported by PyJWT's `to_jwk`."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_jwt: Any = import_module("jwt")
_forms: Any = import_module("jwt.algorithms")

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES: dict[str, Any] = {
    "ES256": ec.SECP256R1(),
    "ES384": ec.SECP384R1(),
    "ES512": ec.SECP521R1(),
    "ES256K": ec.SECP256K1(),
}
_HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
ALGORITHMS = (*_RSA, *_CURVES, "EdDSA", "EdDSA/Ed448", *_HMAC)
"""`EdDSA/Ed448`: EdDSA by a key on the other curve."""

_rsa = rsa.generate_private_key(65537, 3072)
KEYS: dict[str, Any] = dict.fromkeys(_RSA, _rsa)
KEYS |= {name: ec.generate_private_key(curve) for name, curve in _CURVES.items()}
KEYS |= {"EdDSA": Ed25519PrivateKey.generate(), "EdDSA/Ed448": Ed448PrivateKey.generate()}
_SECRETS = {name: name.lower() * (size // 5 + 1) for name, size in _HMAC.items()}
KEYS |= _SECRETS


def offered() -> list[str]:
    """As its registry has them."""
    return list(_forms.get_default_algorithms())


def public_keys() -> list[dict[str, Any]]:
    """As `to_jwk` exports them; the kid is ours, PyJWT gives none."""
    exported = [{**_forms.RSAAlgorithm.to_jwk(_rsa.public_key(), as_dict=True), "kid": "rsa"}]
    exported += [{**_forms.ECAlgorithm.to_jwk(KEYS[name].public_key(), as_dict=True), "kid": name} for name in _CURVES]
    okp = ("EdDSA", "EdDSA/Ed448")
    return exported + [
        {**_forms.OKPAlgorithm.to_jwk(KEYS[name].public_key(), as_dict=True), "kid": name} for name in okp
    ]


def secrets() -> dict[str, str]:
    """Text of each secret."""
    return _SECRETS


def sign(algorithm: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """By `jwt.encode`."""
    kid = {} if algorithm in _HMAC else {"kid": "rsa" if algorithm in _RSA else algorithm}
    encoded: str = _jwt.encode(claims, KEYS[algorithm], algorithm.partition("/")[0], headers={**kid, **header})
    return encoded
