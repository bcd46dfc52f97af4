"""The client's side of DPoP: its own key, a proof on each call, and the nonce that a server asks for."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from bearward import ConfigurationError, TrustedIssuer, Verifier
from bearward.client_credentials.token_http import post
from bearward.dpop import DPoP, DPoPNonces, LocalReplays, check_proof
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated, client
from bearward_grpc.client.proofs import Prover
from tests.adapters.grpc.calls import path
from tests.adapters.grpc.certificates import Authority
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.grpc.test_client import call_aio, call_sync

RULES = {SERVICE: authenticated}
KINDS = ("UU", "US", "SU", "SS")
ORIGIN = "https://api.example"


@pytest.fixture(scope="module")
def login() -> Iterator[LocalIssuer]:
    """An issuer that knows one client, and binds tokens to the key of a proof."""
    with LocalIssuer(algorithms=["ES256"], clients={"me": "s3cret"}) as local:
        yield local


def bound_source(login: LocalIssuer) -> client.ClientCredentials:
    """A source of tokens that are bound to a key."""
    return client.ClientCredentials(
        login.token_endpoint, client_id="me", client_secret="s3cret", dpop_key=client.DPoPKey()
    )


def verifier_of(login: LocalIssuer, origins: list[str], *, nonce: bool = False) -> Verifier:
    """A verifier that wants every call proven."""
    nonces = DPoPNonces(b"0123456789abcdef") if nonce else None
    policy = DPoP(origins=origins, required=True, nonces=nonces)
    trusted = TrustedIssuer(login.url, audience=login.audience, jwks_uri=login.jwks_uri)
    return Verifier(trusted, dpop=policy, dpop_replays=LocalReplays())


def call(flavour: str, run: Any, target: str, source: Any, kind: str, **options: Any) -> list[bytes]:
    """One call on its own channel."""
    if flavour == "sync":
        with client.channel(target, source, **options) as channel:
            return call_sync(channel, kind)

    async def scenario() -> list[bytes]:
        async with client.aio_channel(target, source, **options) as channel:
            return await call_aio(channel, kind)

    return run(scenario())  # type: ignore[no-any-return]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("flavour", ["sync", "aio"])
def test_each_call_carries_a_proof(flavour: str, kind: str, run: Any, login: LocalIssuer) -> None:
    """Over loopback from interceptors: a new one for each call, for the origin that the server is told."""
    with serving("aio", verifier_of(login, [ORIGIN]), RULES) as server:
        source = bound_source(login)
        for _ in range(2):
            assert _succeeds(call(flavour, run, server.target, source, kind, origin=ORIGIN))


@pytest.mark.parametrize("flavour", ["sync", "aio"])
def test_over_tls_proofs_travel_as_call_credentials(flavour: str, run: Any, login: LocalIssuer) -> None:
    """They name the public origin that they were told; without one, what grpc itself connects to."""
    credentials = Authority()
    with serving("aio", verifier_of(login, [ORIGIN]), RULES, credentials=credentials.server()) as server:
        source, trusted = bound_source(login), credentials.client()
        assert _succeeds(call(flavour, run, server.target, source, "UU", credentials=trusted, origin=ORIGIN))
        with pytest.raises(grpc.RpcError) as caught:
            call(flavour, run, server.target, source, "UU", credentials=trusted)
        failed: Any = caught.value
        assert dict(failed.trailing_metadata())["bearward-code"] == "dpop_uri_mismatch"


def test_proof_names_the_origin_that_grpc_connects_to(login: LocalIssuer) -> None:
    """Call credentials are told the URL of the service; the proof names its origin, and the method below it."""
    prover = Prover(bound_source(login), None)
    (_, proof) = prover.metadata("t", "/a.B/C", "https://api.example:8443/a.B")
    assert _claims(proof[1])["htu"] == "https://api.example:8443/a.B/C"
    with pytest.raises(ConfigurationError):
        prover.metadata("t", "/a.B/C")


@pytest.mark.parametrize("kind", ["UU", "US"])
@pytest.mark.parametrize("flavour", ["sync", "aio"])
def test_call_is_retried_once_with_the_requested_nonce(flavour: str, kind: str, run: Any, login: LocalIssuer) -> None:
    """A call with one request is repeated with the nonce; the token is kept, since nothing was wrong with it."""
    with serving("aio", verifier_of(login, [ORIGIN], nonce=True), RULES) as server:
        source = bound_source(login)
        before = login.requests("/token")
        assert _succeeds(call(flavour, run, server.target, source, kind, origin=ORIGIN))
        assert login.requests("/token") == before + 1


def test_bearer_source_sends_no_proof(run: Any, login: LocalIssuer) -> None:
    """A source without a key sends what it always sent, which a server that wants proofs refuses."""
    source = client.ClientCredentials(login.token_endpoint, client_id="me", client_secret="s3cret")
    with serving("aio", verifier_of(login, [ORIGIN]), RULES) as server, pytest.raises(grpc.RpcError) as caught:
        call("sync", run, server.target, source, "UU")
    failed: Any = caught.value
    assert dict(failed.trailing_metadata())["bearward-code"] == "sender_constraint_required"


def test_proven_token_adds_proofs_to_any_source(run: Any, login: LocalIssuer) -> None:
    """`ProvenToken` puts proofs beside the tokens of any source that are bound to its key."""
    key = client.DPoPKey()

    class Fixed:
        def token(self) -> str:
            return login.mint(cnf={"jkt": key.jkt})

        async def token_async(self) -> str:
            return self.token()

        def invalidate(self, token: str) -> bool:
            return False

    source = client.ProvenToken(Fixed(), key)
    with serving("aio", verifier_of(login, [ORIGIN]), RULES) as server:
        for flavour in ("sync", "aio"):
            assert _succeeds(call(flavour, run, server.target, source, "UU", origin=ORIGIN))


def test_dpop_key_makes_valid_proofs_and_hides_its_private_part() -> None:
    """Proofs that verify; a private part that is neither shown nor pickled; P-256 alone."""
    key = client.DPoPKey()
    proof = key.proof(ORIGIN + path("UU"), token="t")
    checked = check_proof(
        proof, token="t", jkt=key.jkt, htm="POST", path=path("UU"), policy=DPoP(origins=ORIGIN), now=_iat(proof)
    )
    assert checked.jkt == key.jkt
    assert repr(key) == f"<DPoPKey {key.jkt}>"
    with pytest.raises(TypeError):
        key.__reduce__()
    for wrong in (ec.generate_private_key(ec.SECP384R1()), rsa.generate_private_key(65537, 2048), b"key"):
        with pytest.raises(ConfigurationError):
            client.DPoPKey(wrong)  # type: ignore[arg-type]


def test_token_request_is_retried_with_the_endpoints_nonce(login: LocalIssuer, monkeypatch: pytest.MonkeyPatch) -> None:
    """The request is repeated once with it, and later ones carry it at once (RFC 9449 section 8)."""
    proofs: list[str | None] = []

    def asking(*args: Any, proof: str | None = None, **options: Any) -> tuple[int, bytes, str | None]:
        proofs.append(proof)
        if proof is None or _claims(proof).get("nonce") != "n1":
            return 400, b'{"error": "use_dpop_nonce"}', "n1"
        return post(*args, proof=proof, **options)

    monkeypatch.setattr("bearward_grpc.client.token_request.post", asking)
    source = bound_source(login)
    token = source.token()
    assert len(proofs) == 2
    source.invalidate(token)
    assert source.token() != token
    assert len(proofs) == 3


def _succeeds(responses: list[bytes]) -> bool:
    return len(responses) > 0 and all(response for response in responses)


def _claims(proof: str) -> dict[str, Any]:
    import json

    from bearward.jose.base64url import decode

    claims: dict[str, Any] = json.loads(decode(proof.split(".")[1]))
    return claims


def _iat(proof: str) -> float:
    return float(_claims(proof)["iat"])
