"""What grpc itself can be told to do to calls: bound their number, compress them, wait for a server."""

from __future__ import annotations

import socket
import threading
from typing import Any

import grpc
import pytest

from bearward import ConfigurationError, TrustedIssuer, Verifier, scope
from bearward.credential_place import CredentialPlace
from bearward.testing import LocalIssuer
from bearward_grpc import metadata_size_options
from tests.adapters.grpc.calls import SHAPES, TIMEOUT, Metadata, Outcome, bearer, channel_to, collect, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Running, serving
from tests.adapters.grpc.streaming import StreamControls, revoke, until_unwatched
from tests.adapters.grpc.test_streams import open_call

RULES = {SERVICE: scope("echo")}


@pytest.mark.parametrize("kind", ["aio", "aio-guarded"])
def test_stream_ended_with_its_token_frees_its_concurrency_slot(kind: str, issuer: LocalIssuer) -> None:
    """`maximum_concurrent_rpcs` counts it until then, and refuses others whoever they are."""
    controls, options = StreamControls(), {"maximum_concurrent_rpcs": 1}
    with (
        serving(kind, trust(issuer), RULES, behaviors=controls.async_handlers, options=options) as server,
        channel_to(server.target) as channel,
    ):
        call, _ = open_call(channel, "US_idle", issuer.mint(scope="echo", jti="full"))
        for metadata in ((), bearer(issuer.mint(scope="echo"))):
            assert _tried(channel, metadata).status is grpc.StatusCode.RESOURCE_EXHAUSTED
        revoke(server, issuer, "full")
        assert collect(call).code == "token_revoked"
        until_unwatched(server)
        # grpc itself counts a call as over a moment after its status was sent.
        pause, told = threading.Event(), _tried(channel, ())
        while told.status is grpc.StatusCode.RESOURCE_EXHAUSTED and not pause.wait(0.01):
            told = _tried(channel, ())
        assert told.code == "credentials_missing"


def _tried(channel: Any, metadata: Metadata) -> Outcome:
    return collect(channel.unary_stream(path("US_idle"))(b"go", timeout=TIMEOUT, metadata=metadata))


@pytest.mark.parametrize("kind", KINDS)
def test_compressed_calls_are_refused_and_served_the_same(kind: str, issuer: LocalIssuer) -> None:
    """Authentication reads headers only; both directions of what is served may be compressed."""
    gzip = grpc.Compression.Gzip
    with (
        serving(kind, trust(issuer), RULES, options={"compression": gzip}) as server,
        grpc.insecure_channel(server.target, compression=gzip) as channel,
    ):
        for name, shape in SHAPES.items():
            assert shape(channel, ()).code == "credentials_missing", name
            if name != "unknown method":
                served = shape(channel, bearer(issuer.mint(sub="ada", scope="echo")))
                assert served.messages[0].startswith(b"ada"), name


@pytest.fixture(params=KINDS)
def late(request: pytest.FixtureRequest, issuer: LocalIssuer) -> tuple[Any, Any]:
    """A port where nobody listens yet, and how to start the guarded server there."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]

    def add(server: Any) -> None:
        assert server.add_insecure_port(f"127.0.0.1:{port}") == port

    return f"127.0.0.1:{port}", lambda: serving(request.param, trust(issuer), RULES, add=add)


def test_caller_that_waits_for_the_server_is_authenticated_once_it_is_up(late: Any, issuer: LocalIssuer) -> None:
    """`wait_for_ready`: no call is lost, and none slips in."""
    target, start = late
    with channel_to(target) as channel:
        failed = threading.Event()

        def look(state: grpc.ChannelConnectivity) -> None:
            if state is grpc.ChannelConnectivity.TRANSIENT_FAILURE:
                failed.set()

        channel.subscribe(look, try_to_connect=True)
        stub: Any = channel.unary_unary(path("UU"))
        token = bearer(issuer.mint(sub="ada", scope="echo"))
        waiting = [stub.future(b"hi", timeout=TIMEOUT, wait_for_ready=True, metadata=m) for m in (token, ())]
        assert failed.wait(TIMEOUT)
        channel.unsubscribe(look)  # or grpc's thread may ask for the state of a channel that was closed
        server: Running
        with start() as server:
            assert waiting[0].result(TIMEOUT) == b"ada:hi"
            assert waiting[1].exception(TIMEOUT).code() is grpc.StatusCode.UNAUTHENTICATED
            assert server.seen.callers == ["ada"]


@pytest.mark.parametrize("kind", KINDS)
def test_long_tokens_pass_where_the_options_say_so(kind: str, issuer: LocalIssuer) -> None:
    """GRPC by itself refuses calls with more than 8 KiB of metadata at random; with the options, none of these."""
    length = 15 * 1024
    token = issuer.mint(sub="ada", scope="echo", filler="x" * (length * 3 // 4 - 500))
    assert length - 1024 < len(token) <= length
    with (
        serving(kind, trust(issuer), RULES, options={"options": metadata_size_options(length)}) as server,
        channel_to(server.target) as channel,
    ):
        for _ in range(20):
            assert SHAPES["unary-unary"](channel, bearer(token)).messages == [b"ada:hello"]


@pytest.mark.parametrize(("kind", "place"), [*((kind, None) for kind in KINDS), ("aio", "x-assertion")])
def test_longer_tokens_than_the_setting_are_refused_unread(kind: str, place: str | None, issuer: LocalIssuer) -> None:
    """`max_token_length` of the interceptor, wherever the token is; a token of just that length passes."""
    token = issuer.mint(sub="ada", scope="echo")
    longer = issuer.mint(sub="ada", scope="echo", filler="x")
    assert len(longer) > len(token)
    own = None if place is None else CredentialPlace(header=place)
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks_uri=issuer.jwks_uri, place=own)

    def bringing(text: str) -> Metadata:
        return bearer(text) if place is None else ((place, text),)

    with (
        serving(kind, Verifier(trusted), RULES, max_token_length=len(token)) as server,
        channel_to(server.target) as channel,
    ):
        assert SHAPES["unary-unary"](channel, bringing(token)).messages == [b"ada:hello"]
        assert SHAPES["unary-unary"](channel, bringing(longer)).code == "token_too_large"


@pytest.mark.parametrize("length", [0, -1, True, "16384", 1.5, 16 * 1024 + 1])
def test_invalid_max_metadata_length_is_refused(length: Any) -> None:
    """The options are for servers that must take long tokens."""
    with pytest.raises(ConfigurationError, match="max_token_length"):
        metadata_size_options(length)
