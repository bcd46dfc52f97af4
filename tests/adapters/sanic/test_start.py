"""Invalid rules and settings stop the start with one clear line."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from sanic import Blueprint, Request, Sanic
from sanic.response import text

from bearward import ConfigurationError, TrustedIssuer, Verifier, scope
from bearward_sanic import (
    Bearward,
    CookieCredentials,
    authenticated,
    check,
    deny,
    install,
    optional,
    public,
    requires,
    rules,
)

App = Sanic[Any, Any]


@pytest.fixture
def app() -> App:
    """Its own application, without sanic-ext."""
    made: App = Sanic("start")
    Sanic._app_registry.pop("start")
    made.config.update(AUTO_EXTEND=False, TOUCHUP=False)
    return made


@pytest.fixture
def verifier() -> Verifier:
    """A verifier that is never asked."""
    return Verifier(TrustedIssuer("https://login.example", audience="api", jwks_uri="https://login.example/jwks"))


async def handler(request: Request) -> Any:
    """Nothing in particular."""
    return text("x")


def _copy() -> Any:
    async def again(request: Request) -> Any:
        return text("x")

    return again


def _swallowing(function: Any) -> Any:
    async def around(request: Request) -> Any:
        return await function(request)

    return around


class _Guard:
    def __init__(self, function: Any) -> None:
        self.function = function
        self.__name__ = "guard"

    def __call__(self, request: Request) -> Any:
        return self.function(request)


def _unknown_word(app: App) -> None:
    app.add_route(_copy(), "/x", name="x", ctx_auth="admin")


def _unknown_kind(app: App) -> None:
    app.add_route(_copy(), "/x", name="x", ctx_auth=("a", "b"))


def _false(app: App) -> None:
    app.add_route(_copy(), "/x", name="x", ctx_auth=False)


def _two_marks(app: App) -> None:
    app.add_route(public(_copy()), "/x", name="x", ctx_auth=scope("a"))


def _swallowed(app: App) -> None:
    app.add_route(_swallowing(requires(scope("a"))(_copy())), "/x", name="x")


def _swallowed_by_an_object(app: App) -> None:
    app.add_route(_Guard(requires(scope("a"))(_copy())), "/x", name="x")


def _swallowed_by_a_partial(app: App) -> None:
    made = partial(_swallowing(requires(scope("a"))(_copy())))
    app.add_route(made, "/x", name="x")


def _blueprint(app: App) -> None:
    blueprint = Blueprint("bp")
    blueprint.ctx.auth = "nobody"
    blueprint.add_route(_copy(), "/x", name="x")
    app.blueprint(blueprint)


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (_unknown_word, "ctx_auth of route start.x: must be public, optional, authenticated"),
        (_unknown_kind, "ctx_auth of route start.x: must be"),
        (_false, "ctx_auth of route start.x: must be"),
        (_two_marks, "route start.x: must have one rule, not public by the handler, requires(scope('a')) by ctx_auth"),
        (_swallowed, "decorator of route start.x: must carry the mark of what it wraps"),
        (_swallowed_by_an_object, "decorator of route start.x: must carry the mark"),
        (_swallowed_by_a_partial, "decorator of route start.x: must carry the mark"),
        (_blueprint, "ctx.auth of blueprint bp: must be public"),
    ],
)
def test_invalid_rules_stop_the_start(app: App, verifier: Verifier, build: Callable[[App], None], says: str) -> None:
    """An invalid rule raises `ConfigurationError` in one line, which names the route."""
    build(app)
    install(app, verifier)
    with pytest.raises(ConfigurationError) as wrong:
        _start(app)
    assert str(wrong.value).startswith(says)
    assert "\n" not in str(wrong.value)


def test_every_invalid_rule_is_named(app: App, verifier: Verifier, caplog: pytest.LogCaptureFixture) -> None:
    """All at once, with the nearest name of a route and of a rule; a line in the log for each."""
    app.add_route(_copy(), "/notes", name="notes")
    app.add_route(_copy(), "/orders", name="orders", ctx_auth="publik")
    _two_marks(app)
    install(app, verifier, rules={"ntoes": "public", "nope": "public"})
    with pytest.raises(ConfigurationError) as wrong:
        _start(app)
    for line in (
        "rules['ntoes']: must name a route or, as 'blueprint.*', a blueprint of the application; did you mean 'notes'?",
        "rules['nope']: must name a route or, as 'blueprint.*', a blueprint of the application",
        "ctx_auth of route start.orders: must be public, optional, authenticated, deny or requires(...); did you mean 'public'?",
        "route start.x: must have one rule, not public by the handler",
    ):
        assert [each for each in wrong.value.mistakes if str(each).startswith(line)], (line, str(wrong.value))
        assert [each for each in caplog.messages if each.startswith(f"bearward: {line}")]
    assert len(wrong.value.mistakes) == 4


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"rules": {"nope": "public"}}, "rules\\['nope'\\]: must name a route"),
        (
            {"rules": {"nope.*": "public"}},
            "rules\\['nope.\\*'\\]: must name a route or, as 'blueprint.\\*', a blueprint",
        ),
    ],
)
def test_public_name_that_matches_nothing_stops_the_start(
    app: App, verifier: Verifier, settings: dict[str, Any], says: str
) -> None:
    """A public name is one that exists."""
    app.add_route(_copy(), "/x", name="x")
    install(app, verifier, **settings)
    with pytest.raises(ConfigurationError, match=says):
        _start(app)


@pytest.mark.parametrize(
    ("settings", "setting"),
    [
        ({"hide_unknwon_routes": True}, "hide_unknwon_routes"),
        ({"hide_unknown_routes": "no"}, "hide_unknown_routes"),
        ({"default": "public"}, "default"),
        ({"rules": ["x"]}, "rules"),
        ({"rules": {"x": "anybody"}}, "rules['x']"),
        ({"stream_expiry": "never"}, "stream_expiry"),
        ({"stream_leeway": -1}, "stream_leeway"),
        ({"resource_metadata": "api"}, "resource_metadata"),
        ({"default": "everybody"}, "default"),
        ({"resource": "http://api.example"}, "resource"),
        ({"resource": "https://api.example/#x"}, "resource"),
        ({"websocket_refusal": "silence"}, "websocket_refusal"),
        ({"max_token_length": 0}, "max_token_length"),
        ({"max_token_length": 65536}, "max_token_length"),
        ({"cookie": "token"}, "cookie"),
        ({"render_refusal": 1}, "render_refusal"),
    ],
)
def test_invalid_setting_is_refused_at_install(
    app: App, verifier: Verifier, settings: dict[str, Any], setting: str
) -> None:
    """A setting is checked where it is given, and named."""
    with pytest.raises(ConfigurationError) as wrong:
        install(app, verifier, **settings)
    assert wrong.value.setting == setting


@pytest.mark.parametrize("settings", [{"csrf": "none"}, {"origins": ()}, {"origins": "https://a"}, {"name": "a b"}])
def test_cookie_without_csrf_protection_is_refused(settings: dict[str, Any]) -> None:
    """A cookie comes with a proof against forgery, or not at all."""
    with pytest.raises(ConfigurationError):
        CookieCredentials(**{"origins": ("https://app.example",), **settings})


def test_unknown_configuration_setting_is_refused(app: App, verifier: Verifier) -> None:
    """A misspelt `BEARWARD_` is no default."""
    app.config.BEARWARD_REALMS = "x"
    with pytest.raises(ConfigurationError, match="BEARWARD_REALMS"):
        install(app, verifier)


def test_install_without_an_issuer_is_refused(app: App) -> None:
    """Without a verifier and without an issuer in the configuration there is nothing to guard with."""
    with pytest.raises(ConfigurationError, match="BEARWARD_ISSUER"):
        Bearward(app)


def test_verifier_is_built_from_the_configuration(app: App) -> None:
    """`BEARWARD_ISSUER` and its companions make the verifier where none is given."""
    app.config.update(BEARWARD_ISSUER="https://login.example", BEARWARD_AUDIENCE="api", BEARWARD_LEEWAY=5)
    assert Bearward(app).verifier.health().issuers[0].issuer == "https://login.example"


def test_second_install_is_refused(app: App, verifier: Verifier) -> None:
    """Two guards would each think the other's refusals theirs."""
    install(app, verifier)
    with pytest.raises(ConfigurationError, match="guarded only once"):
        install(app, verifier)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("issuer",), "verifier: must be a Verifier: install(app, Verifier(TrustedIssuer(...)))"),
        (("text",), "verifier: must be a Verifier, or omitted"),
    ],
)
def test_install_takes_a_verifier(app: App, verifier: Verifier, arguments: tuple[str, ...], says: str) -> None:
    """What is no verifier is refused with the nearest valid form."""
    issuer = TrustedIssuer("https://login.example", audience="api", jwks_uri="https://login.example/jwks")
    given: Any = {"issuer": issuer, "text": "https://login.example"}[arguments[0]]
    with pytest.raises(ConfigurationError) as wrong:
        install(app, given)
    assert str(wrong.value).startswith(says)
    other: Any = verifier
    with pytest.raises(ConfigurationError, match="app: must be a Sanic application"):
        install(other, given)


