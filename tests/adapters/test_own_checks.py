"""Checks of one's own in a rule: the same answers through the core, Sanic, grpc.aio and grpc.server."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import grpc
import pytest
from grpc_interceptor import ServerInterceptor
from sanic import HTTPResponse, Request, text

from bearward import (
    Access,
    AuthError,
    CheckNeededError,
    ConfigurationError,
    Principal,
    Refusal,
    Requirement,
    TrustedIssuer,
    Verifier,
    authorize,
    own_check,
    requires,
    scope,
)
from bearward.dpop import DPoP
from bearward.events import Refused, Verified
from bearward.explanation import Verdict
from bearward.testing import DPoPClient, LocalIssuer, MovableClock, acting_as, principal_with
from bearward_sanic import install
from tests.adapters.grpc.servers import SERVICE, serving
from tests.adapters.sanic.in_process import Serving, make_app

AUDIENCE = "https://api.example"
TIMEOUT = 30
asked: list[str] = []
"""The subjects whom an asynchronous check was asked about."""


def is_ada(principal: Principal) -> bool:
    """A check that looks at the principal only."""
    return principal.subject == "ada"


async def is_ada_in_store(principal: Principal) -> bool:
    """One that asks elsewhere first."""
    asked.append(str(principal.subject))
    await asyncio.sleep(0)
    return principal.subject == "ada"


class Store:
    """An object whose call is asynchronous."""

    async def __call__(self, principal: Principal) -> bool:
        return await is_ada_in_store(principal)


async def never(principal: Principal) -> bool:
    """A store that does not answer."""
    await asyncio.Event().wait()
    return True


async def too_late(principal: Principal) -> bool:
    """A store whose client turns a cancellation into an answer."""
    with suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    return True


def truthy(principal: Principal) -> Any:
    """Somebody's mistake: what it gives back is not True."""
    return principal.subject


def unawaited(principal: Principal) -> Any:
    """Another: a plain function that gives back what must be awaited."""
    return is_ada_in_store(principal)


def broken(principal: Principal) -> bool:
    """A bug."""
    raise KeyError(principal.subject)


async def broken_later(principal: Principal) -> bool:
    """A bug, after a while."""
    await asyncio.sleep(0)
    raise KeyError(principal.subject)


def unreachable(principal: Principal) -> bool:
    """A store that is down."""
    raise ConnectionRefusedError


async def unreachable_later(principal: Principal) -> bool:
    """The same, asynchronously."""
    raise ConnectionRefusedError


def says_which(principal: Principal) -> bool:
    """A check that names its refusal itself."""
    raise AuthError(Refusal.TOKEN_REVOKED)


def owns_note(principal: Principal, note: str) -> bool:
    """Whether the note in the path is the caller's own."""
    return principal.subject == note


async def owns_note_in_store(principal: Principal, note: str) -> bool:
    """The same, asked elsewhere."""
    await asyncio.sleep(0)
    return principal.subject == note


def named(function: Callable[..., Any], **more: Any) -> Requirement:
    """The check under its code."""
    return own_check(function, code="not_ada", message="only ada may do this", **more)


@dataclass(frozen=True)
class Case:
    """A rule, and with which code it refuses ada and bob; None: it lets them in."""

    requirement: Requirement
    ada: str | None
    bob: str | None


