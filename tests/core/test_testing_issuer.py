"""`LocalIssuer`: a real issuer over real HTTP that does what a test asks for, and honest things otherwise."""

from __future__ import annotations

import base64
import json
import socket
import threading
from collections.abc import Iterator
from itertools import repeat
from typing import Any

import httpx2
import pytest
from joserfc import jwk, jwt

from bearward import AuthError, TrustedIssuer
from bearward.testing import LocalIssuer, MovableClock, Response, SigningKey, json_response, tamper
from bearward.verifier import Verifier
from tests.conftest import Run

ALGORITHMS = ["RS256", "RS512", "PS256", "PS512", "ES256", "ES384", "ES512", "ES256K", "EdDSA", "Ed25519", "Ed448"]


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """One that no test of this file changes for good."""
    with LocalIssuer(algorithms=ALGORITHMS) as local:
        yield local


@pytest.fixture
def own() -> Iterator[LocalIssuer]:
    """One for a test to play with."""
    with LocalIssuer(algorithms=["ES256"]) as local:
        yield local


@pytest.fixture
def client() -> Iterator[httpx2.Client]:
    """An HTTP client that keeps its connections."""
    with httpx2.Client(timeout=30) as http:
        yield http


def test_discovery_document_leads_to_the_keys(issuer: LocalIssuer, client: httpx2.Client) -> None:
    """`issuer` is exactly the identifier, and `jwks_uri` holds every published key and nothing private."""
    document = client.get(issuer.discovery_uri).json()
    assert document["issuer"] == issuer.url
    keys = client.get(document["jwks_uri"]).json()["keys"]
    assert [key["kid"] for key in keys] == [key.kid for key in issuer.keys.published]
    assert not {"d", "p", "q", "dp", "dq", "qi", "k"} & {member for key in keys for member in key}


# RFC 9864 deprecates the name EdDSA, which most issuers still use.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("alg", ALGORITHMS)
def test_independent_library_verifies_its_tokens(issuer: LocalIssuer, alg: str) -> None:
    """The library joserfc accepts the signature by the published key, for every algorithm."""
    key = jwk.import_key(issuer.key(alg).public_jwk())
    token = jwt.decode(issuer.mint(alg=alg, scope="a"), key, algorithms=[alg])
    assert token.header == {"alg": alg, "typ": "at+jwt", "kid": issuer.key(alg).kid}
    assert (token.claims["iss"], token.claims["aud"], token.claims["scope"]) == (issuer.url, issuer.audience, "a")
    assert token.claims["exp"] - token.claims["iat"] == 300


def test_header_and_claims_are_replaced_added_and_removed(issuer: LocalIssuer) -> None:
    """Whatever is asked for stands in the token, right or wrong."""
    token = issuer.mint(
        kid=None, headers={"typ": None, "x": 1}, claims={"https://a/b": 2}, without=["jti", "iat"], sub=5, expires_in=-1
    )
    header, claims = map(_decoded, token.split(".")[:2])
    assert header == {"alg": "RS256", "typ": None, "x": 1}
    assert set(claims) == {"iss", "sub", "aud", "client_id", "exp", "https://a/b"}
    assert claims["sub"] == 5
    assert "kid" not in _decoded(issuer.mint(without_headers=["kid"]).split(".", maxsplit=1)[0])
    assert _decoded(issuer.mint(kid="other").split(".", maxsplit=1)[0])["kid"] == "other"


def test_hostile_tokens_are_asked_for_by_name(issuer: LocalIssuer) -> None:
    """`none` has no signature, octets sign as a secret, any octets can be header and payload."""
    assert issuer.mint(alg="none").endswith(".")
    secret = b"0123456789abcdef0123456789abcdef"
    confused = issuer.mint(alg="HS256", key=secret)
    read = jwt.decode(confused, jwk.import_key({"kty": "oct", "k": _text(secret)}), algorithms=["HS256"])
    assert read.claims["iss"] == issuer.url
    assert issuer.sign_segments(b"{", b"\xff").startswith("ew._w.")
    token = issuer.mint(sub="ada")
    changed = tamper(token, sub="root")
    assert changed.split(".")[2] == token.split(".")[2]
    assert _decoded(changed.split(".")[1])["sub"] == "root"


