"""The edges of keys and of verification: coordinates with and without their zeros, two keys of one name, one verdict.

Each test here once was the answer to a change of the code that no other test noticed (see docs/evidence/mutation.md).
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from bearward import AuthError, Refusal, TenantIssuers, TrustedIssuer
from bearward.claims import check_times
from bearward.fetch.urls import is_loopback_host
from bearward.jose import base64url
from bearward.jose.compact import parse_compact
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.principal import Principal
from bearward.testing import SigningKey, json_octets, sign_segments
from bearward.verification import newer_keys_could_help, verify_token
from tests.core.fake_clock import FakeClock

NOW = FakeClock().now()
ISSUER = "https://login.example"
KEY = SigningKey.generate("ES256", kid="k")


def key_set(*jwks: dict[str, Any]) -> JWKSet:
    """The set of these keys."""
    return JWKSet.parse(json_octets({"keys": list(jwks)}))


def token_of(key: SigningKey, *, header: dict[str, Any] | None = None, **claims: Any) -> str:
    """A token that the policy below accepts."""
    good = {"iss": ISSUER, "aud": "api", "exp": NOW + 300}
    return sign_segments(
        json_octets({"alg": key.alg, "kid": key.kid, **(header or {})}), json_octets({**good, **claims}), key
    )


def test_verify_token_is_the_whole_verification() -> None:
    """Header, signature, claims and confirmation, each against its own argument; and who comes out."""
    policy = TrustedIssuer(ISSUER, audience="api")
    keys = key_set(KEY.public_jwk())
    principal = verify_token(parse_compact(token_of(KEY, sub="ada")), policy, keys, NOW)
    assert (principal.subject, principal.issuer, principal.key_thumbprint) == ("ada", ISSUER, keys.keys[0].thumbprint)
    bound = parse_compact(token_of(KEY, cnf={"jkt": "x"}))
    assert verify_token(bound, policy, keys, NOW, allow_bound=True).issuer == ISSUER
    refused: list[tuple[Refusal, Callable[[], Principal]]] = [
        (Refusal.TOKEN_SENDER_CONSTRAINED, lambda: verify_token(bound, policy, keys, NOW)),
        (Refusal.TOKEN_EXPIRED, lambda: verify_token(parse_compact(token_of(KEY)), policy, keys, NOW + 300)),
        (
            Refusal.TOKEN_TYPE_NOT_ALLOWED,
            lambda: verify_token(parse_compact(token_of(KEY, header={"typ": "x"})), policy, keys, NOW),
        ),
        (
            Refusal.SIGNATURE_INVALID,
            lambda: verify_token(parse_compact(token_of(SigningKey.generate("ES256", kid="k"))), policy, keys, NOW),
        ),
    ]
    for refusal, attempt in refused:
        with pytest.raises(AuthError) as error:
            attempt()
        assert error.value.refusal is refusal


@pytest.mark.parametrize(("kid", "helps"), [("k", False), ("other", True), (None, True)])
def test_newer_keys_help_unless_the_named_one_is_held(kid: str | None, helps: bool) -> None:
    """A token without `kid` may stem from any newer key."""
    token = parse_compact(token_of(KEY, header={"kid": kid} if kid else {}))
    if kid is None:
        token = parse_compact(sign_segments(b'{"alg":"ES256"}', json_octets({"iss": ISSUER}), KEY))
    assert newer_keys_could_help(token, key_set(KEY.public_jwk())) is helps


@pytest.mark.parametrize("alg", ["ES256", "ES384", "ES512", "ES256K", "PS384", "PS512", "RS384", "RS512", "Ed448"])
def test_each_algorithm_verifies_with_its_own_hash(alg: str) -> None:
    """And with no other: the signature by this algorithm's hash is taken, and that of a stranger's key is not."""
    key, stranger = SigningKey.generate(alg, kid="k"), SigningKey.generate(alg, kid="k")
    policy = TrustedIssuer(ISSUER, audience="api", algorithms=[alg])
    keys = key_set(key.public_jwk())
    assert verify_token(parse_compact(token_of(key)), policy, keys, NOW).issuer == ISSUER
    with pytest.raises(AuthError):
        verify_token(parse_compact(token_of(stranger)), policy, keys, NOW)


def with_zeros() -> tuple[SigningKey, dict[str, Any], bytes]:
    """A key whose x begins with a zero octet and ends with another one; one in some two hundred and fifty does."""
    while True:
        key = SigningKey.generate("ES256", kid="k")
        jwk = key.public_jwk()
        x = base64url.decode(jwk["x"].encode())
        if x[0] == 0 and x[1] != 0:
            return key, jwk, x


def test_a_coordinate_may_lack_its_zeros_or_have_one_more() -> None:
    """The same number, the same key, the same thumbprint; two octets more than the field has are refused."""
    key, jwk, x = with_zeros()
    whole = key_set(jwk)
    for octets in (x[1:], x, b"\0" + x):
        keys = key_set({**jwk, "x": base64url.encode(octets).decode()})
        assert keys.thumbprint == whole.thumbprint
        assert (
            verify_token(parse_compact(token_of(key)), TrustedIssuer(ISSUER, audience="api"), keys, NOW).issuer
            == ISSUER
        )
    for octets in (b"\0\0" + x, b"\1" + x, x + b"\0"):
        with pytest.raises(JWKSetError):
            key_set({**jwk, "x": base64url.encode(octets).decode()})


def test_two_keys_of_one_name_are_both_asked() -> None:
    """RFC 7517 section 4.5: equivalent keys of different types may share a `kid`, in any order."""
    rsa, elliptic = SigningKey.generate("RS256", kid="one"), SigningKey.generate("ES256", kid="one")
    policy = TrustedIssuer(ISSUER, audience="api")
    for order in ((rsa, elliptic), (elliptic, rsa)):
        keys = key_set(KEY.public_jwk(), *(key.public_jwk() for key in order))
        for key in (rsa, elliptic):
            assert verify_token(parse_compact(token_of(key)), policy, keys, NOW).issuer == ISSUER
            assert len(keys.candidates(key.alg, "one")) == 1
        assert keys.candidates("ES384", "one") == ()


@pytest.mark.parametrize(
    ("document", "text"),
    [
        (b"[", "the document is no strict JSON object"),
        (b"{}", "the document is no JWK Set"),
        (b'{"keys":{}}', "the document is no JWK Set"),
        (b'{"keys":[1]}', "the JWK Set has no usable key"),
    ],
)
def test_a_document_that_is_no_key_set_says_why(document: bytes, text: str) -> None:
    """The operator of the issuer is the one who can mend it."""
    with pytest.raises(JWKSetError) as refused:
        JWKSet.parse(document)
    assert str(refused.value) == text


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
def test_a_date_is_a_number_with_which_sums_can_be_made(name: str) -> None:
    """The first number beyond is malformed, on either side."""
    policy = TrustedIssuer(ISSUER, audience="api")
    for far in (1e300, -1e300, 10**400, -(10**400)):
        with pytest.raises(AuthError) as refused:
            check_times({"exp": NOW + 1, name: far}, policy, NOW)
        assert refused.value.refusal is Refusal.CLAIM_MALFORMED
        assert refused.value.claim == name


@pytest.mark.parametrize("host", ["localhostX", "localhostx", "xlocalhost", "localhost.x", "127.0.0.1.x", ""])
def test_a_name_that_begins_or_ends_like_this_machine_is_another_machine(host: str) -> None:
    """Plain http is for this machine's own names only."""
    assert not is_loopback_host(host)
    assert is_loopback_host("LOCALHOST.")
    assert is_loopback_host("localhost..")