BOTH = "not_ada"
OWNER = named(owns_note, parameters=["note"]) & named(owns_note_in_store, parameters=["note"])
CASES = {
    "plain": Case(named(is_ada), None, BOTH),
    "asynchronous": Case(named(is_ada_in_store), None, BOTH),
    "asynchronous object": Case(named(Store()), None, BOTH),
    "and a scope that is there": Case(scope("a") & named(is_ada_in_store), None, BOTH),
    "and a scope that is not": Case(named(is_ada_in_store) & scope("b"), "scope_insufficient", BOTH),
    "or a scope that is there": Case(named(is_ada_in_store) | scope("a"), None, None),
    "or a scope that is not": Case(scope("b") | named(is_ada_in_store), None, "scope_insufficient"),
    "twice in one rule": Case(named(is_ada_in_store) & (scope("b") | named(is_ada_in_store)), None, BOTH),
    "two of them": Case(named(is_ada_in_store) & own_check(Store(), code="other"), None, BOTH),
    "not True": Case(named(truthy), "internal_error", "internal_error"),
    "not awaited": Case(named(unawaited), "internal_error", "internal_error"),
    "a bug": Case(named(broken), "internal_error", "internal_error"),
    "a bug, later": Case(named(broken_later), "internal_error", "internal_error"),
    "unreachable": Case(named(unreachable), "check_unavailable", "check_unavailable"),
    "unreachable, later": Case(named(unreachable_later), "check_unavailable", "check_unavailable"),
    "no answer": Case(named(never, timeout=0.05), "check_unavailable", "check_unavailable"),
    "an answer after its time": Case(named(too_late, timeout=0.05), "check_unavailable", "check_unavailable"),
    "a refusal of its own": Case(named(says_which), "token_revoked", "token_revoked"),
}
HTTP = {None: 200, "internal_error": 500, "check_unavailable": 503, "token_revoked": 401}
GRPC = {
    "internal_error": grpc.StatusCode.INTERNAL,
    "check_unavailable": grpc.StatusCode.UNAVAILABLE,
    "token_revoked": grpc.StatusCode.UNAUTHENTICATED,
}
WHO = [(name, who) for name in CASES for who in ("ada", "bob")]


@pytest.mark.parametrize(("name", "who"), WHO)
def test_rule_decides_with_its_checks_awaited(name: str, who: str) -> None:
    """Only True lets a caller in; what a check raises, or fails to say, refuses."""
    case = CASES[name]
    refused = asyncio.run(requires(case.requirement).refusal_awaiting(principal_with(sub=who, scope="a"), 0.0))
    assert (None if refused is None else refused.code) == getattr(case, who)


@pytest.mark.parametrize("function", [owns_note, owns_note_in_store])
def test_check_without_its_parameter_lets_nobody_in(function: Any) -> None:
    """Whatever binds no parameter, as for a call without a path."""
    rule = requires(named(function, parameters=["note"]))
    refused = asyncio.run(rule.refusal_awaiting(principal_with(sub="ada"), 0.0, {"other": "ada"}))
    assert refused is not None
    assert refused.code == BOTH


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Who is trusted."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as made:
        yield made


def trusting(issuer: LocalIssuer, **more: Any) -> Verifier:
    """A verifier that holds the keys."""
    return Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks()), **more)


@pytest.fixture(scope="module")
def http(issuer: LocalIssuer) -> Iterator[Serving]:
    """A route for each rule."""
    app = make_app("own-checks")

    async def told(request: Request, **_: Any) -> HTTPResponse:
        return text(request.ctx.principal.subject)

    for number, case in enumerate(CASES.values()):
        app.add_route(told, f"/{number}", name=f"r{number}", ctx_auth=requires(case.requirement))
    app.add_route(told, "/notes/<note>", name="owner", ctx_auth=requires(OWNER))
    install(app, trusting(issuer))
    with Serving(app) as server:
        yield server


@pytest.mark.parametrize(("name", "who"), WHO)
def test_rule_decides_over_http(http: Serving, issuer: LocalIssuer, name: str, who: str) -> None:
    """By status, code and text of the problem document."""
    answer = http.call("GET", f"/{list(CASES).index(name)}", token=issuer.mint(sub=who, scope="a"))
    code = getattr(CASES[name], who)
    assert answer.status == HTTP.get(code, 403)
    if code is not None:
        problem = json.loads(answer.body)
        assert problem["code"] == code
        assert (problem["detail"] == "only ada may do this") is (code == BOTH)