def test_minting_with_a_missing_algorithm_raises(issuer: LocalIssuer) -> None:
    """Asking for an algorithm that there is no key for is an error of the test, and says so."""
    with pytest.raises(LookupError, match="rotate"):
        issuer.mint(alg="RS384")
    with pytest.raises(ValueError, match="cannot sign"):
        issuer.mint(alg="RS256", key=SigningKey.generate("ES256"))
    with pytest.raises(ValueError, match="no private key"):
        SigningKey.generate("HS256")


def test_nothing_private_is_shown(issuer: LocalIssuer) -> None:
    """A repr names algorithm and kid; a shared secret has no public part; a key is not pickled."""
    assert repr(SigningKey.symmetric(b"secret-secret")) == "<SigningKey HS256 'secret'>"
    assert "PrivateKey" not in repr(issuer)
    with pytest.raises(ValueError, match="no public part"):
        SigningKey.symmetric(b"secret-secret").public_jwk()
    with pytest.raises(TypeError, match="not pickled"):
        issuer.key().__reduce__()


def test_keys_roll(own: LocalIssuer) -> None:
    """`rotate` signs with a new key and keeps the old one published until it is withdrawn."""
    first = own.key()
    second = own.rotate()
    assert own.key() is second
    assert own.keys.published == (first, second)
    upcoming = own.publish_next()
    assert own.key() is second
    assert own.rotate() is upcoming
    own.withdraw(first)
    own.withdraw(second.kid)
    assert [key.kid for key in own.keys.published] == [upcoming.kid]
    with pytest.raises(LookupError):
        own.withdraw(first)


def test_issuer_goes_down_and_returns_on_the_same_port(own: LocalIssuer, client: httpx2.Client) -> None:
    """Down, it refuses connections and cuts the ones that were open; up, it is where it was."""
    assert client.get(own.jwks_uri).status_code == 200
    own.down()
    for _ in range(2):
        with pytest.raises(httpx2.TransportError):
            client.get(own.jwks_uri)
    own.up()
    assert client.get(own.jwks_uri).status_code == 200


def test_issuer_counts_and_holds_requests(own: LocalIssuer) -> None:
    """A held request has arrived and is counted; it is answered when it is released."""
    own.hold()
    answers: list[int] = []
    callers = [threading.Thread(target=lambda: answers.append(_status(own.jwks_uri))) for _ in range(3)]
    for caller in callers:
        caller.start()
    own.wait_for_requests("/jwks", 3)
    assert (answers, own.requests("/jwks"), own.requests()) == ([], 3, 3)
    own.release()
    for caller in callers:
        caller.join(30)
    assert answers == [200, 200, 200]
    with pytest.raises(TimeoutError):
        own.wait_for_requests("/jwks", 4, timeout=0.01)


def test_closing_does_not_wait_for_a_slow_issuer() -> None:
    """Closing does not wait for what a slow issuer has not answered."""
    with LocalIssuer(algorithms=["ES256"]) as own:
        own.slow(3600)
        with pytest.raises(httpx2.TransportError):
            httpx2.get(own.jwks_uri, timeout=0.2)
        assert own.requests("/jwks") == 1


def test_documents_are_overridden(own: LocalIssuer, client: httpx2.Client) -> None:
    """JSON, bytes, a status, an answer of one's own, a body that is streamed; None returns to the truth."""
    own.serve_jwks({"keys": []})
    assert client.get(own.jwks_uri).json() == {"keys": []}
    own.serve_jwks(b"\xff", status=500, Retry_After="3")
    answer = client.get(own.jwks_uri)
    assert (answer.status_code, answer.content, answer.headers["retry-after"]) == (500, b"\xff", "3")
    own.serve_discovery({"issuer": "https://other.example"})
    assert client.get(own.discovery_uri).json() == {"issuer": "https://other.example"}
    own.serve("/jwks", lambda request: json_response({"asked": request.method}, 418))
    assert client.get(own.jwks_uri).json() == {"asked": "GET"}
    own.serve("/jwks", Response(repeat(b"x" * 10, 3)))
    assert client.get(own.jwks_uri).content == b"x" * 30
    own.serve_jwks(None)
    assert client.get(own.jwks_uri).json() == own.keys.jwks()