def test_a_principal_shows_odd_names_of_claims_quoted() -> None:
    """Whoever names claims writes no lines of our log."""
    principal = Principal.from_verified_claims({"iss": ISSUER, "a\nb": 1, "plain": 2}, "k")
    assert repr(principal) == f"<Principal of {ISSUER}: claims 'a\\nb', iss, plain>"


def test_an_issuer_of_a_tenant_has_at_most_1024_characters() -> None:
    """The last that is looked at, and the first that is not."""
    template = "https://login.example/" + "a" * (1024 - len("https://login.example/") - 2) + "/{tenant}"
    tenants = TenantIssuers(template, audience="api")
    assert tenants.issuer_for(template.replace("{tenant}", "x")) is not None
    assert tenants.issuer_for(template.replace("{tenant}", "xy")) is None


def test_the_tenant_that_was_not_asked_for_longest_is_forgotten() -> None:
    """What is remembered is bounded, and what is in use stays."""
    tenants = TenantIssuers("https://login.example/{tenant}", audience="api", max_tenants=2)
    first, second = (tenants.issuer_for(f"https://login.example/{name}") for name in ("one", "two"))
    assert tenants.issuer_for("https://login.example/one") is first
    tenants.issuer_for("https://login.example/three")
    assert tenants.issuer_for("https://login.example/one") is first
    assert tenants.issuer_for("https://login.example/two") is not second


