"""The one table of DPoP proofs, put to real servers: grpc.aio, grpc.server and Sanic.

Rule of this file: no proof of the table stands here. Every transport gives the code that the core gives, with the
challenges of RFC 9449 section 7.1.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from bearward import Fault, OAuthError, Refusal
from bearward.dpop import DPOP_ALGORITHMS
from bearward.testing import LocalIssuer
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.dpop_cases import DPOP_CASES, OTHER_ORIGIN, DPoPCase, DPoPWorld

ON_THE_WIRE = [case for case in DPOP_CASES if case.on_the_wire]
ORIGIN = "https://orders.example"
METHOD = "/bearward.sample.v1.ProtectedService/WhoAmI"
ALGS = f'algs="{" ".join(DPOP_ALGORITHMS)}"'

each_case = pytest.mark.parametrize("case", ON_THE_WIRE, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """A real one."""
    with LocalIssuer(algorithms=["ES256"]) as one:
        yield one


@pytest.fixture(scope="module")
def settings(issuer: LocalIssuer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file by which the servers trust it, and offer DPoP."""
    path: Path = tmp_path_factory.mktemp("dpop_table") / "settings.toml"
    path.write_text(
        f"[dpop]\nmode = 'allowed'\norigins = ['{ORIGIN}', '{OTHER_ORIGIN}']\n"
        f"[[issuers]]\nissuer = '{issuer.url}'\naudience = '{issuer.audience}'\n"
    )
    return str(path)


@each_case
def test_over_http(issuer: LocalIssuer, case: DPoPCase, http: str) -> None:
    """Sanic answers with the core's code, 400 where the request is malformed and else 401, and with both challenges."""
    authorization, proofs = case.send(DPoPWorld(issuer, "GET", ORIGIN, "/whoami", time.time))
    headers = [*(("authorization", value) for value in authorization), *(("dpop", value) for value in proofs)]
    answer = httpx2.get(f"{http}/whoami", headers=headers, timeout=30)
    if case.expected is None:
        assert answer.status_code == 200, answer.text
        return
    refusal = Refusal[case.expected.upper()]
    assert (answer.json().get("code", answer.text), answer.status_code) == (
        case.expected,
        400 if refusal.is_malformed else 401,
    )
    _check_challenges(refusal, answer.headers["www-authenticate"], under_dpop=_is_dpop(authorization))


@each_case
def test_over_grpc(issuer: LocalIssuer, case: DPoPCase, stub: ProtectedServiceStub) -> None:
    """Both gRPC servers answer with the core's code in a trailer, UNAUTHENTICATED, and a trailer for each challenge."""
    authorization, proofs = case.send(DPoPWorld(issuer, "POST", ORIGIN, METHOD, time.time))
    metadata: Any = (*(("authorization", value) for value in authorization), *(("dpop", value) for value in proofs))
    if case.expected is None:
        stub.WhoAmI(messages.WhoAmIRequest(), metadata=metadata, timeout=30)
        return
    with pytest.raises(grpc.RpcError) as caught:
        stub.WhoAmI(messages.WhoAmIRequest(), metadata=metadata, timeout=30)
    call: Any = caught.value
    trailers = list(call.trailing_metadata())
    assert (dict(trailers)["bearward-code"], call.code()) == (case.expected, grpc.StatusCode.UNAUTHENTICATED)
    challenges = [value for name, value in trailers if name == "www-authenticate"]
    assert len(challenges) == 2
    _check_challenges(Refusal[case.expected.upper()], ", ".join(challenges), under_dpop=_is_dpop(authorization))


def test_servers_are_put_to_the_same_table() -> None:
    """At least 120 proofs go over the wire, good and bad; what is for the core alone no client can send."""
    assert len(ON_THE_WIRE) >= 120
    assert sum(case.expected is None for case in ON_THE_WIRE) >= 30
    assert len(DPOP_CASES) - len(ON_THE_WIRE) <= 5


def _is_dpop(authorization: Any) -> bool:
    return len(authorization) == 1 and authorization[0].lower().startswith("dpop ")


def _check_challenges(refusal: Refusal, challenges: str, *, under_dpop: bool) -> None:
    """What is wrong stands first, under the scheme of the credentials; the algorithms of proofs are always named."""
    assert refusal.fault is Fault.CREDENTIALS
    assert ALGS in challenges
    about_proof = refusal.error in (OAuthError.INVALID_DPOP_PROOF, OAuthError.USE_DPOP_NONCE)
    if refusal.error is not None and (under_dpop or about_proof):
        assert challenges.startswith("DPoP ")
    assert challenges.count("error=") == (refusal.error is not None)
    if refusal.error is not None:
        assert f'error="{refusal.error.value}"' in challenges
