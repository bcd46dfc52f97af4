"""Usual middleware recipes, beside what is granted and beside each kind of refusal: all keep working, none is garbled."""

from __future__ import annotations

import contextvars
import gzip
import hashlib
import hmac
import json
import time
import uuid
import zlib
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
from sanic import Blueprint, HTTPResponse, Request
from sanic.response import empty, text

from bearward import AuthError, JWKSOptions, Refusal, TrustedIssuer, Verifier, scope
from bearward.jwks import StartMode
from bearward.testing import LocalIssuer, tamper
from bearward_sanic import authenticated, install, public, requires
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE, Answer

KEY = b"a key of the application's"
DOWN = "http://127.0.0.1:9"
"""An issuer that nobody serves."""
_request_id: contextvars.ContextVar[str] = contextvars.ContextVar("request_id")


def timer(app: Any) -> None:
    """Time from the request half to the response half."""

    @app.on_request
    async def begin(request: Request) -> None:
        request.ctx.began = time.perf_counter()

    @app.on_response
    async def end(request: Request, response: HTTPResponse) -> None:
        response.headers["x-time"] = f"{time.perf_counter() - request.ctx.began:.6f}"


def compress(app: Any) -> None:
    """The recipe of sanic-org/sanic's issues: gzip what the client takes."""

    @app.on_response
    async def gzipped(request: Request, response: HTTPResponse) -> None:
        if "gzip" in request.headers.get("accept-encoding", "") and response.body:
            response.body = gzip.compress(response.body)
            response.headers["content-encoding"] = "gzip"
            response.headers["vary"] = "accept-encoding"
            response.headers["content-length"] = str(len(response.body))


def deflate(app: Any) -> None:
    """The same by zlib."""

    @app.on_response
    async def deflated(request: Request, response: HTTPResponse) -> None:
        if response.body:
            response.body = zlib.compress(response.body)
            response.headers["content-encoding"] = "deflate"


def own_encoding(app: Any) -> None:
    """An encoding that bearward does not know."""

    @app.on_response
    async def reversed_body(request: Request, response: HTTPResponse) -> None:
        if response.body:
            response.body = response.body[::-1]
            response.headers["content-encoding"] = "reversed"


def returning_compress(app: Any) -> None:
    """Its own response in the place of the first."""

    @app.on_response
    async def gzipped(request: Request, response: HTTPResponse) -> HTTPResponse:
        headers = {**response.headers, "content-encoding": "gzip"}
        return HTTPResponse(gzip.compress(response.body or b""), response.status, headers, response.content_type)


def sign(app: Any) -> None:
    """An HMAC over the body that goes out."""

    @app.on_response
    async def signed(request: Request, response: HTTPResponse) -> None:
        response.headers["x-signature"] = hmac.new(KEY, response.body or b"", hashlib.sha256).hexdigest()


def compress_then_sign(app: Any) -> None:
    """Two that depend on each other."""
    # Sanic runs response middleware of one priority in the reverse order of their definition.
    sign(app)
    compress(app)


def envelope(app: Any) -> None:
    """Wraps every JSON body, and says so in the headers."""

    @app.on_response
    async def wrapped(request: Request, response: HTTPResponse) -> None:
        response.body = json.dumps({"data": (response.body or b"").decode()}).encode()
        response.content_type = "application/vnd.envelope+json"
        response.headers["content-type"] = "application/vnd.envelope+json"
        response.headers["x-envelope"] = "1"


def etag(app: Any) -> None:
    """A strong validator of the body."""

    @app.on_response
    async def tagged(request: Request, response: HTTPResponse) -> None:
        response.headers["etag"] = f'"{hashlib.sha256(response.body or b"").hexdigest()}"'


def cors(app: Any) -> None:
    """Headers for pages of another origin."""

    @app.on_response
    async def allow(request: Request, response: HTTPResponse) -> None:
        response.headers["access-control-allow-origin"] = "https://app.example"