def rsa_jwk(bits: int, e: int) -> dict[str, Any]:
    """A modulus of so many bits and an exponent, as a JWK; nobody knows its factors."""
    n = (1 << bits) - 1
    octets = {"n": n.to_bytes((bits + 7) // 8, "big"), "e": e.to_bytes((e.bit_length() + 7) // 8, "big")}
    return {"kty": "RSA", "kid": "r", **{name: base64url.encode(value).decode() for name, value in octets.items()}}


@pytest.mark.parametrize(
    ("bits", "e", "taken"),
    [
        (2048, 3, True),
        (2048, 65537, True),
        (2047, 65537, False),
        (8192, 65537, True),
        (8193, 65537, False),
        (2048, 1, False),
        (2048, 4, False),
        (2048, 2**256 - 1, True),
        (2048, 2**256 + 1, False),
    ],
)
def test_an_rsa_key_is_neither_too_weak_nor_too_costly(bits: int, e: int, taken: bool) -> None:
    """The last sizes that are taken, and the first that are not."""
    held = key_set(KEY.public_jwk(), rsa_jwk(bits, e))
    assert held.holds("r") is taken
    assert held.rejection_counts() == ({} if taken else {"weak": 1})


def test_a_coordinate_may_begin_with_any_octet() -> None:
    """Only zeros in front are no part of the number."""
    wanted = {0x58, 0x7F, 0x80}
    while wanted:
        key = SigningKey.generate("ES256", kid="k")
        jwk = key.public_jwk()
        first = {base64url.decode(jwk[name].encode())[0] for name in ("x", "y")}
        if first & wanted:
            wanted -= first
            policy = TrustedIssuer(ISSUER, audience="api")
            assert verify_token(parse_compact(token_of(key)), policy, key_set(jwk), NOW).issuer == ISSUER


def test_the_numbers_of_a_signature_may_begin_with_any_octet() -> None:
    """The borders of what ASN.1 takes for a negative number, and a zero in front, in r and in s."""
    keys, policy = key_set(KEY.public_jwk()), TrustedIssuer(ISSUER, audience="api")
    wanted = {(place, octet) for place in (0, 32) for octet in (0x00, 0x7F, 0x80)}
    while wanted:
        token = token_of(KEY)
        signature = base64url.decode(token.rpartition(".")[2].encode())
        found = {(place, signature[place]) for place in (0, 32)} & wanted
        if found:
            wanted -= found
            assert verify_token(parse_compact(token), policy, keys, NOW).issuer == ISSUER


@pytest.mark.parametrize(("length", "taken"), [(1024, True), (1025, False)])
def test_a_name_of_a_key_has_at_most_1024_characters(length: int, taken: bool) -> None:
    """A longer one is no reason to lose the other keys."""
    held = key_set(KEY.public_jwk(), SigningKey.generate("ES256", kid="x" * length).public_jwk())
    assert held.holds("x" * length) is taken


@pytest.mark.parametrize(
    ("alg", "kty", "crv"),
    [("RS256", "RSA", None), ("ES384", "EC", "P-384"), ("EdDSA", "OKP", "Ed25519"), ("Ed448", "OKP", "Ed448")],
)
def test_a_key_knows_its_type_and_its_curve(alg: str, kty: str, crv: str | None) -> None:
    """An RSA key has no curve, whatever its JWK says."""
    (key,) = key_set(SigningKey.generate(alg).public_jwk(**({"crv": "P-256"} if crv is None else {}))).keys
    assert (key.kty, key.crv) == (kty, crv)
    assert repr(key) == f"<VerificationKey {crv or kty} {key.thumbprint}>"


def test_a_certificate_in_a_key_is_for_that_key_or_cannot_be_read() -> None:
    """RFC 7517 section 4.7: `x5c` certifies the key itself; what cannot be read says nothing against the key."""
    private = ec.generate_private_key(ec.SECP256R1())
    text = b64encode(_certificate(private)).decode()
    jwk = SigningKey(private, "ES256", "k").public_jwk()
    assert key_set({**jwk, "x5c": [text]}).holds("k")
    for unread in ([text[:40]], ["A" + text], [], text, [""], [1], [text + " " * 16_384]):
        assert key_set({**jwk, "kid": "k", "x5c": unread}).holds("k")
    other = SigningKey.generate("ES256").public_jwk()
    for read in ([text], [text[:40] + "\n" + text[40:]], [text, "AAAA"], [text + " " * (16_384 - len(text))]):
        with pytest.raises(JWKSetError):
            key_set({**other, "x5c": read})


def _certificate(private: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "issuer")])
    day = datetime(2020, 1, 1, tzinfo=UTC)
    builder = x509.CertificateBuilder(name, name, private.public_key(), 1, day, day + timedelta(days=1))
    return builder.sign(private, hashes.SHA256()).public_bytes(Encoding.DER)
