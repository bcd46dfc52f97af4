"""Who calls: known in every kind of handler, for that call alone."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from bearward import AuthError, Principal, Refusal, scope
from bearward.requirements import authorize
from bearward.testing import LocalIssuer
from bearward_grpc import authenticated, current_principal, public
from bearward_grpc.call import CALL, Call
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Rules, async_echo, serving, sync_echo

FORMS = [(kind, handlers) for kind in KINDS for handlers in ("async", "plain") if (kind, handlers) != ("sync", "async")]
SERVED = [shape for shape in SHAPES if shape != "unknown method"]


@pytest.mark.parametrize(("kind", "handlers"), FORMS)
def test_principal_is_available_in_every_kind_of_handler(kind: str, handlers: str, issuer: LocalIssuer) -> None:
    """Coroutines, generators and plain functions; and each call knows its own caller, or nobody."""
    echo = async_echo if handlers == "async" else sync_echo
    rules: Rules = {SERVICE: authenticated, f"/{SERVICE}/SU": public}
    with (
        serving(kind, trust(issuer), rules, behaviors=echo, workers=1) as server,
        channel_to(server.target) as channel,
    ):
        for name in ("ada", "bob"):
            for shape in SERVED:
                outcome = SHAPES[shape](channel, bearer(issuer.mint(sub=name)))
                assert outcome.status is grpc.StatusCode.OK
                expected = "nobody" if shape in {"stream-unary", "empty client stream"} else name
                assert outcome.messages[0].startswith(expected.encode())


@pytest.mark.parametrize("kind", KINDS)
def test_principal_is_not_inherited_from_the_servers_starter(kind: str, issuer: LocalIssuer) -> None:
    """grpc.aio starts calls in a copy of the starter's context."""
    gate: Any = None
    starter = CALL.set(
        Call(gate, public, Principal({"iss": "https://i", "sub": "starter"}, key_thumbprint="k"), "token")
    )
    try:
        with serving(kind, trust(issuer), {SERVICE: public}) as server, channel_to(server.target) as channel:
            assert SHAPES["unary-unary"](channel, ()).messages == [b"nobody:hello"]
    finally:
        CALL.reset(starter)


def test_outside_a_call_there_is_no_principal() -> None:
    """And what is known of a call shows no token."""
    assert current_principal() is None
    gate: Any = None
    call = Call(gate, public, Principal({"iss": "https://i", "sub": "ada"}, key_thumbprint="k"), "a.secret.token")
    assert "secret" not in repr(call)
    assert "ada" not in repr(call)


def _picky(_: object) -> dict[str, Any]:
    def check() -> None:
        principal = current_principal()
        assert principal is not None
        authorize(principal, scope("more"), 0.0)

    async def unary_unary(request: bytes, _: Any) -> bytes:
        check()
        return request

    async def unary_stream(request: bytes, _: Any) -> Any:
        yield request
        raise AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=("more",))

    async def stream_unary(requests: Any, _: Any) -> bytes:
        check()
        return b""

    async def stream_stream(requests: Any, context: Any) -> None:
        await context.write(b"first")
        check()

    return {"UU": unary_unary, "US": unary_stream, "SU": stream_unary, "SS": stream_stream}


def _picky_sync(_: object) -> dict[str, Any]:
    def refuse() -> None:
        raise AuthError(Refusal.SCOPE_INSUFFICIENT, scopes=("more",))

    def streaming(request: Any, _: Any) -> Any:
        yield b"first"
        refuse()

    return {"UU": lambda *_: refuse(), "US": streaming, "SU": lambda *_: refuse(), "SS": streaming}


@pytest.mark.parametrize(("kind", "handlers"), FORMS)
@pytest.mark.parametrize("expiry", ["terminate", "ignore"])
def test_auth_error_from_a_handler_is_a_refusal(expiry: str, kind: str, handlers: str, issuer: LocalIssuer) -> None:
    """An `AuthError` that leaves a handler has its own status, reason and trailers."""
    behaviors = _picky if handlers == "async" else _picky_sync
    with (
        serving(kind, trust(issuer), {SERVICE: authenticated}, behaviors=behaviors, stream_expiry=expiry) as server,
        channel_to(server.target) as channel,
    ):
        for shape in ("unary-unary", "unary-stream", "empty client stream", "read-first bidi"):
            outcome = SHAPES[shape](channel, bearer(issuer.mint()))
            assert (outcome.status, outcome.code) == (grpc.StatusCode.PERMISSION_DENIED, "scope_insufficient")
            assert 'scope="more"' in outcome.trailers["www-authenticate"]