def security_headers(app: Any) -> None:
    """The usual set, one of which is a refusal's own."""

    @app.on_response
    def harden(request: Request, response: HTTPResponse) -> None:
        response.headers.update({"x-frame-options": "DENY", "cache-control": "public, max-age=60"})


def request_id(app: Any) -> None:
    """By a context variable."""

    @app.on_request(priority=99)
    async def begin(request: Request) -> None:
        _request_id.set(uuid.uuid4().hex)

    @app.on_response
    async def end(request: Request, response: HTTPResponse) -> None:
        response.headers["x-request-id"] = _request_id.get("none")


def sanic_request_id(app: Any) -> None:
    """By Sanic's own."""

    @app.on_response
    async def end(request: Request, response: HTTPResponse) -> None:
        response.headers["x-request-id"] = str(request.id)


def session(app: Any) -> None:
    """Loads before and saves after."""

    @app.on_request
    async def load(request: Request) -> None:
        request.ctx.session = {"id": request.cookies.get("session")}

    @app.on_response
    async def save(request: Request, response: HTTPResponse) -> None:
        response.add_cookie("session", request.ctx.session["id"] or "new", secure=False)


def cookie(app: Any) -> None:
    """A cookie on every response."""

    @app.on_response
    async def add(request: Request, response: HTTPResponse) -> None:
        response.add_cookie("seen", "yes", secure=False)


def page_cache(app: Any) -> None:
    """Responds itself to whoever comes."""

    @app.on_request(priority=1_000_000_000)
    async def cached(request: Request) -> HTTPResponse | None:
        return text("cached") if request.path == "/granted" else None


def rate_limit(app: Any) -> None:
    """Refuses by itself, here never."""

    @app.on_request
    async def limit(request: Request) -> HTTPResponse | None:
        return empty(429) if "x-flood" in request.headers else None


def user_loader(app: Any) -> None:
    """Counts on a verified caller."""

    @app.on_request
    async def load(request: Request) -> None:
        principal = request.ctx.principal
        request.ctx.user = principal and principal.subject


def broken(app: Any) -> None:
    """Raises in every response."""

    @app.on_response
    async def fail(request: Request, response: HTTPResponse) -> None:
        raise ValueError(response.status)


def access_log(app: Any) -> None:
    """Reads what will be sent."""

    @app.on_response
    async def log(request: Request, response: HTTPResponse) -> None:
        app.ctx.seen.append((response.status, len(response.body or b"")))


def signals(app: Any) -> None:
    """The pair of signals around a request."""

    @app.signal("http.lifecycle.request")  # type: ignore[untyped-decorator,unused-ignore]
    async def begin(request: Request) -> None:
        app.ctx.seen.append("begin")

    @app.signal("http.lifecycle.response")  # type: ignore[untyped-decorator,unused-ignore]
    async def end(request: Request, response: HTTPResponse) -> None:
        app.ctx.seen.append("end")


def amended(app: Any) -> None:
    """A middleware that is added while the server runs."""

    @app.after_server_start
    async def add(app: Any) -> None:
        with app.amend():
            app.register_middleware(_add_header, "response")
        app.ctx.bearward.refresh(app)


def _add_header(request: Request, response: HTTPResponse) -> None:
    response.headers["x-amended"] = "1"


def of_a_blueprint(app: Any) -> None:
    """Middleware of the blueprint of the routes alone."""

    @app.ctx.blueprint.on_response
    async def allow(request: Request, response: HTTPResponse) -> None:
        response.headers["x-blueprint"] = "1"


RECIPES: tuple[Callable[[Any], None], ...] = (
    *(timer, compress, deflate, own_encoding, returning_compress, sign, compress_then_sign, envelope, etag, cors),
    *(security_headers, request_id, sanic_request_id, session, cookie, page_cache, rate_limit, user_loader, broken),
    *(access_log, signals, amended, of_a_blueprint),
)


class Case(NamedTuple):
    """One kind of outcome."""

    path: str
    token: str | None
    status: int
    code: str | None
    method: str = "GET"
    body: bytes | None = None


