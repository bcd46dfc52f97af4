"""Whose request it is: tokens, proofs and certificates together, with a verifier that remembers tokens."""

from __future__ import annotations

import time
from typing import Any

import pytest

from bearward import AuthError, ConfigurationError, KeysNeededError, TrustedIssuer, Verifier
from bearward.authentication import authenticate, authenticate_now
from bearward.confirmation import certificate_thumbprint, check_certificate
from bearward.dpop import DPoP, DPoPNonces, SharedReplays
from bearward.possession import Presented
from bearward.sender import BEARER, Scheme, SenderProof
from bearward.testing import DPoPClient, LocalIssuer
from tests.conftest import Run
from tests.core.jwks.cache_servers import Valkey

ORIGIN = "https://api.example"
ISSUER = LocalIssuer(algorithms=["ES256"])
CLIENT = DPoPClient()
CERTIFICATE = b"a certificate in DER"
POLICY = DPoP(origins=ORIGIN)


def trusted(**options: Any) -> TrustedIssuer:
    """The issuer, whose keys are known."""
    return TrustedIssuer(ISSUER.url, audience=ISSUER.audience, jwks={"keys": [ISSUER.key().public_jwk()]}, **options)


def verifier_of(dpop: DPoP | None = POLICY, *, issuer: TrustedIssuer | None = None, **options: Any) -> Verifier:
    """A verifier that offers DPoP."""
    return Verifier(trusted() if issuer is None else issuer, dpop=dpop, **options)


def presented(token: str, scheme: Scheme = Scheme.DPOP, *, proof: str | None = None, **more: Any) -> Presented:
    """A request, by default with an honest proof."""
    made = CLIENT.proof("GET", f"{ORIGIN}/x", token=token) if proof is None else proof
    return Presented(scheme, token, [made], "GET", "/x", **more)


def outcome(verifier: Verifier, request: Presented) -> str | SenderProof:
    """How the sender was proven, or the code of the refusal."""
    try:
        return authenticate_now(verifier, request).proof
    except AuthError as error:
        return error.code


@pytest.fixture
def token() -> str:
    """A token that is bound to the client's key."""
    return ISSUER.mint(cnf=CLIENT.cnf)


def test_proof_admits_a_bound_token_once(token: str) -> None:
    """The same proof again is a replay; a new one is admitted, with the token remembered."""
    verifier, request = verifier_of(), presented(token)
    assert outcome(verifier, request) == SenderProof(jkt=CLIENT.jkt)
    assert outcome(verifier, request) == "dpop_replayed"
    assert outcome(verifier, presented(token)) == SenderProof(jkt=CLIENT.jkt)


def test_cached_bound_token_is_refused_as_bearer_token(token: str) -> None:
    """Whichever way it is asked for: the scheme is looked at each time."""
    verifier = verifier_of()
    assert outcome(verifier, presented(token)) == SenderProof(jkt=CLIENT.jkt)
    assert outcome(verifier, presented(token, Scheme.BEARER)) == "token_sender_constrained"
    with pytest.raises(AuthError) as caught:
        verifier.verify_now(token)
    assert caught.value.code == "token_sender_constrained"
    assert verifier.cached_entry(token) is None  # nor does a persistent connection remember it


def test_remembered_bearer_token_does_not_pass_as_dpop() -> None:
    """The other way round too."""
    verifier, token = verifier_of(), ISSUER.mint()
    assert outcome(verifier, presented(token, Scheme.BEARER)) == BEARER
    assert outcome(verifier, presented(token)) == "token_not_bound"


def test_refused_proof_is_not_recorded(token: str) -> None:
    """So that invalid proofs can neither fill the memory nor use up another client's `jti`."""
    verifier = verifier_of()
    assert outcome(verifier, presented(token, proof=CLIENT.proof("POST", f"{ORIGIN}/x", token=token, jti="j"))) == (
        "dpop_method_mismatch"
    )
    stolen = CLIENT.proof("GET", f"{ORIGIN}/x", token=token, jti="j", signed_by=DPoPClient().key)
    assert outcome(verifier, presented(token, proof=stolen)) == "dpop_signature_invalid"
    assert verifier.replays.__repr__() == "<LocalReplays: 0 proofs, in this process only>"
    assert isinstance(
        outcome(verifier, presented(token, proof=CLIENT.proof("GET", f"{ORIGIN}/x", token=token, jti="j"))), SenderProof
    )


def test_missing_nonce_does_not_use_up_the_jti(token: str) -> None:
    """The client repeats its request with a nonce, and may use the same `jti`."""
    nonces = DPoPNonces(b"0123456789abcdef")
    verifier = verifier_of(DPoP(origins=ORIGIN, nonces=nonces))
    assert outcome(verifier, presented(token, proof=CLIENT.proof("GET", f"{ORIGIN}/x", token=token, jti="j"))) == (
        "dpop_nonce_required"
    )
    again = CLIENT.proof("GET", f"{ORIGIN}/x", token=token, jti="j", nonce=nonces.current(time.time()))
    assert isinstance(outcome(verifier, presented(token, proof=again)), SenderProof)


