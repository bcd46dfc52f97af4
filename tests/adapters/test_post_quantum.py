"""Tokens signed with ML-DSA (RFC 9964) are several times as long as others, and pass every transport as it is set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import grpc
import httpx2
import pytest

from bearward.jose.post_quantum import is_supported
from bearward.testing import LocalIssuer
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.skipif(not is_supported("ML-DSA-87"), reason="the oldest cryptography that is supported has no ML-DSA"),
]

ALGORITHMS = ("ML-DSA-44", "ML-DSA-65", "ML-DSA-87")


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """It signs by all three."""
    with LocalIssuer(algorithms=ALGORITHMS) as one:
        yield one


@pytest.fixture(scope="module")
def settings(issuer: LocalIssuer, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The file by which the servers trust it."""
    path: Path = tmp_path_factory.mktemp("post_quantum") / "settings.toml"
    path.write_text(
        f"[[issuers]]\nissuer = '{issuer.url}'\naudience = '{issuer.audience}'\nalgorithms = {list(ALGORITHMS)}\n"
    )
    return str(path)


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_post_quantum_token_over_http(alg: str, issuer: LocalIssuer, http: str) -> None:
    """Sanic takes the header with its limits unchanged; another signature is refused."""
    token = issuer.mint(alg=alg)
    for sent, status in ((token, 200), (_changed(token), 401)):
        response = httpx2.get(f"{http}/whoami", headers={"authorization": f"Bearer {sent}"}, timeout=30)
        assert response.status_code == status


@pytest.mark.parametrize("alg", ALGORITHMS)
def test_post_quantum_token_over_grpc(alg: str, issuer: LocalIssuer, stub: ProtectedServiceStub) -> None:
    """Both kinds of gRPC server take the metadata with its limits unchanged."""
    token = issuer.mint(alg=alg)
    good, bad = ((("authorization", f"Bearer {sent}"),) for sent in (token, _changed(token)))
    stub.WhoAmI(messages.WhoAmIRequest(), metadata=good, timeout=30)
    with pytest.raises(grpc.RpcError) as caught:
        stub.WhoAmI(messages.WhoAmIRequest(), metadata=bad, timeout=30)
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


def _changed(token: str) -> str:
    """The same but for a character of the signature."""
    return f"{token[:-9]}{'A' if token[-9] != 'A' else 'B'}{token[-8:]}"
