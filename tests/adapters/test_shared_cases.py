"""The one table of cases, put to the core alone and to real servers: grpc.aio, grpc.server and Sanic.

Rule of this file: no case stands here. Every transport gives the code that the core gives.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx2
import pytest

from bearward import AuthError, Fault, OAuthError, Refusal, TrustedIssuer, authorize, scope
from bearward.credentials import bearer_token
from bearward.testing import LocalIssuer
from bearward.verifier import Verifier
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.cases import ALGORITHMS, AUDIENCE, CASES, SCOPE, Case, Fixtures
from tests.conftest import Run

pytestmark = pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)


@pytest.fixture(scope="module")
def fixtures() -> Iterator[Fixtures]:
    """Two issuers over real HTTP."""
    with (
        LocalIssuer(algorithms=ALGORITHMS, audience=AUDIENCE) as issuer,
        LocalIssuer(audience=AUDIENCE) as untrusted_issuer,
    ):
        yield Fixtures(issuer, untrusted_issuer)


@pytest.fixture(scope="module")
def settings(fixtures: Fixtures, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file by which the servers trust one of them."""
    path: Path = tmp_path_factory.mktemp("shared_cases") / "settings.toml"
    path.write_text(f"[[issuers]]\nissuer = '{fixtures.issuer.url}'\naudience = '{AUDIENCE}'\n")
    return str(path)


def test_shared_cases_in_the_core(fixtures: Fixtures, case: Case, run: Run) -> None:
    """From any credentials the core makes the principal or the refusal that the table names."""

    async def ask() -> str:
        async with Verifier(TrustedIssuer(fixtures.issuer.url, audience=AUDIENCE)) as verifier:
            try:
                principal = await verifier.verify(bearer_token(case.present(fixtures)))
                if case.needs_scope:
                    authorize(principal, scope(SCOPE), verifier.now())
            except AuthError as refused:
                assert not case.granted
                return refused.code
        assert case.granted
        return str(principal.subject)

    assert run(ask()) == case.expected


def test_over_http(fixtures: Fixtures, case: Case, http: str) -> None:
    """Sanic answers with the core's code in the body, the status of its fault, and a challenge where RFC 6750 asks."""
    headers = [("authorization", value) for value in case.present(fixtures)]
    answer = httpx2.get(f"{http}/notes" if case.needs_scope else f"{http}/whoami", headers=headers, timeout=30)
    if case.granted:
        assert answer.status_code == 200
        assert case.needs_scope or answer.json()["sub"] == case.expected
        return
    refusal = Refusal[case.expected.upper()]
    assert (answer.status_code, answer.json()["code"]) == (_status(refusal), case.expected)
    challenge = answer.headers["www-authenticate"]
    assert challenge.startswith("Bearer ")
    assert (f'error="{refusal.error.value}"' in challenge) if refusal.error else ("error=" not in challenge)


def test_over_grpc(fixtures: Fixtures, case: Case, stub: ProtectedServiceStub) -> None:
    """Both gRPC servers answer with the core's code in a trailer, and with the status of its fault."""
    metadata: Any = tuple(("authorization", value) for value in case.present(fixtures))
    if case.granted:
        if case.needs_scope:
            stub.ListNotes(messages.ListNotesRequest(), metadata=metadata, timeout=30)
        else:
            principal = stub.WhoAmI(messages.WhoAmIRequest(), metadata=metadata, timeout=30).principal
            assert json.loads(principal)["sub"] == case.expected
        return
    with pytest.raises(grpc.RpcError) as caught:
        stub.ListNotes(messages.ListNotesRequest(), metadata=metadata, timeout=30)
    call: Any = caught.value
    refusal = Refusal[case.expected.upper()]
    expected = (
        grpc.StatusCode.PERMISSION_DENIED if refusal.fault is Fault.PERMISSION else grpc.StatusCode.UNAUTHENTICATED
    )
    assert (call.code(), dict(call.trailing_metadata())["bearward-code"]) == (expected, case.expected)


def _status(refusal: Refusal) -> int:
    if refusal.fault is Fault.PERMISSION:
        return 403
    return 400 if refusal.error is OAuthError.INVALID_REQUEST else 401