@pytest.mark.parametrize(
    ("setting", "function"),
    [
        ("render_refusal", lambda request, error: None),
        ("render_refusal", lambda: None),
        ("client_certificate", lambda: None),
        ("client_certificate", lambda request, error: None),
    ],
    ids=range(4),
)
def test_callback_of_wrong_arity_is_refused_at_install(
    app: App, verifier: Verifier, setting: str, function: Any
) -> None:
    """A function that could not be called later is refused where it is given, with the arguments that it gets."""
    with pytest.raises(ConfigurationError) as wrong:
        install(app, verifier, **{setting: function})
    assert wrong.value.setting == setting
    assert "must be a function of (request" in str(wrong.value)


@pytest.mark.parametrize(("chosen", "warns"), [({"max_token_length": 12_000}, True), ({}, False)])
def test_max_token_length_beyond_the_servers_limit_is_reported(
    app: App, verifier: Verifier, chosen: dict[str, Any], warns: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """Sanic refuses a head of more than REQUEST_MAX_HEADER_SIZE itself; a longer `max_token_length` would do nothing."""
    app.add_route(public(_copy()), "/x", name="x")
    install(app, verifier, **chosen)
    _start(app)
    assert ("REQUEST_MAX_HEADER_SIZE" in caplog.text) == warns


def test_second_mark_on_a_function_is_refused() -> None:
    """Stacked marks are refused where they are written."""
    with pytest.raises(ConfigurationError, match="one mark"):
        public(requires(scope("a"))(_copy()))
    with pytest.raises(ConfigurationError):
        requires("a")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError):
        optional(3)