@pytest.mark.parametrize(("path", "status"), [("/notes/ada", 200), ("/notes/bob", 403)])
def test_check_is_given_parameters_of_the_path(http: Serving, issuer: LocalIssuer, path: str, status: int) -> None:
    """By name; as they are in this request."""
    assert http.call("GET", path, token=issuer.mint(sub="ada", scope="a")).status == status


@pytest.fixture(scope="module", params=["aio", "sync"])
def method(request: pytest.FixtureRequest, issuer: LocalIssuer) -> Iterator[Callable[[str], Any]]:
    """A method for each rule."""
    with ExitStack() as stack:
        channels = {}
        for name, _ in WHO[::2]:
            rules = {SERVICE: requires(CASES[name].requirement)}
            running = stack.enter_context(serving(request.param, trusting(issuer), rules))
            channels[name] = stack.enter_context(grpc.insecure_channel(running.target))
        yield lambda name: channels[name].unary_unary(f"/{SERVICE}/UU")


@pytest.mark.parametrize(("name", "who"), WHO)
def test_rule_decides_over_grpc(method: Callable[[str], Any], issuer: LocalIssuer, name: str, who: str) -> None:
    """By status, code and text."""
    metadata = (("authorization", f"Bearer {issuer.mint(sub=who, scope='a')}"),)
    code = getattr(CASES[name], who)
    if code is None:
        assert method(name)(b"x", metadata=metadata, timeout=TIMEOUT) == who.encode() + b":x"
        return
    with pytest.raises(grpc.RpcError) as caught:
        method(name)(b"x", metadata=metadata, timeout=TIMEOUT)
    call: Any = caught.value
    assert call.code() is GRPC.get(code, grpc.StatusCode.PERMISSION_DENIED)
    assert dict(call.trailing_metadata())["bearward-code"] == code
    assert (call.details() == "only ada may do this") is (code == BOTH)


@pytest.mark.parametrize("kind", ["http", "aio", "sync"])
def test_caller_is_verified_and_reported_once(issuer: LocalIssuer, kind: str) -> None:
    """A proof that was used for the decision is not used again; a check that is awaited costs no second event."""
    client, events = DPoPClient(), list[Any]()
    token, other = (issuer.mint(sub=who, scope="a", cnf=client.cnf) for who in ("ada", "bob"))
    verifier = trusting(issuer, dpop=DPoP(origins=AUDIENCE), observers=[events.append])
    rule = requires(named(is_ada_in_store))
    with ExitStack() as stack:
        if kind == "http":
            app = make_app("own-checks-once")
            app.add_route(lambda request: text("ok"), "/", name="r", ctx_auth=rule)
            server = Serving(app)
            install(app, verifier)
            stack.enter_context(server)

            def call(sent: str) -> str:
                headers = {"authorization": f"DPoP {sent}", "dpop": client.proof("GET", f"{AUDIENCE}/", token=sent)}
                answer = server.call("GET", "/", headers=headers)
                return "ok" if answer.status == 200 else json.loads(answer.body)["code"]
        else:
            running = stack.enter_context(serving(kind, verifier, {SERVICE: rule}))
            channel: Any = stack.enter_context(grpc.insecure_channel(running.target))

            def call(sent: str) -> str:
                proof = client.proof("POST", f"{AUDIENCE}/{SERVICE}/UU", token=sent)
                metadata = (("authorization", f"DPoP {sent}"), ("dpop", proof))
                try:
                    channel.unary_unary(f"/{SERVICE}/UU")(b"", metadata=metadata, timeout=TIMEOUT)
                except grpc.RpcError as error:
                    failed: Any = error
                    return str(dict(failed.trailing_metadata())["bearward-code"])
                return "ok"

        assert [call(token), call(other), call(token)] == ["ok", "not_ada", "ok"]
    decisions = [event for event in events if isinstance(event, Verified | Refused)]
    assert [getattr(event, "code", "ok") for event in decisions] == ["ok", "not_ada", "ok"]
    assert dict(verifier.health().refused) == {"not_ada": 1}


