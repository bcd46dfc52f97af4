"""Who is measured: each subject verifies the same token with the same checks, by its own recommended means.

Rule of this file: keys are prepared once wherever a library lets its user do so; issuer, audience, expiry and algorithm
are checked by everybody. A subject is a callable without arguments that raises if the token is not accepted.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import jwt
from authlib.jose import JsonWebKey, JsonWebToken
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from jose import jwt as jose_jwt
from joserfc import jwk as joserfc_jwk
from joserfc import jwt as joserfc_jwt

from bearward import AuthError, JWKSOptions, TrustedIssuer, Verifier
from bearward.jose.compact import parse_compact
from bearward.testing import LocalIssuer
from benchmarks.library.alternate import Batch

__all__ = [
    "ALGORITHMS",
    "AUDIENCE",
    "CLAIMS",
    "Fixtures",
    "cold_subjects",
    "fixtures",
    "seen_subjects",
    "zipf_subjects",
]

Subject = Callable[[], object]
AUDIENCE = "https://api.example"
ALGORITHMS = ("RS256", "PS256", "ES256", "EdDSA")
CLAIMS = {
    "sub": "248289761001",
    "scope": "notes:read notes:write",
}
"""With the issuer's own claims (iss, aud, client_id, iat, exp, jti) and a 2048-bit RSA signature: a token of 734 bytes."""


@dataclass(frozen=True)
class Fixtures:
    """A real issuer on loopback, one algorithm, one token."""

    issuer: LocalIssuer
    algorithm: str
    token: str
    jwk: dict[str, Any]
    loop: asyncio.AbstractEventLoop
    started: list[Verifier] = field(default_factory=list)

    def verifier(self, **settings: Any) -> Verifier:
        """A started verifier that holds the issuer's keys, and remembers for the whole run what it does not hold."""
        policy = TrustedIssuer(self.issuer.url, audience=AUDIENCE, jwks_options=JWKSOptions(cooldown=600.0))
        verifier = Verifier(policy, **settings)
        self.loop.run_until_complete(verifier.start())
        self.started.append(verifier)
        return verifier


@contextmanager
def fixtures(algorithm: str) -> Iterator[Fixtures]:
    """An issuer that is up while the measurement runs."""
    loop = asyncio.new_event_loop()
    with LocalIssuer(algorithms=[algorithm], audience=AUDIENCE, lifetime=86_400) as issuer:
        token = issuer.mint(claims=CLAIMS)
        w = Fixtures(issuer, algorithm, token, issuer.keys.jwks()["keys"][0], loop)
        yield w
        for verifier in w.started:
            loop.run_until_complete(verifier.aclose())
    loop.close()


def cold_subjects(w: Fixtures) -> dict[str, Subject]:
    """A token that was never seen before, all checks, for everybody who knows the algorithm."""
    subjects: dict[str, Subject] = {"raw cryptography": raw(w), "bearward": bearward_cold(w)}
    subjects["joserfc"] = joserfc(w)
    subjects["authlib"] = authlib(w)
    subjects["PyJWT"] = pyjwt(w)
    subjects["PyJWT + PyJWKClient"] = pyjwt_client(w)
    if w.algorithm in ("RS256", "ES256"):
        subjects["python-jose"] = python_jose(w)
    for subject in subjects.values():
        subject()
    return subjects


def raw(w: Fixtures) -> Subject:
    """The signature alone, by `cryptography`: the lower bound."""
    token = parse_compact(w.token)
    key = jwt.PyJWK(w.jwk, algorithm=w.algorithm).key
    signed, signature = token.signing_input, token.signature
    verify = key.verify
    if w.algorithm == "RS256":
        scheme, digest = padding.PKCS1v15(), hashes.SHA256()
        return lambda: verify(signature, signed, scheme, digest)
    if w.algorithm == "PS256":
        digest = hashes.SHA256()
        pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
        return lambda: verify(signature, signed, pss, digest)
    if w.algorithm == "ES256":
        ecdsa = ec.ECDSA(hashes.SHA256())
        der = encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
        return lambda: verify(der, signed, ecdsa)
    return lambda: verify(signature, signed)


def bearward_cold(w: Fixtures) -> Subject:
    """Ours, without the cache of verified tokens."""
    verifier = w.verifier(token_cache_bytes=0)
    return lambda: verifier.verify_now(w.token)


def joserfc(w: Fixtures) -> Subject:
    """Joserfc with an imported key and its claims registry."""
    key = joserfc_jwk.import_key(w.jwk)
    registry = joserfc_jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": w.issuer.url},
        aud={"essential": True, "value": AUDIENCE},
        exp={"essential": True},
    )

    def verify() -> None:
        registry.validate(joserfc_jwt.decode(w.token, key, algorithms=[w.algorithm]).claims)

    return verify