def test_required_dpop_refuses_every_bearer_token(token: str) -> None:
    """Also if `verify` is called directly, without the gate."""
    verifier, bearer = verifier_of(DPoP(origins=ORIGIN, required=True)), ISSUER.mint()
    assert outcome(verifier, presented(bearer, Scheme.BEARER)) == "sender_constraint_required"
    with pytest.raises(AuthError) as caught:
        verifier.verify_now(bearer)
    assert caught.value.code == "sender_constraint_required"
    assert isinstance(outcome(verifier, presented(token)), SenderProof)


def test_issuer_may_require_bound_tokens(token: str) -> None:
    """Then a token of it that is not bound is refused, whatever the verifier offers; or one that is."""
    constrained = verifier_of(issuer=trusted(sender="constrained"))
    assert outcome(constrained, presented(ISSUER.mint(), Scheme.BEARER)) == "sender_constraint_required"
    assert isinstance(outcome(constrained, presented(token)), SenderProof)
    bearer = verifier_of(issuer=trusted(sender="bearer"))
    assert outcome(bearer, presented(ISSUER.mint(), Scheme.BEARER)) == BEARER
    assert outcome(bearer, presented(token)) == "token_sender_constrained"
    with pytest.raises(ConfigurationError):
        trusted(sender="dpop")


def test_token_bound_to_both_needs_certificate_and_proof() -> None:
    """A token that names both keys is admitted with both, at once or one after the other."""
    thumbprint = certificate_thumbprint(CERTIFICATE)
    both = ISSUER.mint(cnf={**CLIENT.cnf, "x5t#S256": thumbprint})
    verifier, proven = verifier_of(), SenderProof(jkt=CLIENT.jkt, certificate=thumbprint)
    assert outcome(verifier, presented(both, certificate=thumbprint)) == proven
    assert outcome(verifier, presented(both)) == "token_sender_constrained"
    assert outcome(verifier, presented(both, Scheme.BEARER, certificate=thumbprint)) == "token_sender_constrained"
    principal = authenticate_now(verifier, presented(both, certificate_later=True))
    assert check_certificate(principal, CERTIFICATE) == proven
    for wrong in (None, b"another"):
        with pytest.raises(AuthError):
            check_certificate(principal, wrong)
    with pytest.raises(AuthError):  # by a principal whose key nobody has proven
        check_certificate(verifier.verify_now(both, unsafe_allow_bound=True), CERTIFICATE)


def test_shared_replay_memory_is_awaited(run: Run, valkey: Valkey, token: str) -> None:
    """Two verifiers of a fleet accept a proof once; without awaiting neither can decide."""

    async def scenario() -> None:
        secret = b"0123456789abcdef"
        shared = [SharedReplays(cache=valkey.url, on_failure="refuse", cache_secret=secret) for _ in range(2)]
        here, there = (verifier_of(replays=replays) for replays in shared)
        request = presented(token)
        with pytest.raises(KeysNeededError):
            authenticate_now(here, request)
        assert (await authenticate(here, request)).proof == SenderProof(jkt=CLIENT.jkt)
        with pytest.raises(AuthError) as caught:
            await authenticate(there, request)
        assert caught.value.code == "dpop_replayed"
        await here.aclose()
        await there.aclose()

    run(scenario())


def test_keys_are_fetched_before_a_proof_is_checked(run: Run, token: str) -> None:
    """A verifier that holds no keys fetches them; the proof is recorded once it has them."""

    async def scenario() -> None:
        with LocalIssuer(algorithms=["ES256"]) as issuer:
            async with Verifier(TrustedIssuer(issuer.url, audience=issuer.audience), dpop=POLICY) as verifier:
                bound = issuer.mint(cnf=CLIENT.cnf)
                request = presented(bound)
                assert (await authenticate(verifier, request)).proof == SenderProof(jkt=CLIENT.jkt)
                with pytest.raises(AuthError):
                    await authenticate(verifier, request)

    run(scenario())


@pytest.mark.parametrize(
    ("options", "setting"),
    [
        ({"dpop": True}, "dpop"),
        ({"dpop": "allowed"}, "dpop"),
        ({"dpop": POLICY, "replays": True}, "replays"),
    ],
)
def test_invalid_settings_are_refused(options: dict[str, Any], setting: str) -> None:
    """A memory without a policy would record nothing, and no one would notice."""
    with pytest.raises(ConfigurationError) as caught:
        verifier_of(**options)
    assert caught.value.setting == setting
