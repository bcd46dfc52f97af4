"""RFC 9449's own examples, with the clock moved to when they were made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bearward import AuthError
from bearward.dpop import DPoP, Proof, check_proof
from bearward.dpop.key import read_header
from bearward.jose.base64url import decode
from bearward.testing import access_token_hash

VECTORS: dict[str, Any] = json.loads((Path(__file__).parents[2] / "vectors/dpop/rfc9449.json").read_text())
RESOURCE = VECTORS["section 7.1"]
POLICY = DPoP(origins=RESOURCE["origin"])


def check(proof: str, now: float, **changes: str) -> Proof:
    """Check a proof for the request of section 7.1."""
    request = {name: RESOURCE[name] for name in ("token", "jkt", "htm", "path")}
    return check_proof(proof, policy=POLICY, now=now, **{**request, **changes})


def test_proof_of_section_7_1_passes() -> None:
    """It is accepted at the moment of its `iat`, for its token, its key and its request."""
    proof = check(RESOURCE["proof"], RESOURCE["iat"])
    assert proof == Proof(RESOURCE["jkt"], RESOURCE["jti"], RESOURCE["iat"], RESOURCE["iat"] + 60.0)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(60, None), (61, "dpop_proof_expired"), (-60, None), (-61, "dpop_proof_not_yet_valid")],
)
def test_proof_passes_within_the_window(seconds: int, code: str | None) -> None:
    """A window of 60 seconds reaches 60 seconds each way, and no further."""
    if code is None:
        assert check(RESOURCE["proof"], RESOURCE["iat"] + seconds).issued_at == RESOURCE["iat"]
        return
    with pytest.raises(AuthError) as caught:
        check(RESOURCE["proof"], RESOURCE["iat"] + seconds)
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"htm": "POST"}, "dpop_method_mismatch"),
        ({"path": "/another"}, "dpop_uri_mismatch"),
        ({"token": "another"}, "dpop_token_mismatch"),
        ({"jkt": "another"}, "dpop_key_mismatch"),
        ({"jkt": ""}, "dpop_key_mismatch"),
    ],
    ids=str,
)
def test_proof_passes_for_its_request_only(change: dict[str, str], code: str) -> None:
    """Another method, path, token or key refuses it; an empty `jkt` does not mean that no proof is needed."""
    with pytest.raises(AuthError) as caught:
        check(RESOURCE["proof"], RESOURCE["iat"], **change)
    assert caught.value.code == code


def test_token_endpoint_proof_lacks_ath() -> None:
    """The example of section 5 was made for a token request, so it lacks what a resource server asks for."""
    with pytest.raises(AuthError) as caught:
        check(VECTORS["section 5"]["proof"], VECTORS["section 5"]["iat"], htm="POST", path="/token")
    assert (caught.value.code, caught.value.claim) == ("dpop_uri_mismatch", "htu")
    with pytest.raises(AuthError) as caught:
        check_proof(
            VECTORS["section 5"]["proof"],
            token=RESOURCE["token"],
            jkt=RESOURCE["jkt"],
            htm="POST",
            path="/token",
            policy=DPoP(origins="https://server.example.com"),
            now=VECTORS["section 5"]["iat"],
        )
    assert (caught.value.code, caught.value.claim) == ("dpop_claim_missing", "ath")
    alg, key = read_header(VECTORS["section 5"]["proof"].partition(".")[0], POLICY.algorithms)
    signed, _, signature = VECTORS["section 5"]["proof"].rpartition(".")
    assert key.thumbprint == RESOURCE["jkt"]
    assert key.verify(alg, signed.encode(), decode(signature))


def test_hash_of_the_access_token() -> None:
    """`ath` of section 7.1."""
    assert access_token_hash(RESOURCE["token"]) == RESOURCE["ath"]
