"""Keys in PEM: one URL for each `kid`, and an object from `kid` to PEM; with the limits and the memory of every source."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bearward import AuthError, ConfigurationError, JWKSOptions, TenantIssuers, TrustedIssuer, Verifier
from bearward.fetch.errors import FetchFailure
from bearward.jose.jwk import read_key
from bearward.jose.pem import jwk_of_pem
from bearward.jwks.freshness import Freshness
from bearward.testing import LocalIssuer, SigningKey
from bearward.testing.exchange import Request, Response
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.cache_servers import Valkey
from tests.core.jwks.support import SECRET

AUDIENCE = "https://api.example"
ISSUER = "https://login.example"
EVERY_KIND = ("RS256", "PS384", "ES256", "ES384", "ES512", "EdDSA")


@pytest.fixture
def publisher() -> Iterator[LocalIssuer]:
    """It serves what a test puts there, and counts."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=ISSUER, clock=FakeClock()) as running:
        yield running


def hand_of(publisher: LocalIssuer) -> FakeClock:
    """Its clock, to be set."""
    assert isinstance(publisher.clock, FakeClock)
    return publisher.clock


def one_by_one(publisher: LocalIssuer, **options: Any) -> TrustedIssuer:
    """Each key has its own URL."""
    return TrustedIssuer(
        ISSUER,
        audience=AUDIENCE,
        pem_uri=f"{publisher.origin}/keys/{{kid}}",
        jwks_options=JWKSOptions(**options),
    )


def mapped(publisher: LocalIssuer, **options: Any) -> TrustedIssuer:
    """All keys are one document."""
    return TrustedIssuer(
        ISSUER, audience=AUDIENCE, pem_uri=f"{publisher.origin}/certificates", jwks_options=JWKSOptions(**options)
    )


def put(publisher: LocalIssuer, key: SigningKey) -> None:
    """Publish a key at its own URL."""
    publisher.serve(f"/keys/{key.kid}", Response(key.public_pem(), 200, {}))


def put_map(publisher: LocalIssuer, *keys: SigningKey, **more: Any) -> None:
    """Publish them all in one document."""
    document = {key.kid: key.public_pem().decode() for key in keys}
    publisher.serve("/certificates", Response(json.dumps({**document, **more}).encode(), 200, {}))


def minted(publisher: LocalIssuer, key: SigningKey, **more: Any) -> str:
    """A good token by this key."""
    return publisher.mint(alg=key.alg, key=key, kid=more.pop("kid", key.kid), **more)


async def code_of(verifier: Verifier, token: str) -> str:
    """`ok`, or why it was refused."""
    try:
        await verifier.verify(token)
    except AuthError as refused:
        return refused.code
    return "ok"


def test_key_is_fetched_by_its_name_when_a_token_names_it(publisher: LocalIssuer, run: Run) -> None:
    """Once, for all tokens of that key; a new key is found at once, and the old one is not asked for again."""
    first, second = SigningKey.generate("ES256"), SigningKey.generate("ES384")
    put(publisher, first)

    async def use() -> None:
        async with Verifier(one_by_one(publisher), clock=publisher.clock) as verifier:
            assert publisher.requests() == 0
            codes = await asyncio.gather(*(code_of(verifier, minted(publisher, first, sub=str(n))) for n in range(20)))
            assert set(codes) == {"ok"}
            put(publisher, second)
            assert await code_of(verifier, minted(publisher, second)) == "ok"
            assert await code_of(verifier, minted(publisher, first)) == "ok"
            assert (publisher.requests(f"/keys/{first.kid}"), publisher.requests()) == (1, 2)
            assert [health.issuer for health in verifier.health().issuers] == [ISSUER] * 2

    run(use())


UNSAFE = ("../jwks", "a/b", "a%2fb", "a?b", "a#b", "..", "", "a b", "ä", "a" * 129)


