"""For tests of services: an interceptor built at import, calls without any issuer, and `grpc_testing` without a server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import grpc
import grpc_testing
import pytest

from bearward import TrustedIssuer, Verifier, scope
from bearward.testing import HOSTILE_TOKENS, LocalIssuer, MovableClock, acting_as, principal_with
from bearward_grpc import authenticated, current_principal, optional, public, requires, rules_from_servicers
from bearward_grpc.testing import policy_matrix, use_verifier
from bearward_pytest import ActAs, CheckPolicy, Mint, UseVerifier
from samples.v1 import sample_pb2, sample_pb2_grpc
from tests.adapters.grpc.calls import TIMEOUT, bearer, channel_to, collect, path
from tests.adapters.grpc.servers import KINDS, SERVICE, Running, Seen, serving

RULES = {
    path("UU"): requires(scope("notes:read")),
    path("US"): authenticated,
    path("SU"): optional,
    path("SS"): public,
}
OUT_OF_REACH = "https://login.example"


@pytest.fixture(params=KINDS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    """A server that runs, and trusts an issuer which no test can reach."""
    verifier = Verifier(TrustedIssuer(OUT_OF_REACH, audience="https://api.example", jwks_uri="http://127.0.0.1:9/jwks"))
    with serving(request.param, verifier, RULES, behaviors=_behaviors(request.param)) as running:
        yield running


def _behaviors(kind: str) -> Any:
    from tests.adapters.grpc.servers import async_echo, sync_echo

    def make(seen: Seen) -> dict[str, Any]:
        return {**(sync_echo if kind == "sync" else async_echo)(seen), "US": _idle_sync if kind == "sync" else _idle}

    return make


async def _idle(_: bytes, context: Any) -> Any:
    import asyncio

    yield (current_principal() or principal_with()).subject.encode()  # type: ignore[union-attr]
    await asyncio.Event().wait()


def _idle_sync(_: bytes, context: Any) -> Iterator[bytes]:
    yield str((current_principal() or principal_with()).subject).encode()
    ended = threading.Event()
    context.add_callback(ended.set)
    while not ended.wait(0.01):
        yield b"more"


def call(server: Running, token: str | None = None, method: str = "UU") -> tuple[grpc.StatusCode, bytes]:
    """A unary call: its status, and what it returned."""
    with channel_to(server.target) as channel:
        stub: Any = channel.unary_unary(path(method))
        try:
            return grpc.StatusCode.OK, stub(b"hi", timeout=TIMEOUT, metadata=bearer(token) if token else ())
        except grpc.RpcError as error:
            return error.code(), b""


def test_running_server_trusts_the_issuer_of_a_test(
    server: Running, bearward_use_verifier: UseVerifier, bearward_token: Mint, bearward_issuer: LocalIssuer
) -> None:
    """Its interceptor was made with another verifier; hostile tokens are refused as they are in production."""
    bearward_use_verifier(server.interceptor)
    assert call(server, bearward_token(sub="ada", scope="notes:read")) == (grpc.StatusCode.OK, b"ada:hi")
    assert call(server, bearward_token(scope="other"))[0] is grpc.StatusCode.PERMISSION_DENIED
    for name in ("unsigned", "expired an hour ago", "for another audience"):
        hostile = bearward_issuer.hostile(name, scope="notes:read")
        assert call(server, hostile)[0] is grpc.StatusCode.UNAUTHENTICATED, name


def test_verifier_that_is_put_in_holds_keys(
    server: Running, bearward_use_verifier: UseVerifier, bearward_issuer: LocalIssuer
) -> None:
    """A hostile token as the very first call is refused for its own reason, and not because keys were never fetched."""
    bearward_use_verifier(server.interceptor)
    hostile = bearward_issuer.hostile("for another audience", scope="notes:read")
    assert call(server, hostile)[0] is grpc.StatusCode.UNAUTHENTICATED


def test_verifier_is_back_after_the_block(server: Running, bearward_issuer: LocalIssuer) -> None:
    """A token of the test's issuer is good within the block, and a stranger's after it."""
    token = bearward_issuer.mint(scope="notes:read")
    with use_verifier(server.interceptor, bearward_issuer.verifier()):
        assert call(server, token)[0] is grpc.StatusCode.OK
    assert call(server, token)[0] is grpc.StatusCode.UNAUTHENTICATED


def test_call_without_an_issuer_is_made_by_whom_the_test_says(server: Running, bearward_as: ActAs) -> None:
    """Over a real channel, on every kind of server: no token, no issuer; the rules decide by the principal alone."""
    bearward_as(sub="ada", scope="notes:read")
    assert call(server) == (grpc.StatusCode.OK, b"ada:hi")
    bearward_as(sub="eve")
    assert call(server)[0] is grpc.StatusCode.PERMISSION_DENIED
    assert call(server, "garbage")[0] is grpc.StatusCode.UNAUTHENTICATED


def test_acting_as_ends_with_its_block(server: Running) -> None:
    """After it, a call without credentials is refused as ever."""
    with acting_as(scope="notes:read"):
        assert call(server)[0] is grpc.StatusCode.OK
    assert call(server)[0] is grpc.StatusCode.UNAUTHENTICATED


@pytest.mark.parametrize("acting", [False, True], ids=["with a token", "acting"])
def test_moving_the_clock_ends_a_stream(
    server: Running,
    acting: bool,
    bearward_use_verifier: UseVerifier,
    bearward_token: Mint,
    bearward_clock: MovableClock,
    bearward_as: ActAs,
) -> None:
    """An open stream ends when the test moves the clock beyond its token, or beyond the `exp` of a principal that acts."""
    bearward_use_verifier(server.interceptor)
    if acting:
        bearward_as(sub="ada", exp=bearward_clock.now() + 600)
    metadata = () if acting else bearer(bearward_token(sub="ada", expires_in=600))
    with channel_to(server.target) as channel:
        stream = channel.unary_stream(path("US"))(b"go", timeout=TIMEOUT, metadata=metadata)
        assert next(stream) == b"ada"
        bearward_clock.advance(3600)
        outcome = collect(stream)
    assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "token_expired")


@pytest.mark.parametrize("name", HOSTILE_TOKENS)
def test_hostile_token_is_refused_over_grpc(hostile_server: tuple[Running, LocalIssuer], name: str) -> None:
    """Each of the catalogue, with the scope that would open the method."""
    server, issuer = hostile_server
    with channel_to(server.target) as channel:
        stub: Any = channel.unary_unary(path("UU"))
        token = issuer.hostile(name, scope="notes:read")
        refused: Any
        with pytest.raises(grpc.RpcError) as refused:
            stub(b"hi", timeout=TIMEOUT, metadata=bearer(token))
    assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED
    assert dict(refused.value.trailing_metadata() or ())["bearward-code"] == HOSTILE_TOKENS[name].refusal.code


@pytest.fixture(scope="module")
def hostile_server() -> Iterator[tuple[Running, LocalIssuer]]:
    """A server for the whole catalogue."""
    with LocalIssuer(algorithms=["ES256"]) as issuer, serving("aio", issuer.verifier(), RULES) as running:
        yield running, issuer


# The stubs make every method abstract, and grpc responds UNIMPLEMENTED to those that are not there.
Base: Any = sample_pb2_grpc.ProtectedServiceServicer


class Notes(Base):  # type: ignore[misc]
    """A servicer whose rules are marks, as a user writes it."""

    @requires(scope("notes:read"))
    def ListNotes(self, request: Any, context: Any) -> Any:  # noqa: N802
        return sample_pb2.ListNotesResponse(notes=[sample_pb2.Note(text=f"of {current_principal().subject}")])  # type: ignore[union-attr]


def _list_notes() -> tuple[Any, grpc.StatusCode]:
    """One call by grpc_testing, which knows neither interceptors nor metadata of a channel."""
    service = sample_pb2.DESCRIPTOR.services_by_name["ProtectedService"]
    server = grpc_testing.server_from_dictionary({service: Notes()}, grpc_testing.strict_real_time())
    rpc = server.invoke_unary_unary(service.methods_by_name["ListNotes"], (), sample_pb2.ListNotesRequest(), TIMEOUT)
    response, _, code, _ = rpc.termination()
    return response, code


def test_grpc_testing_judges_a_servicer_by_its_marks() -> None:
    """Without a server, an interceptor or an issuer: who acts is let in by the mark, or refused by it."""
    with acting_as(sub="ada", scope="notes:read"):
        response, code = _list_notes()
        assert (code, response.notes[0].text) == (grpc.StatusCode.OK, "of ada")
    with acting_as(sub="eve", scope="notes:write"):
        assert _list_notes()[1] is grpc.StatusCode.PERMISSION_DENIED
    assert _list_notes()[1] is grpc.StatusCode.PERMISSION_DENIED


@pytest.mark.parametrize("kind", KINDS)
def test_matrix_is_what_the_server_does(kind: str, bearward_issuer: LocalIssuer) -> None:
    """Every cell of the table is the status that a real server responds with to such a caller."""
    rules = {path("UU"): requires(scope("notes:read")), path("UU2"): authenticated, path("UU3"): public}
    matrix = policy_matrix(rules, *rules)

    def behaviors(_: Seen) -> dict[str, Any]:
        async def served(request: bytes, context: Any) -> bytes:
            return request

        return {name: (lambda request, _: request) if kind == "sync" else served for name in ("UU", "UU2", "UU3")}

    with serving(kind, bearward_issuer.verifier(), rules, behaviors=behaviors) as server:
        for name in matrix.rules:
            for caller, who in matrix.callers.items():
                claims: dict[str, Any] = {} if who is None else who.to_dict()  # type: ignore[union-attr]
                token = None if who is None else bearward_issuer.mint(scope=claims.get("scope", ""))
                status, _ = call(server, token, name.rpartition("/")[2])
                assert matrix.cell(name, caller) == status.name.replace("OK", "ok"), (name, caller)


def test_policy_is_the_approved_one(bearward_policy: CheckPolicy) -> None:
    """One line pins the policy, from a mapping or from marks; the table in `policies/` is what a reviewer reads."""
    bearward_policy(RULES, *RULES)
    bearward_policy(
        rules_from_servicers({"samples.v1.ProtectedService": Notes()}), "/samples.v1.ProtectedService/ListNotes"
    )


def test_service_name_is_that_of_the_tests() -> None:
    """The rules above are those of the service that is served."""
    assert {name.split("/")[1] for name in RULES} == {SERVICE}