def _cases(issuer: LocalIssuer) -> list[Case]:
    good = issuer.mint(sub="ada")
    return [
        Case("/granted", good, 200, None),
        Case("/public", None, 200, None),
        Case("/granted", None, 401, "credentials_missing"),
        Case("/granted", issuer.mint(exp=1), 401, "token_expired"),
        Case("/granted", "a b", 400, "credentials_malformed"),
        Case("/granted", "e.e", 401, "token_malformed"),
        Case("/granted", issuer.mint(iss="https://login.invalid"), 401, "issuer_untrusted"),
        Case("/granted", issuer.mint(aud="https://other.example"), 401, "audience_mismatch"),
        Case("/granted", tamper(good, sub="eve"), 401, "signature_invalid"),
        Case("/granted", issuer.mint(iss=DOWN), 503, "keys_unavailable"),
        Case("/scoped", good, 403, "scope_insufficient"),
        Case("/denied", good, 403, "no_rule"),
        Case("/raises", good, 403, "claim_insufficient"),
        Case("/nowhere", None, 401, "credentials_missing"),
        Case("/granted", None, 401, "credentials_missing", "POST", b"x" * 1000),
    ]


class _Slots:
    """A request context with room for what the application keeps there, and for nothing else."""

    __slots__ = ("began", "principal", "session", "user")


class _NoRoom:
    """A request context without even room for the principal."""

    __slots__ = ("began", "session", "user")


class _SlottedRequest(Request):
    @classmethod
    def make_context(cls) -> Any:
        return _Slots()


class _NarrowRequest(Request):
    @classmethod
    def make_context(cls) -> Any:
        return _NoRoom()


CLASSES = (Request, _SlottedRequest, _NarrowRequest)


def _serving(recipe: Callable[[Any], None], issuer: LocalIssuer, request_class: type[Request] = Request) -> Serving:
    app = make_app("recipes", request_class=request_class)
    app.ctx.seen = []
    app.ctx.blueprint = blueprint = Blueprint("bp", version=None)
    _add_routes(blueprint)
    recipe(app)
    app.blueprint(blueprint)
    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    down = TrustedIssuer(
        DOWN, audience=AUDIENCE, jwks_uri=f"{DOWN}/jwks", jwks_options=JWKSOptions(start=StartMode.LAZY)
    )
    install(app, Verifier(policy, down))
    return Serving(app)


def _add_routes(target: Any) -> None:
    @target.route("/granted", methods=["GET", "POST"])
    @authenticated
    async def granted(request: Request) -> HTTPResponse:
        return text("granted")

    @target.get("/public")
    @public
    async def opened(request: Request) -> HTTPResponse:
        return text("public")

    @target.get("/scoped")
    @requires(scope("a"))
    async def scoped(request: Request) -> HTTPResponse:
        return text("SECRET")

    @target.get("/denied")
    async def denied(request: Request) -> HTTPResponse:
        return text("SECRET")

    @target.get("/raises")
    @authenticated
    async def raises(request: Request) -> HTTPResponse:
        raise AuthError(Refusal.CLAIM_INSUFFICIENT, claim="tier")


def _decoded(answer: Answer) -> bytes:
    decode: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
        "reversed": lambda body: body[::-1],
    }
    encoding = answer.headers.get("content-encoding", "")
    return decode[encoding](answer.body) if encoding else answer.body


def _problem(answer: Answer) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_decoded(answer))
    inner: dict[str, Any] = json.loads(document["data"]) if "data" in document else document
    return inner


