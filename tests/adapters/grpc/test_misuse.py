"""Put together wrongly, an adapter says so at once; it neither hangs nor lets anybody in."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from bearward import ConfigurationError
from bearward.testing import LocalIssuer
from bearward_grpc import AuthInterceptor, Policy, SyncAuthInterceptor, VerifierThread, authenticated, optional, public
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import SERVICE, Seen, methods, register, serving, sync_echo

RULES = {SERVICE: authenticated}


def test_aio_interceptor_in_a_sync_server_refuses_every_call(
    issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """grpc.server takes any object as an interceptor; the log says which class is right, and the server stays alive."""
    seen = Seen()
    misplaced: Any = AuthInterceptor(trust(issuer), RULES)
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, interceptors=[misplaced])
        register(server, methods(sync_echo(seen), seen.decode))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            with channel_to(f"127.0.0.1:{port}") as channel:
                for shape in SHAPES.values():
                    assert shape(channel, bearer(issuer.mint())).status is grpc.StatusCode.INTERNAL
        finally:
            server.stop(0).wait(30)
    assert not seen.callers
    assert not seen.bodies
    assert "SyncAuthInterceptor" in caplog.text
    assert caplog.records[0].levelname == "CRITICAL"


def test_sync_interceptor_in_an_aio_server_is_rejected(run: Any, issuer: LocalIssuer) -> None:
    """grpc.aio looks at the class when the server is made."""
    with VerifierThread(trust(issuer)) as background:
        misplaced: Any = SyncAuthInterceptor(background, RULES)

        async def build() -> None:
            with pytest.raises(ValueError, match="nterceptor"):
                grpc.aio.server(interceptors=[misplaced])

        run(build())


@pytest.mark.parametrize(
    "wrong",
    [
        {"stream_expiry": "never"},
        {"stream_leeway": -1},
        {"stream_leeway": float("inf")},
        {"stream_leeway": True},
        {"health": "public"},
        {"reflection": "yes"},
        {"default": public},
        {"default": optional},
        {"default": "authenticated"},
        {"resource": "http://api.example"},
        {"resource": "https://api.example", "resource_metadata": "https://api.example/x"},
        {"resource_metadata": 'https://api.example/"'},
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [AuthInterceptor, SyncAuthInterceptor])
def test_invalid_setting_is_named(make: Any, wrong: dict[str, Any], issuer: LocalIssuer) -> None:
    """Named, when the interceptor is made."""
    with pytest.raises(ConfigurationError):
        make(trust(issuer), RULES, **wrong)


@pytest.mark.parametrize("contradicting", [{"default": authenticated}, {"health": None}, {"reflection": True}], ids=str)
@pytest.mark.parametrize("make", [AuthInterceptor, SyncAuthInterceptor])
def test_arguments_beside_a_finished_policy_are_refused(
    make: Any, contradicting: dict[str, Any], issuer: LocalIssuer
) -> None:
    """What is said beside a finished `Policy` would have no effect."""
    with pytest.raises(ConfigurationError, match="Policy"):
        make(trust(issuer), Policy(RULES), **contradicting)


class _BreaksAio(grpc.aio.ServerInterceptor):
    async def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        raise ValueError("kid-of-a-private-matter")


class _BreaksSync(grpc.ServerInterceptor):
    def intercept_service(self, continuation: Any, handler_call_details: Any) -> Any:
        raise ValueError("kid-of-a-private-matter")


@pytest.mark.parametrize("kind", ["aio", "sync"])
def test_errors_of_inner_interceptors_are_not_sent_to_callers(
    kind: str, issuer: LocalIssuer, caplog: pytest.LogCaptureFixture
) -> None:
    """grpc.aio would send the exception's text to the caller."""
    broken = _BreaksSync() if kind == "sync" else _BreaksAio()
    with (
        serving(kind, trust(issuer), RULES, inside=[broken]) as server,
        channel_to(server.target) as channel,
    ):
        outcome = SHAPES["unary-unary"](channel, bearer(issuer.mint()))
    assert (outcome.status, outcome.details) == (grpc.StatusCode.INTERNAL, "internal error")
    assert "private-matter" not in caplog.text
    assert "ValueError" in caplog.text


@pytest.mark.parametrize("missing", ["grpc", "google"])
def test_missing_packages_are_named_or_not_needed(missing: str) -> None:
    """Without grpcio the import says what to install; without protobuf and its friends refusals still work."""
    root = Path(__file__).parents[3]
    code = f"""
import sys
sys.path[:0] = [{str(root / "core")!r}, {str(root / "grpc_adapter")!r}]
sys.modules[{missing!r}] = None
try:
    import bearward_grpc
except ImportError as error:
    print(error)
else:
    from bearward import AuthError, Refusal
    from bearward_grpc.status import StatusMapper
    answer = StatusMapper(realm="api", error_domain="d", resource_metadata=None).status_for(AuthError(Refusal.KEYS_UNAVAILABLE))
    print(answer.code, dict(answer.trailers))
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert (
        told.strip()
        == {
            "grpc": "bearward_grpc needs grpcio: pip install 'bearward[grpc]'",
            "google": "StatusCode.UNAVAILABLE {'bearward-code': 'keys_unavailable', 'grpc-retry-pushback-ms': '1000'}",
        }[missing]
    )
