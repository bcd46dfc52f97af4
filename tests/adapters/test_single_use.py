"""Tokens that count once: over the core, Sanic, grpc.aio and grpc.server, in one process and in a fleet."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from sanic.response import text

from bearward import AuthError, ConfigurationError, Settings, TrustedIssuer, Verifier
from bearward.dpop import LocalReplays, SharedReplays
from bearward.events import Refused, Verified
from bearward.testing import LocalIssuer, MovableClock
from bearward_sanic import authenticated, install
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.sanic.in_process import Serving, make_app
from tests.core.jwks.cache_servers import Valkey

AUDIENCE = "https://login.example"
SECRET = b"0123456789abcdef"
Ask = Callable[[str], str]
"""`ok`, or the code of the refusal of this token."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Whose tokens count once."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as running:
        yield running


def trust(issuer: LocalIssuer, **more: Any) -> TrustedIssuer:
    """Tokens that count once."""
    given: dict[str, Any] = {"jwks": issuer.keys.jwks(), "single_use": True, "sender": "bearer", **more}
    return TrustedIssuer(issuer.url, audience=AUDIENCE, **given)


@contextmanager
def core(verifier: Verifier) -> Iterator[Ask]:
    """The verifier itself, by both of its methods in turn."""
    loop = asyncio.new_event_loop()
    loop.run_until_complete(verifier.start())

    def ask(token: str) -> str:
        try:
            loop.run_until_complete(verifier.verify(token))
        except AuthError as refused:
            return refused.code
        return "ok"

    try:
        yield ask
    finally:
        loop.run_until_complete(verifier.aclose())
        loop.close()


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
DAY = int(time.time()) + 86_400
Row = tuple[str, dict[str, Any]]
ROWS: dict[str, list[Row]] = {
    "the same again": [("ok", {"jti": "a"}), ("token_replayed", {"jti": "a"}), ("token_replayed", {"jti": "a"})],
    "another jti": [("ok", {"jti": "b"}), ("ok", {"jti": "c"})],
    "the same jti in another token": [("ok", {"jti": "d"}), ("token_replayed", {"jti": "d", "sub": "another"})],
    "no jti": [("claim_missing", {"jti": None})],
    "a jti that names nothing": [("claim_malformed", {"jti": ""})],
    "a jti of 513 characters": [("claim_malformed", {"jti": "x" * 513})],
    "a jti that is no text": [("claim_malformed", {"jti": 7})],
    "refused for another reason first": [("audience_mismatch", {"jti": "e", "aud": "x"}), ("ok", {"jti": "e"})],
    "bound to a key": [("token_sender_constrained", {"jti": "f", "cnf": {"jkt": "A" * 43}})],
    "of a day": [("ok", {"jti": "h", "exp": DAY})],
    "of more than a day": [("claim_mismatch", {"jti": "i", "exp": DAY + 120})],
    "of all times": [("claim_mismatch", {"jti": "j", "exp": 10**300 - 1})],
    "of a year, as a fraction": [("claim_mismatch", {"jti": "k", "exp": DAY * 1e3 + 0.5})],
    "without an end": [("claim_missing", {"jti": "g", "exp": None})],
}


def minted(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
    """A token with these claims; None leaves one out."""
    without = [name for name, value in claims.items() if value is None]
    return issuer.mint(claims={name: value for name, value in claims.items() if value is not None}, without=without)


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


def test_same_jti_of_another_issuer_is_another_token(issuer: LocalIssuer) -> None:
    """Identifiers are unique for their issuer (RFC 7519 section 4.1.7)."""
    with (
        LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as other,
        core(Verifier(trust(issuer), trust(other))) as ask,
    ):
        assert [ask(one.mint(jti="same")) for one in (issuer, other, issuer)] == ["ok", "ok", "token_replayed"]


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


@pytest.mark.parametrize("seconds", [0, 31])
def test_token_that_was_good_before_it_had_to_count_once_counts_once(issuer: LocalIssuer, seconds: float) -> None:
    """New settings hold for what is remembered, too: its next use is its only one."""
    clock = MovableClock(issuer.now())
    before = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    verifier = Verifier(before, clock=clock)
    with core(verifier) as ask:
        token = issuer.mint(expires_in=600)
        assert [ask(token) for _ in range(3)] == ["ok"] * 3
        asyncio.run(verifier.replace_issuers(trust(issuer)))
        clock.advance(seconds)
        assert [ask(token) for _ in range(3)] == ["ok", "token_replayed", "token_replayed"]


def test_memory_that_is_full_lets_nobody_in(issuer: LocalIssuer) -> None:
    """It forgets no use to remember another."""
    with core(Verifier(trust(issuer), replays=LocalReplays(max_proofs=2))) as ask:
        first, second, third = (issuer.mint() for _ in range(3))
        assert [ask(one) for one in (first, second, third, first)] == [
            "ok",
            "ok",
            "replay_unavailable",
            "token_replayed",
        ]


def test_use_is_remembered_until_the_token_has_expired(issuer: LocalIssuer) -> None:
    """The leeway included; then it is refused as expired, and needs no memory."""
    clock = MovableClock(issuer.now())
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, clock=clock) as own:
        verifier = Verifier(trust(own, leeway=30.0), clock=clock)
        with core(verifier) as ask:
            token = own.mint(expires_in=60)
            codes = []
            for seconds in (0, 59, 20, 9, 3):
                clock.advance(seconds)
                codes.append(ask(token))
            assert codes == ["ok", "token_replayed", "token_replayed", "token_replayed", "token_expired"]
            clock.advance(60)
            assert ask(own.mint()) == "ok"
            assert len(verifier.replays) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "settings", [{"sender": "any"}, {"sender": "constrained"}, {"unsafe_allow_no_expiry": True}, {"single_use": "yes"}]
)
def test_single_use_that_could_not_hold_is_refused(settings: dict[str, Any]) -> None:
    """A proof that is asked for anew would use the token up, and what never ends would be remembered for ever."""
    given: dict[str, Any] = {"single_use": True, "sender": "bearer", **settings}
    with pytest.raises(ConfigurationError, match="single_use"):
        TrustedIssuer("https://login.example", audience=AUDIENCE, **given)


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
