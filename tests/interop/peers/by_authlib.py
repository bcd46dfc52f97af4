"""Keys and tokens by Authlib (`authlib.jose`)."""

from __future__ import annotations

import importlib
import warnings
from typing import Any

warnings.simplefilter("ignore")  # Authlib announces that this part moves to joserfc; it is what people run today
_jose: Any = importlib.import_module("authlib.jose")

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}
_HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
SHORT = "ES512/short"
"""ES512 by a key that Authlib exports without the leading zero octets of a coordinate."""
ALGORITHMS = (*_RSA, *_CURVES, "EdDSA", "EdDSA/Ed448", *_HMAC, SHORT)
"""`EdDSA/Ed448`: EdDSA by a key on the other curve."""
_FULL = {"P-256": 43, "secp256k1": 43, "P-384": 64, "P-521": 88}
"""Characters of a whole coordinate (RFC 7518 section 6.2.1.2)."""


def _ec(kid: str, crv: str, *, full: bool = True) -> Any:
    """A key whose coordinates come out whole, or one of which does not: Authlib drops leading zeros."""
    while True:
        key = _jose.ECKey.generate_key(crv, {"kid": kid, "use": "sig"}, is_private=True)
        exported = key.as_dict()
        if full is (len(exported["x"]) == len(exported["y"]) == _FULL[crv]):
            return key


_rsa = _jose.RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"}, is_private=True)
KEYS: dict[str, Any] = dict.fromkeys(_RSA, _rsa)
KEYS |= {name: _ec(name, crv) for name, crv in _CURVES.items()}
KEYS[SHORT] = _ec(SHORT, "P-521", full=False)
KEYS["EdDSA"] = _jose.OKPKey.generate_key("Ed25519", {"kid": "EdDSA"}, is_private=True)
KEYS["EdDSA/Ed448"] = _jose.OKPKey.generate_key("Ed448", {"kid": "EdDSA/Ed448"}, is_private=True)
_SECRETS = {name: name.lower() * (size // 5 + 1) for name, size in _HMAC.items()}
KEYS |= {name: _jose.OctKey.import_key(secret) for name, secret in _SECRETS.items()}
_jwt = _jose.JsonWebToken([name for name in ALGORITHMS if "/" not in name])


def offered() -> list[str]:
    """As its registry has them."""
    return list(_jose.JsonWebSignature.ALGORITHMS_REGISTRY)


def public_keys() -> list[dict[str, Any]]:
    """As `as_dict` exports them."""
    return [_rsa.as_dict(), *(KEYS[name].as_dict() for name in (*_CURVES, "EdDSA", "EdDSA/Ed448", SHORT))]


def secrets() -> dict[str, str]:
    """Text of each secret."""
    return _SECRETS


def sign(algorithm: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """By `JsonWebToken.encode`."""
    kid = {} if algorithm in _HMAC else {"kid": "rsa" if algorithm in _RSA else algorithm}
    encoded: bytes = _jwt.encode(
        {"alg": algorithm.partition("/")[0], **kid, **header}, claims, KEYS[algorithm], check=False
    )
    return encoded.decode()