@pytest.mark.parametrize(
    ("recipe", "request_class"),
    # A context without room for the principal is for code that asks `current_principal`.
    [
        pytest.param(recipe, kind, marks=() if kind is Request else pytest.mark.thorough)
        for recipe in RECIPES
        for kind in CLASSES
        if (recipe, kind) != (user_loader, _NarrowRequest)
    ],
)
def test_recipes_work_beside_every_outcome(
    recipe: Callable[[Any], None],
    request_class: type[Request],
    issuer: LocalIssuer,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Status, code and challenge are the refusal's; body and headers fit each other; nothing fails in the log."""
    with _serving(recipe, issuer, request_class) as server:
        for case in _cases(issuer):
            answer = server.call(
                case.method, case.path, token=case.token, body=case.body, headers={"Accept-Encoding": "gzip"}
            )
            assert answer.status == case.status, case
            assert b"SECRET" not in _decoded(answer)
            if case.code is not None:
                assert _problem(answer)["code"] == case.code, case
                if case.status == 503:
                    assert int(answer.headers["retry-after"]) > 0
                else:
                    assert answer.headers["www-authenticate"].startswith("Bearer "), case
                if case.path != "/raises":  # raised behind the gate, where the response is the application's own
                    assert answer.headers["cache-control"] == "no-store", case
            _check_signature(answer)
    if recipe is not broken:
        assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def _check_signature(answer: Answer) -> None:
    if "x-signature" in answer.headers:
        expected = hmac.new(KEY, answer.body, hashlib.sha256).hexdigest()
        assert answer.headers["x-signature"] == expected
    if "etag" in answer.headers:
        assert answer.headers["etag"] == f'"{hashlib.sha256(answer.body).hexdigest()}"'


@pytest.mark.parametrize(
    ("recipe", "header"),
    [
        *((compress, "content-encoding"), (deflate, "content-encoding"), (cors, "access-control-allow-origin")),
        *((security_headers, "x-frame-options"), (cookie, "set-cookie"), (sanic_request_id, "x-request-id")),
        *((amended, "x-amended"), (of_a_blueprint, "x-blueprint")),
    ],
)
def test_response_middleware_decorates_a_refusal(recipe: Any, header: str, issuer: LocalIssuer) -> None:
    """What needs no request half stands on a refusal like on any response."""
    with _serving(recipe, issuer) as server:
        assert header in server.call("GET", "/granted", headers={"Accept-Encoding": "gzip"}).headers


@pytest.mark.parametrize(("recipe", "header"), [(timer, "x-time"), (session, "set-cookie")])
def test_response_middleware_runs_only_after_its_request_half(recipe: Any, header: str, issuer: LocalIssuer) -> None:
    """A pair is whole on what is granted, on an error of the handler, and left out of a refusal by the gate."""
    with _serving(recipe, issuer) as server:
        token = issuer.mint()
        assert header in server.call("GET", "/granted", token=token).headers
        assert header in server.call("GET", "/raises", token=token).headers
        assert header not in server.call("GET", "/granted").headers


def test_failing_middleware_is_logged_once(issuer: LocalIssuer, caplog: pytest.LogCaptureFixture) -> None:
    """Anonymous callers cause refusals, and cannot fill the log by a middleware that fails on them."""
    with _serving(broken, issuer) as server:
        for _ in range(5):
            assert server.call("GET", "/granted").status == 401
    records = [record for record in caplog.records if record.name == "bearward.sanic" and record.levelname == "ERROR"]
    assert len(records) == 1
    assert "a response middleware failed on a refusal" in records[0].getMessage()


def test_custom_request_context_is_supported(issuer: LocalIssuer) -> None:
    """A request context of any class keeps its principal, or `current_principal` alone has it."""
    from bearward_sanic import current_principal

    for request_class, held in ((Request, "ada"), (_SlottedRequest, "ada"), (_NarrowRequest, None)):
        app = make_app("contexts", request_class=request_class)
        seen = SimpleNamespace()

        @app.get("/who")  # type: ignore[untyped-decorator,unused-ignore]
        @authenticated
        async def who(request: Request, seen: Any = seen) -> HTTPResponse:
            principal = current_principal()
            assert principal is not None
            seen.current = principal.subject
            seen.held = getattr(getattr(request.ctx, "principal", None), "subject", None)
            return empty()

        install(app, Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())))
        with Serving(app) as server:
            assert server.call("GET", "/who", token=issuer.mint(sub="ada")).status == 204
        assert (seen.current, seen.held) == ("ada", held)