@pytest.mark.parametrize("end", ["token_revoked", "token_expired"])
@pytest.mark.parametrize("kind", ["http", "aio", "sync"])
def test_token_that_ends_while_a_check_is_awaited_lets_nobody_in(issuer: LocalIssuer, kind: str, end: str) -> None:
    """A check may take a minute, and says nothing about the token: that is looked at again."""
    clock = MovableClock(issuer.now())
    verifier, token = trusting(issuer, clock=clock), issuer.mint(sub="ada", jti="ends", expires_in=60)

    async def meanwhile(principal: Principal) -> bool:
        if end == "token_expired":
            clock.advance(61)
        else:
            verifier.revocations.revoke_token(issuer.url, "ends", until=2e9)
        return True

    rule = requires(named(meanwhile))
    with ExitStack() as stack:
        if kind == "http":
            app = make_app(f"own-checks-{end}")
            app.add_route(lambda request: text("ok"), "/", name="r", ctx_auth=rule)
            install(app, verifier)
            answer = stack.enter_context(Serving(app)).call("GET", "/", token=token)
            assert (answer.status, json.loads(answer.body)["code"]) == (401, end)
            return
        running = stack.enter_context(serving(kind, verifier, {SERVICE: rule}))
        channel: Any = stack.enter_context(grpc.insecure_channel(running.target))
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{SERVICE}/UU")(
                b"", metadata=(("authorization", f"Bearer {token}"),), timeout=TIMEOUT
            )
        call: Any = caught.value
        assert dict(call.trailing_metadata())["bearward-code"] == end
        assert running.seen.callers == []


class _Watching(ServerInterceptor):
    """Stands outside of ours, so that a call waits in a worker."""

    def intercept(self, method: Callable[..., Any], request_or_iterator: Any, context: Any, method_name: str) -> Any:
        return method(request_or_iterator, context)


def test_many_calls_wait_for_a_check_behind_an_outer_interceptor(issuer: LocalIssuer) -> None:
    """Their callers are verified, so more of them may wait than of strangers: here all workers at once."""
    together = asyncio.Barrier(8)

    async def wait_for_all(principal: Principal) -> bool:
        await together.wait()
        return True

    rules = {SERVICE: own_check(wait_for_all, code="alone")}
    metadata = (("authorization", f"Bearer {issuer.mint(sub='ada')}"),)
    with (
        serving("sync", trusting(issuer), rules, outside=[_Watching()]) as running,
        grpc.insecure_channel(running.target) as channel,
    ):
        method: Any = channel.unary_unary(f"/{SERVICE}/UU")
        calls = [method.future(b"x", metadata=metadata, timeout=TIMEOUT) for _ in range(8)]
        assert [call.result() for call in calls] == [b"ada:x"] * 8


def test_check_is_asked_only_if_the_rest_of_the_rule_asks_for_it() -> None:
    """In the order of the rule, and each check once however often the rule names it."""

    def rest(requirement: Requirement) -> list[str]:
        asked.clear()
        asyncio.run(requires(requirement).refusal_awaiting(principal_with(sub="ada", scope="a"), 0.0))
        return list(asked)

    check = named(is_ada_in_store)
    assert rest(scope("b") & check) == []
    assert rest(scope("a") | check) == []
    assert rest(check & check & (scope("b") | check)) == ["ada"]


def test_rule_with_an_asynchronous_check_is_no_synchronous_one() -> None:
    """Nothing decides without the check: who cannot await it is told so."""
    rule, caller = requires(named(is_ada_in_store)), principal_with(sub="ada")
    with pytest.raises(CheckNeededError):
        rule.refusal(caller, 0.0)
    with pytest.raises(CheckNeededError):
        authorize(caller, named(is_ada_in_store), 0.0)


