"""The other libraries, each by its own recommended means.

Rule of this file: keys are prepared once wherever a library lets its user do so; issuer, audience, expiry and algorithm
are checked by everybody.
"""

from __future__ import annotations

import json
from typing import Any

import jwt
import oxyjwt
from auth0_api_python import ApiClient, ApiClientOptions
from authlib.jose import JsonWebKey, JsonWebToken
from jose import jwt as jose_jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt

from bearward.testing import SigningKey, sign_segments
from benchmarks.library.fixtures import AUDIENCE, Fixtures, Subject, each

__all__ = ["auth0", "authlib", "joserfc", "oxyjwt_", "pyjwt", "pyjwt_client", "python_jose"]


def joserfc(w: Fixtures) -> Subject:
    """Joserfc with an imported key and its claims registry."""
    key = joserfc_jwk.import_key(w.jwk)
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": w.issuer.url},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )

    def verify(token: str) -> None:
        registry.validate(joserfc_jwt.decode(token, key, algorithms=[w.algorithm]).claims)

    return each(w.tokens, verify)


def authlib(w: Fixtures) -> Subject:
    """Authlib with an imported key and claims options."""
    key = JsonWebKey.import_key(w.jwk)
    decoder = JsonWebToken([w.algorithm])
    options = {
        "iss": {"essential": True, "value": w.issuer.url},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }
    return each(w.tokens, lambda token: decoder.decode(token, key, claims_options=options).validate())


def pyjwt(w: Fixtures) -> Subject:
    """PyJWT with a prepared key."""
    key = jwt.PyJWK(w.jwk, algorithm=w.algorithm).key
    options: Any = {"require": ["exp", "iss", "aud"]}
    settings: Any = {"algorithms": [w.algorithm], "audience": AUDIENCE, "issuer": w.issuer.url, "options": options}
    return each(w.tokens, lambda token: jwt.decode(token, key, **settings))


def pyjwt_client(w: Fixtures) -> Subject:
    """PyJWT with PyJWKClient, which holds the key set after the first fetch: what its documentation shows."""
    client = jwt.PyJWKClient(w.issuer.jwks_uri, lifespan=86_400)

    def verify(token: str) -> None:
        key = client.get_signing_key_from_jwt(token)
        jwt.decode(token, key, algorithms=[w.algorithm], audience=AUDIENCE, issuer=w.issuer.url)

    return each(w.tokens, verify)


def oxyjwt_(w: Fixtures) -> Subject:
    """Oxyjwt with a prepared key; it has PyJWT's interface, and Rust with AWS-LC behind it."""
    key = oxyjwt.PyJWK(w.jwk, algorithm=w.algorithm).key
    options: Any = {"require": ["exp", "iss", "aud"]}
    settings: Any = {"algorithms": [w.algorithm], "audience": AUDIENCE, "issuer": w.issuer.url, "options": options}
    return each(w.tokens, lambda token: oxyjwt.decode(token, key, **settings))


def auth0(w: Fixtures) -> Subject:
    """auth0-api-python, which holds metadata and keys after the first fetch; a token of one issuer, as it wants them."""
    domain = "https://login.example/"
    key = SigningKey.generate("RS256", kid="k")
    documents = {"metadata": {"issuer": domain, "jwks_uri": f"{domain}jwks"}, "keys": {"keys": [key.public_jwk()]}}
    client = ApiClient(ApiClientOptions(domain="login.example", audience=AUDIENCE))

    async def discovered(*_: Any, **__: Any) -> Any:
        return documents["metadata"]

    async def fetched(*_: Any, **__: Any) -> Any:
        return documents["keys"]

    replaced: Any = client  # it caches both; this is its cache that never expires
    replaced._discover, replaced._fetch_jwks = discovered, fetched  # noqa: SLF001
    header = json.dumps({"alg": "RS256", "kid": "k", "typ": "JWT"}, separators=(",", ":")).encode()
    tokens = []
    for token in w.tokens:
        claims = {**jwt.decode(token, options={"verify_signature": False}), "iss": domain}
        tokens.append(sign_segments(header, json.dumps(claims, separators=(",", ":")).encode(), key))

    def verify(token: str) -> None:
        coroutine = client.verify_access_token(token)
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("it should not wait for anything")

    return each(tokens, verify)


def python_jose(w: Fixtures) -> Subject:
    """python-jose with the JWK as its documentation shows."""
    settings: Any = {"algorithms": [w.algorithm], "audience": AUDIENCE, "issuer": w.issuer.url}
    return each(w.tokens, lambda token: jose_jwt.decode(token, w.jwk, **settings))
