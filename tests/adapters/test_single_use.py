"""Tokens that count once: over the core, Sanic, grpc.aio and grpc.server, in one process and in a fleet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from sanic.response import text

from bearward import Settings, Verifier
from bearward.dpop import SharedReplays
from bearward.events import Refused, Verified
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.sanic.in_process import Serving, make_app
from tests.core.jwks.cache_servers import Valkey
from tests.single_use_cases import AUDIENCE, ROWS, Ask, core, minted, trust

SECRET = b"0123456789abcdef"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Whose tokens count once."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as running:
        yield running


@contextmanager
def http(verifier: Verifier) -> Iterator[Ask]:
    """A route that any verified token opens."""
    app = make_app("single-use")
    app.add_route(lambda request: text("ok"), "/", name="r", ctx_auth=authenticated)
    install(app, verifier)
    with Serving(app) as server:

        def ask(token: str) -> str:
            answer = server.call("GET", "/", token=token)
            return "ok" if answer.status == 200 else str(json.loads(answer.body)["code"])

        yield ask


@contextmanager
def _grpc(kind: str, verifier: Verifier) -> Iterator[Ask]:
    with serving(kind, verifier, {SERVICE: authenticated}) as running, grpc.insecure_channel(running.target) as channel:
        method: Any = channel.unary_unary(f"/{SERVICE}/UU")

        def ask(token: str) -> str:
            try:
                method(b"", timeout=30, metadata=(("authorization", f"Bearer {token}"),))
            except grpc.RpcError as error:
                failed: Any = error
                return str(dict(failed.trailing_metadata())["bearward-code"])
            return "ok"

        yield ask


def aio(verifier: Verifier) -> Any:
    """A method on an event loop."""
    return _grpc("aio", verifier)


def sync(verifier: Verifier) -> Any:
    """A method in threads."""
    return _grpc("sync", verifier)


TRANSPORTS = [core, http, aio, sync]
every_transport = pytest.mark.parametrize("transport", TRANSPORTS, ids=lambda one: one.__name__)


@every_transport
@pytest.mark.parametrize("shared", [False, True], ids=["in one process", "in a store"])
def test_token_counts_once(issuer: LocalIssuer, transport: Any, shared: bool, valkey: Valkey) -> None:
    """By its `jti`, whatever else it says; a use that was refused for another reason is none. Each is one event."""
    events: list[Any] = []
    memory = SharedReplays(cache=valkey.url, on_failure="refuse", cache_secret=SECRET) if shared else None
    with transport(Verifier(trust(issuer), replays=memory, observers=[events.append])) as ask:
        for name, rows in ROWS.items():
            sent: dict[str, str] = {}
            for expected, claims in rows:
                token = sent.setdefault(repr(claims), minted(issuer, claims))
                assert ask(token) == expected, name
    decided = [event for event in events if isinstance(event, Verified | Refused)]
    assert [getattr(event, "code", "ok") for event in decided] == [code for rows in ROWS.values() for code, _ in rows]


@every_transport
def test_one_of_a_fleet_s_servers_accepts_it(issuer: LocalIssuer, transport: Any, valkey: Valkey) -> None:
    """Sent to all at once, one lets it in."""
    with ExitStack() as stack, ThreadPoolExecutor(4) as pool:
        memories = [SharedReplays(cache=valkey.url, on_failure="refuse", cache_secret=SECRET) for _ in range(2)]
        asks = [stack.enter_context(transport(Verifier(trust(issuer), replays=one))) for one in memories]
        for _ in range(10):
            token = issuer.mint()
            assert sorted(pool.map(lambda ask, sent=token: ask(sent), asks)) == ["ok", "token_replayed"]


@every_transport
@pytest.mark.parametrize(("on_failure", "expected"), [("refuse", "replay_unavailable"), ("accept", "ok")])
def test_store_that_is_down_refuses_or_accepts_as_it_was_told(
    issuer: LocalIssuer, transport: Any, on_failure: Any, expected: str, valkey: Valkey
) -> None:
    """As for DPoP proofs; what this process has seen it does not accept again."""
    memory = SharedReplays(cache=valkey.url, on_failure=on_failure, cache_secret=SECRET)
    with transport(Verifier(trust(issuer), replays=memory)) as ask:
        seen, token = issuer.mint(), issuer.mint()
        assert ask(seen) == "ok"
        valkey.stop()
        assert ask(token) == expected
        assert ask(seen) == "token_replayed"
        assert ask(token) == ("token_replayed" if expected == "ok" else expected)


def test_settings_of_a_fleet_share_the_memory(issuer: LocalIssuer, valkey: Valkey, tmp_path: Path) -> None:
    """A file that names a shared cache and such an issuer says enough, with DPoP or without."""
    path = tmp_path / "settings.toml"
    path.write_text(
        f'cache = "{valkey.url}"\ncache_secret = "{SECRET.decode()}"\n[[issuers]]\nissuer = "{issuer.url}"\n'
        f'audience = "{AUDIENCE}"\nsingle_use = true\nsender = "bearer"\n'
    )
    token = issuer.mint()
    with core(Settings.from_toml(path).verifier()) as here, core(Settings.from_toml(path).verifier()) as there:
        assert [here(token), there(token)] == ["ok", "token_replayed"]