class Holding(Requirement):
    """A requirement of one's own that keeps answers from its part."""

    def __init__(self, part: Requirement) -> None:
        self._part = part

    def unmet(self, principal: Principal, now: float) -> AuthError | None:
        """As its part."""
        return self._part.unmet(principal, now)


def test_requirement_that_keeps_answers_to_itself_lets_nobody_in() -> None:
    """It would ask for ever: the second time is an error instead."""
    with pytest.raises(CheckNeededError):
        asyncio.run(requires(Holding(named(is_ada_in_store))).refusal_awaiting(principal_with(sub="ada"), 0.0))


def test_marked_function_that_a_test_calls_directly_awaits_its_check() -> None:
    """As whoever the test says is calling."""

    @requires(named(is_ada_in_store))
    async def handler() -> str:
        return "ran"

    with acting_as(sub="ada"):
        assert asyncio.run(handler()) == "ran"
    with acting_as(sub="bob"), pytest.raises(AuthError) as refused:
        asyncio.run(handler())
    assert refused.value.code == BOTH


def test_explanation_leaves_an_asynchronous_check_open(issuer: LocalIssuer) -> None:
    """It says that the rule was not decided, and what the token lacks otherwise."""
    verifier, token = trusting(issuer), issuer.mint(sub="bob", scope="a")
    explained = verifier.explain(token, access=requires(named(is_ada_in_store)))
    assert [check.verdict for check in explained.checks if check.name == "access rule"] == [Verdict.NOT_REACHED]
    wrong = verifier.explain(token, access=requires(scope("b") & named(is_ada_in_store)))
    assert wrong.code == "scope_insufficient"


def test_log_has_neither_claims_nor_the_text_of_an_exception(caplog: pytest.LogCaptureFixture) -> None:
    """Only which check failed, how, and where."""
    asyncio.run(requires(named(broken)).refusal_awaiting(principal_with(sub="marker"), 0.0))
    (record,) = [record for record in caplog.records if record.name == "bearward.checks"]
    assert "own_check(broken, code='not_ada') failed: KeyError" in record.getMessage()
    assert "marker" not in caplog.text


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda rule: pickle.loads(pickle.dumps(rule))])
@pytest.mark.parametrize("function", [is_ada, is_ada_in_store])
def test_rule_with_a_check_is_copied_pickled_and_compared(clone: Any, function: Any) -> None:
    """As every rule is, so that it can be sent to a worker."""
    rule: Access = requires(scope("a") & named(function))
    assert (clone(rule), hash(clone(rule))) == (rule, hash(rule))
    assert rule != requires(scope("a") & own_check(function, code="other"))


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("own_check", {"function": None}),
    ("own_check", {"function": bool}),
    ("own_check", {"function": scope("a")}),
    ("own_check.code", {"code": ""}),
    ("own_check.code", {"code": "NotAda"}),
    ("own_check.code", {"code": "not ada"}),
    ("own_check.code", {"code": "token_expired"}),
    ("own_check.code", {"code": "check_failed"}),
    ("own_check.code", {"code": "a" * 65}),
    ("own_check.message", {"message": ""}),
    ("own_check.message", {"message": 'say "no"'}),
    ("own_check.message", {"message": "two\nlines"}),
    ("own_check.parameters", {"parameters": "note"}),
    ("own_check.parameters", {"parameters": [""]}),
    ("own_check.timeout", {"timeout": 0}),
    ("own_check.timeout", {"timeout": 61}),
    ("own_check.timeout", {"timeout": True}),
]


@pytest.mark.parametrize(("setting", "given"), WRONG)
def test_check_that_could_not_work_is_refused_when_it_is_made(setting: str, given: dict[str, Any]) -> None:
    """By the name of what is wrong."""
    valid: dict[str, Any] = {"function": is_ada, "code": "not_ada"}
    merged = {**valid, **given}
    with pytest.raises(ConfigurationError) as caught:
        own_check(merged.pop("function"), **merged)
    assert caught.value.setting == setting