def authlib(w: Fixtures) -> Subject:
    """Authlib with an imported key and claims options."""
    key = JsonWebKey.import_key(w.jwk)
    decoder = JsonWebToken([w.algorithm])
    options = {
        "iss": {"essential": True, "value": w.issuer.url},
        "aud": {"essential": True, "value": AUDIENCE},
        "exp": {"essential": True},
    }
    return lambda: decoder.decode(w.token, key, claims_options=options).validate()


def pyjwt(w: Fixtures) -> Subject:
    """PyJWT with a prepared key."""
    key = jwt.PyJWK(w.jwk, algorithm=w.algorithm).key
    options: Any = {"require": ["exp", "iss", "aud"]}
    return lambda: jwt.decode(
        w.token, key, algorithms=[w.algorithm], audience=AUDIENCE, issuer=w.issuer.url, options=options
    )


def pyjwt_client(w: Fixtures) -> Subject:
    """PyJWT with PyJWKClient, which holds the key set after the first fetch: what its documentation shows."""
    client = jwt.PyJWKClient(w.issuer.jwks_uri, lifespan=86_400)

    def verify() -> None:
        key = client.get_signing_key_from_jwt(w.token)
        jwt.decode(w.token, key, algorithms=[w.algorithm], audience=AUDIENCE, issuer=w.issuer.url)

    return verify


def python_jose(w: Fixtures) -> Subject:
    """python-jose with the JWK as its documentation shows."""
    return lambda: jose_jwt.decode(w.token, w.jwk, algorithms=[w.algorithm], audience=AUDIENCE, issuer=w.issuer.url)


def seen_subjects(w: Fixtures) -> dict[str, Subject]:
    """Tokens that were verified before, and tokens that are refused; to the same reference as the cold ones."""
    verifier = w.verifier()
    return {
        "raw cryptography": raw(w),
        "seen, verify_now": lambda: verifier.verify_now(w.token),
        "seen, await verify": _awaited(verifier, w.token),
        "unknown kid": _refused(verifier, w.issuer.mint(claims=CLAIMS, kid="unknown"), w.loop),
        "bad signature": _refused(verifier, _with_other_signature(w), w.loop),
        "expired": _refused(verifier, w.issuer.mint(claims=CLAIMS, expires_in=-60), w.loop),
        "wrong audience": _refused(verifier, w.issuer.mint(claims=CLAIMS, aud="https://other.example"), w.loop),
        "garbage": _refused(verifier, "x" * len(w.token), w.loop),
        "three segments of garbage": _refused(verifier, "e30." + "x" * 400 + "." + "y" * 344, w.loop),
    }


def _awaited(verifier: Verifier, token: str) -> Batch:
    """Awaited by a coroutine, as a service does; it never suspends when the token was seen, so no event loop is measured."""
    size = 100

    async def many() -> None:
        for _ in range(size):
            await verifier.verify(token)

    def run() -> None:
        coroutine = many()
        try:
            coroutine.send(None)
        except StopIteration:
            return
        raise AssertionError("a token that was seen before must not suspend")

    run()
    return Batch(run, size)


def _refused(verifier: Verifier, token: str, loop: asyncio.AbstractEventLoop) -> Subject:
    """A refusal on the warm path; the first one may fetch, and what is then remembered is the warm path."""
    for _ in range(3):
        try:
            loop.run_until_complete(verifier.verify(token))
        except AuthError:
            continue
        raise AssertionError("the token should be refused")

    def refuse() -> None:
        try:
            verifier.verify_now(token)
        except AuthError:
            return
        raise AssertionError("the token should be refused")

    return refuse


def _with_other_signature(w: Fixtures) -> str:
    signed, _, _ = w.token.rpartition(".")
    return f"{signed}.{w.issuer.mint(claims=CLAIMS, sub='another').rpartition('.')[2]}"


def zipf_subjects(w: Fixtures, *, callers: int, requests: int) -> dict[str, Subject]:
    """Traffic of many callers, some of them much more often than others (Zipf, exponent 1), with and without cache."""
    tokens = [w.issuer.mint(claims=CLAIMS, sub=f"caller-{n}") for n in range(callers)]
    weights = [1 / (n + 1) for n in range(callers)]
    traffic = random.Random(20260101).choices(tokens, weights, k=requests)

    def replay(verifier: Verifier) -> Subject:
        position = 0

        def one() -> None:
            nonlocal position
            verifier.verify_now(traffic[position % requests])
            position += 1

        return one

    return {
        "raw cryptography": raw(w),
        "zipf, with the cache": replay(w.verifier()),
        "zipf, without": replay(w.verifier(token_cache_bytes=0)),
    }