@pytest.mark.parametrize("kid", UNSAFE)
def test_name_that_could_be_more_of_a_url_is_no_key(publisher: LocalIssuer, run: Run, kid: str) -> None:
    """It is asked of nobody, and refused as a key that is not published."""
    key = SigningKey.generate("ES256")

    async def use() -> None:
        async with Verifier(one_by_one(publisher), clock=publisher.clock) as verifier:
            assert await code_of(verifier, minted(publisher, key, kid=kid)) == "key_unknown"
            assert verifier.health().issuers == ()

    run(use())
    assert publisher.requests() == 0


WORTH_NOTHING: dict[str, tuple[str, dict[str, Any]]] = {
    "no kid": ("key_unsuitable", {"kid": None}),
    "expired": ("token_expired", {"expires_in": -60}),
    "another issuer": ("issuer_untrusted", {"iss": "https://other.example"}),
    "another type": ("token_type_not_allowed", {"headers": {"typ": "secevent+jwt"}}),
    "another audience": ("keys_unavailable", {"aud": "https://other.example"}),
    "a subject that is no text": ("keys_unavailable", {"sub": 7}),
}
"""What an unsigned token learns is no more than while the keys of any other issuer are not held."""


@pytest.mark.parametrize("name", WORTH_NOTHING)
def test_token_that_is_wrong_in_other_ways_causes_no_request(publisher: LocalIssuer, run: Run, name: str) -> None:
    """Form, issuer, algorithm, times and claims come first, as for every key that is not held."""
    key = SigningKey.generate("ES256")
    code, change = WORTH_NOTHING[name]

    async def use() -> str:
        async with Verifier(one_by_one(publisher), clock=publisher.clock) as verifier:
            return await code_of(verifier, minted(publisher, key, **change))

    assert run(use()) == code
    assert publisher.requests() == 0


@pytest.mark.parametrize("separator", [" ", "/", "-"])
def test_tenant_that_is_named_like_a_key_speaks_for_no_other_issuer(
    publisher: LocalIssuer, run: Run, separator: str
) -> None:
    """Whatever a tenant calls itself, its keys are not those of an issuer that publishes each by its name."""
    evil = SigningKey.generate("ES256")
    names = {f"{ISSUER}{separator}{evil.kid}", f"{evil.kid}{separator}{ISSUER}"}

    async def registered(issuer: str) -> TrustedIssuer | None:
        if issuer not in names:
            return None
        return TrustedIssuer(issuer, audience=AUDIENCE, jwks={"keys": [evil.public_jwk()]})

    async def use() -> None:
        async with Verifier(one_by_one(publisher), registered, clock=publisher.clock) as verifier:
            for name in names:
                assert await code_of(verifier, minted(publisher, evil, claims={"iss": name})) == "ok"
                assert await code_of(verifier, minted(publisher, evil, sub="admin")) == "key_unknown"

    run(use())


@pytest.mark.parametrize("status", [404, 410, 403])
def test_key_that_is_not_there_is_unknown(publisher: LocalIssuer, run: Run, status: int) -> None:
    """As an S3 bucket says it too (403); it is not asked for again while the source is left alone."""
    key = SigningKey.generate("ES256")
    publisher.serve(f"/keys/{key.kid}", Response(b"", status, {}))

    async def use() -> None:
        async with Verifier(one_by_one(publisher), clock=publisher.clock) as verifier:
            codes = [await code_of(verifier, minted(publisher, key, sub=str(n))) for n in range(20)]
            assert set(codes) == {"key_unknown"}
            assert publisher.requests() <= 2
            put(publisher, key)
            hand_of(publisher).forward(61.0)
            assert await code_of(verifier, minted(publisher, key)) == "ok"

    run(use())


