"""Who is measured: each subject verifies the same token with the same checks, by its own recommended means.

Rule of this file: keys are prepared once wherever a library lets its user do so; issuer, audience, expiry and algorithm
are checked by everybody. A subject is a callable without arguments that raises if the token is not accepted.
"""

from __future__ import annotations

import asyncio
import random

from bearward import AuthError, TrustedIssuer, Verifier
from bearward.jose import aws_lc
from bearward.jose.jwk import read_key
from bearward.testing import SigningKey
from benchmarks.library import shapes
from benchmarks.library.alternate import Batch
from benchmarks.library.fixtures import (
    ALGORITHMS,
    AUDIENCE,
    CLAIMS,
    DISTINCT,
    SMALL,
    Fixtures,
    Subject,
    each,
    fixtures,
)
from benchmarks.library.peers import auth0, authlib, joserfc, oxyjwt_, pyjwt, pyjwt_client, python_jose
from benchmarks.providers import PROVIDERS
from tests.signature_libraries import LIBRARIES, signatures_by

__all__ = [
    "ALGORITHMS",
    "AUDIENCE",
    "CLAIMS",
    "Fixtures",
    "cold_subjects",
    "fixtures",
    "seen_subjects",
    "shape_subjects",
    "zipf_subjects",
]


def cold_subjects(w: Fixtures) -> dict[str, Subject]:
    """Tokens that were never seen before, all checks, for everybody who knows the algorithm; and the floors."""
    subjects: dict[str, Subject] = {"raw cryptography": raw(w, "cryptography")}
    if "aws-lc" in PROVIDERS and w.algorithm in aws_lc.ALGORITHMS:
        subjects["raw aws-lc"] = raw(w, "aws-lc")
    for library in LIBRARIES if "raw aws-lc" in subjects else LIBRARIES[:1]:
        with signatures_by(library):
            by = "" if library == "cryptography" else " with aws-lc"
            subjects[f"bearward{by}"] = bearward_cold(w)
            subjects[f"bearward{by}, kept"] = bearward_kept(w)
    subjects["joserfc"] = joserfc(w)
    subjects["authlib"] = authlib(w)
    subjects["PyJWT"] = pyjwt(w)
    subjects["PyJWT + PyJWKClient"] = pyjwt_client(w)
    if w.algorithm in ("RS256", "ES256"):
        subjects["oxyjwt"] = oxyjwt_(w)
        subjects["python-jose"] = python_jose(w)
    if w.algorithm == "RS256":
        subjects["auth0-api-python"] = auth0(w)
    for subject in subjects.values():
        subject()
    return subjects


def shape_subjects() -> dict[str, Subject]:
    """A token of each shape by bearward, never seen before."""
    key = SigningKey.generate("RS256", kid="k")
    policy = TrustedIssuer(shapes.ISSUER, audience=AUDIENCE, jwks={"keys": [key.public_jwk()]})
    verify = Verifier(policy, token_cache_bytes=0).verify_now
    made = {name: each(shapes.tokens_of(name, key, DISTINCT), verify) for name in shapes.SHAPES}
    for subject in made.values():
        subject()
    return made


def raw(w: Fixtures, provider: str = "cryptography") -> Subject:
    """The signature alone, taken off the token in the cheapest way: the lower bound."""
    return each(w.tokens, PROVIDERS[provider](w.algorithm, read_key(w.jwk)))


def bearward_cold(w: Fixtures) -> Subject:
    """Ours, without the cache of verified tokens."""
    verifier = w.verifier(token_cache_bytes=0)
    return each(w.tokens, verifier.verify_now)


def bearward_kept(w: Fixtures) -> Subject:
    """Ours, with a cache that has forgotten each of the tokens when it comes again."""
    verifier = w.verifier(token_cache_bytes=SMALL)
    return each(w.tokens, verifier.verify_now)


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
