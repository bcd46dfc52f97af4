"""Handlers of public and optional methods: an `AuthError` that leaves them is a refusal, as in any other method."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import grpc
import pytest

from bearward import AuthError, Refusal
from bearward.testing import LocalIssuer
from bearward_grpc import optional, public
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Seen, serving

SERVED = [shape for shape in SHAPES if shape != "unknown method"]
FORMS = [(kind, form) for kind in KINDS for form in ("async", "plain") if (kind, form) != ("sync", "async")]


def _async(_: Seen) -> dict[str, Any]:
    async def unary(_: Any, __: Any) -> bytes:
        raise AuthError(Refusal.CREDENTIALS_MISSING)

    async def stream(_: Any, __: Any) -> AsyncIterator[bytes]:
        yield b"first"
        raise AuthError(Refusal.CREDENTIALS_MISSING)

    async def writer(_: Any, context: Any) -> None:
        await context.write(b"first")
        raise AuthError(Refusal.CREDENTIALS_MISSING)

    return {"UU": unary, "US": stream, "SU": unary, "SS": writer}


def _plain(_: Seen) -> dict[str, Any]:
    def unary(_: Any, __: Any) -> bytes:
        raise AuthError(Refusal.CREDENTIALS_MISSING)

    def stream(_: Any, __: Any) -> Iterator[bytes]:
        yield b"first"
        raise AuthError(Refusal.CREDENTIALS_MISSING)

    return {"UU": unary, "US": stream, "SU": unary, "SS": stream}


@pytest.mark.parametrize(("kind", "form"), FORMS)
@pytest.mark.parametrize("rule", [public, optional])
def test_auth_error_from_a_public_method_is_a_refusal(rule: Any, kind: str, form: str, issuer: LocalIssuer) -> None:
    """Where a handler has most reason to raise one: this part needs a login."""
    behaviors = _async if form == "async" else _plain
    with (
        serving(kind, trust(issuer), {SERVICE: rule}, behaviors=behaviors) as server,
        channel_to(server.target) as channel,
    ):
        for metadata in ((), bearer(issuer.mint())):
            for shape in SERVED:
                outcome = SHAPES[shape](channel, metadata)
                assert (outcome.status, outcome.code) == (grpc.StatusCode.UNAUTHENTICATED, "credentials_missing")
                assert outcome.trailers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("kind", KINDS)
def test_optional_method_refuses_an_invalid_token(kind: str, issuer: LocalIssuer) -> None:
    """Without a token anybody is served; one who sends a token must send a good one."""
    with serving(kind, trust(issuer), {SERVICE: optional}) as server, channel_to(server.target) as channel:
        for shape in SERVED:
            assert SHAPES[shape](channel, ()).messages[0].startswith(b"nobody")
            assert SHAPES[shape](channel, bearer(issuer.mint(sub="ada"))).messages[0].startswith(b"ada")
            assert SHAPES[shape](channel, bearer(issuer.mint(expires_in=-60))).code == "token_expired"
