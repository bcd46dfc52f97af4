"""Keys and tokens by joserfc."""

from __future__ import annotations

import json
import warnings
from typing import Any

from joserfc import jws
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

warnings.simplefilter("ignore", SecurityWarning)  # it calls ES256K and EdDSA out, rightly; they are wanted here

_RSA = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521", "ES256K": "secp256k1"}
_OKP: dict[str, Any] = {"EdDSA": "Ed25519", "Ed25519": "Ed25519", "Ed448": "Ed448"}
_HMAC = {"HS256": 32, "HS384": 48, "HS512": 64}
ALGORITHMS = (*_RSA, *_CURVES, *_OKP, *_HMAC)
_REGISTRY = jws.JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)

_rsa = RSAKey.generate_key(2048, {"kid": "rsa", "use": "sig"})
KEYS: dict[str, Any] = dict.fromkeys(_RSA, _rsa)
KEYS |= {name: ECKey.generate_key(crv, {"kid": name, "alg": name, "use": "sig"}) for name, crv in _CURVES.items()}
KEYS |= {name: OKPKey.generate_key(crv, {"kid": name, "alg": name, "use": "sig"}) for name, crv in _OKP.items()}
_SECRETS = {name: name.lower() * (size // 5 + 1) for name, size in _HMAC.items()}
KEYS |= {name: OctKey.import_key(secret) for name, secret in _SECRETS.items()}


def offered() -> list[str]:
    """As its registry has them."""
    return list(jws.JWSRegistry.algorithms)


def public_keys() -> list[dict[str, Any]]:
    """As `as_dict(private=False)` exports them."""
    return [_rsa.as_dict(private=False), *(KEYS[name].as_dict(private=False) for name in (*_CURVES, *_OKP))]


def secrets() -> dict[str, str]:
    """Text of each secret."""
    return _SECRETS


def sign(algorithm: str, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """By `jws.serialize_compact`."""
    key = KEYS[algorithm]
    named = {"alg": algorithm, **({"kid": key.kid} if key.kid else {}), **header}
    return jws.serialize_compact(named, json.dumps(claims), key, registry=_REGISTRY)