def test_rules_show_what_was_decided(app: App, verifier: Verifier) -> None:
    """`rules` and `route_rules` return the same table before the start and after it, by route and method."""
    app.add_route(_copy(), "/x", name="x", ctx_auth=scope("a"))
    app.add_route(public(_copy()), "/y", name="y")
    app.add_route(_copy(), "/z", name="z")
    bearward = install(app, verifier)
    table = {("start.x", "GET"): requires(scope("a")), ("start.y", "GET"): public, ("start.z", "GET"): deny}
    assert rules(app) == table
    assert _start(app, bearward.route_rules) == table


def test_check_raises_for_a_route_without_a_rule(app: App, verifier: Verifier) -> None:
    """`check` names the routes and methods that nobody ruled on; a default counts as a rule, `deny` as itself does."""
    app.add_route(deny(_copy()), "/x", name="x")
    app.add_route(_copy(), "/z", name="z", methods=["GET", "POST"])
    install(app, verifier)
    with pytest.raises(ConfigurationError, match=r"GET /z \(start\.z\), POST /z \(start\.z\)$"):
        check(app)
    other: App = Sanic("other")
    Sanic._app_registry.pop("other")
    other.add_route(_copy(), "/z", name="z")
    install(other, verifier, default=authenticated)
    check(other)


def test_check_raises_for_a_rule_that_matches_nothing(app: App, verifier: Verifier) -> None:
    """A name in `rules` that no route has is found without a server, and so is an application that nobody guards."""
    app.add_route(public(_copy()), "/x", name="x")
    with pytest.raises(ConfigurationError, match="app: must be guarded"):
        check(app)
    install(app, verifier, rules={"y": "public"})
    with pytest.raises(ConfigurationError, match=r"rules\['y'\]"):
        check(app)


def test_startup_names_routes_without_a_rule(app: App, verifier: Verifier, caplog: pytest.LogCaptureFixture) -> None:
    """One WARNING names the routes that are denied since nothing was said, and the one-line way out."""
    app.add_route(_copy(), "/z", name="z")
    app.add_route(public(_copy()), "/y", name="y")
    install(app, verifier)
    _start(app)
    (record,) = [record for record in caplog.records if record.name == "bearward.sanic"]
    assert record.levelname == "WARNING"
    assert "GET /z (start.z)" in record.getMessage()
    assert "start.y" not in record.getMessage()
    assert "default=authenticated" in record.getMessage()


def test_rules_are_given_by_name(app: App, verifier: Verifier) -> None:
    """`rules` speak of routes and blueprints by name: as objects, or as a parsed TOML table has them."""
    blueprint = Blueprint("bp", url_prefix="/bp")
    blueprint.add_route(_copy(), "/x", name="x")
    blueprint.add_route(public(_copy()), "/open", name="open")
    app.blueprint(blueprint)
    app.add_route(_copy(), "/y", name="y")
    app.add_route(_copy(), "/z", name="z")
    written = tomllib.loads('"bp.*" = {scopes = ["a"]}\ny = "public"')
    install(app, verifier, rules={**written, "start.z": scope("b")})
    assert rules(app) == {
        ("start.bp.open", "GET"): public,
        ("start.bp.x", "GET"): requires(scope("a")),
        ("start.y", "GET"): public,
        ("start.z", "GET"): requires(scope("b")),
    }


def test_opening_what_says_nothing_is_called_unsafe(app: App, verifier: Verifier) -> None:
    """A default that lets anonymous callers in is refused, and `unsafe_default` takes nothing else."""
    app.add_route(_copy(), "/x", name="x")
    for word in ("public", "optional"):
        with pytest.raises(ConfigurationError, match=f"say unsafe_default={word}"):
            install(app, verifier, default=word)
    with pytest.raises(ConfigurationError, match="unsafe_default: must be public or optional"):
        install(app, verifier, unsafe_default=authenticated)
    with pytest.raises(ConfigurationError, match="unsafe_default: must not be given together with default"):
        install(app, verifier, unsafe_default=public, default=authenticated)
    install(app, verifier, unsafe_default=optional)
    assert rules(app) == {("start.x", "GET"): optional}


def _start(app: App, look: Callable[[], Any] = lambda: None) -> Any:
    """Start and stop as a server would, without one."""

    async def start() -> Any:
        await app._startup()
        await app._server_event("init", "before", loop=asyncio.get_running_loop())
        try:
            return look()
        finally:
            await app._server_event("shutdown", "after", loop=asyncio.get_running_loop())

    return asyncio.run(start())