def test_endless_response_can_be_served(own: LocalIssuer) -> None:
    """For a client that must stop reading by itself."""
    own.serve("/jwks", Response(repeat(b"x" * 1024)))
    with httpx2.stream("GET", own.jwks_uri, timeout=30) as answer:
        assert len(next(answer.iter_bytes(100_000))) == 100_000


def test_unchanged_key_set_gives_304(own: LocalIssuer, client: httpx2.Client) -> None:
    """An unchanged set is answered with 304, a changed one in full; headers are what the test asks for."""
    own.jwks_headers["Cache-Control"] = "max-age=60"
    first = client.get(own.jwks_uri)
    assert first.headers["cache-control"] == "max-age=60"
    condition = {"if-none-match": first.headers["etag"]}
    assert client.get(own.jwks_uri, headers=condition).status_code == 304
    own.rotate()
    assert client.get(own.jwks_uri, headers=condition).status_code == 200
    own.conditional = False
    assert "etag" not in client.get(own.jwks_uri).headers


def test_issuer_with_a_path_and_another_identifier(client: httpx2.Client) -> None:
    """The path stands in every address, for RFC 8414 behind the well-known part; `identifier` replaces `iss` alone."""
    with LocalIssuer(algorithms=["ES256"], path="/blue") as tenant:
        assert tenant.url == f"{tenant.origin}/blue"
        metadata = f"{tenant.origin}/.well-known/oauth-authorization-server/blue"
        assert client.get(metadata).json() == client.get(tenant.discovery_uri).json() == tenant.discovery()
        assert client.get(f"{tenant.origin}/jwks").status_code == 404
    named = LocalIssuer(algorithms=["ES256"], identifier="https://login.example/")
    assert _decoded(named.mint().split(".")[1])["iss"] == "https://login.example/" == named.discovery()["issuer"]


def test_issuer_serves_https_with_its_own_authority() -> None:
    """Only clients that trust the authority can connect."""
    with LocalIssuer(algorithms=["ES256"], tls=True) as secure:
        assert secure.url.startswith("https://")
        assert httpx2.get(secure.jwks_uri, verify=secure.client_context()).status_code == 200
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(secure.jwks_uri)
        assert secure.ca_pem.startswith(b"-----BEGIN CERTIFICATE-----")
    plain = LocalIssuer(algorithms=["ES256"])
    for ask in (plain.client_context, lambda: plain.ca_pem):
        with pytest.raises(ValueError, match="plain http"):
            ask()


def test_verifier_discovers_the_issuers_keys(issuer: LocalIssuer, run: Run) -> None:
    """The whole way: discovery, key set, signature, claims; and a forgery is refused."""

    async def verified() -> tuple[str | None, str]:
        async with Verifier(TrustedIssuer(issuer.url, audience=issuer.audience)) as verifier:
            principal = await verifier.verify(issuer.mint(alg="ES384", sub="ada"))
            with pytest.raises(AuthError) as refused:
                await verifier.verify(tamper(issuer.mint(), sub="root"))
            return principal.subject, refused.value.code

    assert run(verified()) == ("ada", "signature_invalid")


def test_server_survives_bad_requests(own: LocalIssuer) -> None:
    """A length that is none, a body that is too long or of unknown length, a wrong method: answered, not crashed."""
    for length, status in (("-1", b"411"), ("9999999", b"413"), ("x", b"411")):
        request = f"POST /token HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n"
        assert _raw(own, request.encode()).startswith(b"HTTP/1.1 " + status)
    assert b" 400 " in _raw(own, b"\x00\r\n\r\n")
    assert httpx2.post(own.token_endpoint, content=iter([b"x"])).status_code == 411
    assert httpx2.delete(own.jwks_uri).status_code == 200
    assert httpx2.get(f"{own.origin}/nowhere").status_code == 404


def test_its_clock_is_given() -> None:
    """Tokens are dated by the clock that the issuer was given."""
    clock = MovableClock(1_000_000.9)
    claims = _decoded(LocalIssuer(algorithms=["ES256"], clock=clock, lifetime=60).mint().split(".")[1])
    assert (claims["iat"], claims["exp"]) == (1_000_000, 1_000_060)


def _status(url: str) -> int:
    return httpx2.get(url, timeout=30).status_code


def _raw(issuer: LocalIssuer, request: bytes) -> bytes:
    with socket.create_connection((issuer.host, issuer.port), timeout=30) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _decoded(segment: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()