def test_flood_of_invented_names_costs_few_requests_and_no_known_key(publisher: LocalIssuer, run: Run) -> None:
    """They are limited as invented tenants are, and push out nothing that was ever there."""
    key = SigningKey.generate("ES256")
    put(publisher, key)

    async def use() -> None:
        async with Verifier(one_by_one(publisher), clock=publisher.clock) as verifier:
            assert await code_of(verifier, minted(publisher, key)) == "ok"
            flood = [minted(publisher, key, kid=f"invented-{n}", jti=str(n)) for n in range(2000)]
            codes = [await code_of(verifier, token) for token in flood]
            assert set(codes) <= {"key_unknown", "keys_unavailable"}
            assert publisher.requests() <= 1 + 16
            assert await code_of(verifier, minted(publisher, key, sub="again")) == "ok"
            assert len(verifier.health().issuers) == 1

    run(use())


def _certificate() -> bytes:
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(private.public_key())
    builder = builder.serial_number(7).not_valid_before(now).not_valid_after(now + dt.timedelta(days=1))
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)


GOOD = SigningKey.generate("ES256")
BAD: dict[str, Callable[[], Response]] = {
    "empty": lambda: Response(b"", 200, {}),
    "a private key": lambda: Response(
        b"-----BEGIN PRIVATE KEY-----\n" + GOOD.public_pem().split(b"\n", 1)[1].replace(b"PUBLIC", b"PRIVATE"), 200, {}
    ),
    "two keys": lambda: Response(GOOD.public_pem() * 2, 200, {}),
    "a broken one": lambda: Response(GOOD.public_pem().replace(b"M", b"N"), 200, {}),
    "text around it": lambda: Response(b"key: " + GOOD.public_pem(), 200, {}),
    "a page": lambda: Response(b"<html>maintenance</html>", 200, {}),
    "too large": lambda: Response(GOOD.public_pem() + b" " * 70_000, 200, {}),
    "a redirect": lambda: Response(b"", 302, {"Location": "/elsewhere"}),
    "an error": lambda: Response(b"", 500, {}),
    "no text": lambda: Response(b"\xff\xfe" * 40, 200, {}),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("sort", ["one by one", "map"])
def test_bad_document_brings_no_key_and_takes_none_away(publisher: LocalIssuer, run: Run, name: str, sort: str) -> None:
    """Before the first good one nobody is let in; afterwards the last good one stays, as for every source."""
    document = BAD[name]()
    path = f"/keys/{GOOD.kid}" if sort == "one by one" else "/certificates"
    trust = one_by_one if sort == "one by one" else mapped

    async def use() -> None:
        async with Verifier(trust(publisher, start="lazy"), clock=publisher.clock) as verifier:
            publisher.serve(path, document)
            assert await code_of(verifier, minted(publisher, GOOD)) == "keys_unavailable"
            put(publisher, GOOD) if sort == "one by one" else put_map(publisher, GOOD)
            hand_of(publisher).forward(61.0)
            assert await code_of(verifier, minted(publisher, GOOD, sub="2")) == "ok"
            before = publisher.requests(path)
            publisher.serve(path, document)
            hand_of(publisher).forward(700.0)
            assert await code_of(verifier, minted(publisher, GOOD, sub="3")) == "ok"
            publisher.wait_for_requests(path, before + 1)
            assert await code_of(verifier, minted(publisher, GOOD, sub="4")) == "ok"

    run(use())
    assert publisher.requests("/elsewhere") == 0


def test_map_is_a_set_of_keys(publisher: LocalIssuer, run: Run) -> None:
    """A new key is found by one more request, a withdrawn one counts no more, and what cannot be used is counted."""
    first, second = SigningKey.generate("ES256"), SigningKey.generate("RS256")
    put_map(publisher, first, broken="no PEM", number=7)

    async def use() -> None:
        async with Verifier(mapped(publisher), clock=publisher.clock) as verifier:
            assert await code_of(verifier, minted(publisher, first)) == "ok"
            (health,) = verifier.health().issuers
            assert (health.keys, health.rejected_keys) == (1, {"unknown_type": 2})
            put_map(publisher, second)
            hand_of(publisher).forward(10.0)
            assert await code_of(verifier, minted(publisher, second)) == "ok"
            assert await code_of(verifier, minted(publisher, first, sub="2")) == "key_unknown"
            assert publisher.requests("/certificates") == 3  # the last one for the key that is gone

    run(use())


@pytest.mark.parametrize("sort", ["one by one", "map"])
def test_document_that_has_not_changed_keeps_its_keys(publisher: LocalIssuer, run: Run, sort: str) -> None:
    """A 304 to a conditional request is no document, and no failure."""
    key = SigningKey.generate("ES256")
    document = key.public_pem() if sort == "one by one" else json.dumps({key.kid: key.public_pem().decode()}).encode()
    path = f"/keys/{key.kid}" if sort == "one by one" else "/certificates"
    trust = one_by_one if sort == "one by one" else mapped

    def answer(request: Request) -> Response:
        if "if-none-match" in request.headers:
            return Response(b"", 304)
        return Response(document, 200, {"ETag": '"1"'})

    publisher.serve(path, answer)

    async def use() -> None:
        async with Verifier(trust(publisher), clock=publisher.clock) as verifier:
            assert await code_of(verifier, minted(publisher, key)) == "ok"
            hand_of(publisher).forward(700.0)
            assert await code_of(verifier, minted(publisher, key, sub="2")) == "ok"
            publisher.wait_for_requests(path, 2)
            assert await code_of(verifier, minted(publisher, key, sub="3")) == "ok"
            (health,) = verifier.health().issuers
            assert (health.state, health.last_error, health.keys) == (Freshness.FRESH, None, 1)

    run(use())


NO_MAP: dict[str, tuple[bytes, str]] = {
    "no JSON": (b"<html>", "it is not a JSON object from kid to PEM"),
    "no object": (b"[]", "it is not a JSON object from kid to PEM"),
    "a name twice": (b'{"a": "", "a": ""}', "it is not a JSON object from kid to PEM"),
    "no PEM in it": (b'{"a": "no PEM", "b": 7}', "the JWK Set has no usable key"),
}


@pytest.mark.parametrize("name", NO_MAP)
def test_health_says_what_is_wrong_with_a_map(publisher: LocalIssuer, run: Run, name: str) -> None:
    """As for a key set."""
    document, reason = NO_MAP[name]
    publisher.serve("/certificates", Response(document, 200, {}))

    async def use() -> None:
        async with Verifier(mapped(publisher, start="lazy"), clock=publisher.clock) as verifier:
            assert await code_of(verifier, minted(publisher, GOOD)) == "keys_unavailable"
            (health,) = verifier.health().issuers
            assert health.last_failure is FetchFailure.NOT_A_KEY_SET
            assert reason in str(health.last_error)

    run(use())


@pytest.mark.parametrize("alg", EVERY_KIND)
def test_every_kind_of_key_is_read_from_pem(alg: str) -> None:
    """It is the same key as by its JWK."""
    key = SigningKey.generate(alg)
    members = jwk_of_pem(key.public_pem().decode(), "k1")
    assert read_key(members).thumbprint == read_key(key.public_jwk()).thumbprint
    assert members["kid"] == "k1"


@pytest.mark.parametrize("space", ["\u2003", "\u00a0", "\u2028", "\x1f"])
@pytest.mark.parametrize("place", ["before", "within", "behind"])
def test_other_white_space_is_none(space: str, place: str) -> None:
    """RFC 7468 section 3 knows none but ASCII's, and the error that says so holds nothing of the text."""
    begin, body, end = SigningKey.generate("ES256").public_pem().decode().partition("\n")
    text = {"before": space + begin + body + end, "within": begin + space + end, "behind": begin + body + end + space}
    with pytest.raises(ValueError, match="not one certificate or public key in PEM") as caught:
        jwk_of_pem(text[place], "k")
    assert type(caught.value) is ValueError


def test_key_is_read_from_a_certificate() -> None:
    """As Google's secure token service publishes them; whether it has expired is the publisher's business."""
    pem = _certificate()
    members = jwk_of_pem(pem.decode(), "k1")
    assert (members["kty"], members["crv"]) == ("EC", "P-256")


def test_fleet_shares_each_key(publisher: LocalIssuer, run: Run, valkey: Valkey) -> None:
    """A second process asks the shared cache, and not the issuer."""
    key = SigningKey.generate("ES256")
    put(publisher, key)

    async def use() -> None:
        for _ in range(2):
            async with Verifier(one_by_one(publisher), jwks_cache=valkey.url, jwks_cache_secret=SECRET) as verifier:
                assert (
                    await code_of(verifier, publisher.mint(alg="ES256", key=key, kid=key.kid, exp=4e9, iat=1)) == "ok"
                )

    run(use())
    assert publisher.requests() == 1


def test_keys_of_an_issuer_that_is_no_longer_trusted_end_with_it(publisher: LocalIssuer, run: Run) -> None:
    """What was let in under other settings is judged by those that are in force, also when it is remembered."""
    key = SigningKey.generate("ES256")
    put(publisher, key)
    token = minted(publisher, key)

    async def use() -> None:
        async with Verifier(one_by_one(publisher), clock=publisher.clock) as verifier:
            principal = await verifier.verify(token)
            await verifier.verify(token)
            stricter = TrustedIssuer(
                ISSUER, audience="https://other.example", pem_uri=f"{publisher.origin}/keys/{{kid}}"
            )
            await verifier.replace_issuers(stricter)
            assert await code_of(verifier, token) in ("audience_mismatch", "keys_unavailable", "key_unknown")
            with pytest.raises(AuthError):
                verifier.check_still_valid(principal)

    run(use())


WRONG: list[dict[str, Any]] = [
    {"pem_uri": "http://login.example/{kid}"},
    {"pem_uri": "https://login.example/{kid}/{kid}"},
    {"pem_uri": "https://{kid}.example/keys"},
    {"pem_uri": "https://login.example/keys?name={kid}"},
    {"pem_uri": "https://login.example/{name}"},
    {"pem_uri": "https://user@login.example/{kid}"},
    {"pem_uri": 7},
    {"pem_uri": "https://login.example/{kid}", "jwks_uri": "https://login.example/jwks"},
    {"pem_uri": "https://login.example/{kid}", "jwks": {"keys": []}},
]


@pytest.mark.parametrize("settings", WRONG)
def test_address_that_could_not_be_safe_is_refused(settings: dict[str, Any]) -> None:
    """When the policy is made."""
    with pytest.raises(ConfigurationError):
        TrustedIssuer(ISSUER, audience=AUDIENCE, **settings)


def test_tenant_has_one_set_of_keys(publisher: LocalIssuer, run: Run) -> None:
    """Neither a template nor a resolver may say that each key has its own URL: what is invented would be multiplied."""
    with pytest.raises(ConfigurationError, match=r"pem_uri: must not have \{kid\} for tenants"):
        TenantIssuers("https://login.example/{tenant}", audience=AUDIENCE, pem_uri="https://login.example/{kid}")

    async def resolver(issuer: str) -> TrustedIssuer | None:
        return one_by_one(publisher)

    async def use() -> None:
        key = SigningKey.generate("ES256")
        put(publisher, key)
        async with Verifier(resolver, clock=publisher.clock) as verifier:
            assert await code_of(verifier, minted(publisher, key)) == "keys_unavailable"

    run(use())
    assert publisher.requests() == 0


def test_same_issuer_twice_needs_a_set_of_keys(publisher: LocalIssuer) -> None:
    """Which of two policies is meant is not told by the name of a key."""
    one = one_by_one(publisher)
    with pytest.raises(ConfigurationError, match="pem_uri"):
        Verifier(one, TrustedIssuer(ISSUER, audience=AUDIENCE, pem_uri=one.pem_uri, token_types=["at+jwt"]))
