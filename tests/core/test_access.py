"""Access rules: values that compare, and marks that refuse unless a gate let the call in by that very rule."""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial, wraps
from typing import Any

import pytest

from bearward import (
    Access,
    AuthError,
    ConfigurationError,
    Principal,
    Refusal,
    Requirement,
    authenticated,
    claim,
    deny,
    optional,
    public,
    recent_authentication,
    requires,
    scope,
)
from bearward import access_guard as guard_module
from bearward.access import Kind, as_access, mark_of, on_unguarded_call, register_gate, unmarked
from bearward.access_guard import name_of
from bearward.unguarded_calls import _logged, log_once
from tests.conftest import Run

READ, WRITE = requires(scope("read")), requires(scope("write"))
CLOSED = [authenticated, deny, READ]


class Request:
    """What a gate knows a call by: the rule that let it in."""

    def __init__(self, rule: Access | None = None) -> None:
        self.rule = rule


@pytest.fixture(autouse=True)
def unguarded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Access]]:
    """A gate that believes requests, alone, and what its listener was told."""
    for name in ("_gates", "_ends", "_listeners"):
        monkeypatch.setattr(guard_module, name, [])
    told: list[tuple[str, Access]] = []
    register_gate(lambda arguments: next((a.rule for a in arguments if isinstance(a, Request)), None))
    on_unguarded_call(lambda name, rule: told.append((name, rule)))
    return told


# Values


def test_rules_are_compared_by_value() -> None:
    """Equal rules are equal and hash alike, wherever they were made; `True` is not 1."""
    assert requires(scope("read")) == READ
    assert len({public, optional, authenticated, deny, READ, requires(scope("read"))}) == 5
    assert requires(claim("a", True)) != requires(claim("a", 1))
    assert requires(claim("a", 1.0)) == requires(claim("a", 1))


def test_rule_has_no_truth_value() -> None:
    """`rule or other` would silently mean one of them."""
    for rule in (public, deny, READ):
        with pytest.raises(TypeError, match=r"^a rule is neither true nor false: "):
            bool(rule)


WORDS: dict[object, Access] = {
    "public": public,
    "optional": optional,
    "authenticated": authenticated,
    "deny": deny,
    READ: READ,
    scope("read"): READ,
}


@pytest.mark.parametrize("value", WORDS)
def test_rule_may_be_a_word_or_a_requirement(value: object) -> None:
    """What stands in mappings, options of routes and configuration files."""
    assert as_access(value, "policy") == WORDS[value]


@pytest.mark.parametrize("value", [None, True, "", "Public", "any", 1, ["public"], scope])
def test_other_values_are_not_rules(value: object) -> None:
    """The error names the setting."""
    with pytest.raises(ConfigurationError, match=r"^policy: must be public"):
        as_access(value, "policy")
    with pytest.raises(ConfigurationError, match=r"; did you mean 'public'\?$"):
        as_access("pubilc", "policy")
    with pytest.raises(
        ConfigurationError, match=r"^requires: must be given a requirement, such as scope\('notes:read'\)$"
    ):
        requires(value)  # type: ignore[arg-type]


def test_rule_refuses_an_unauthorized_principal() -> None:
    """`deny` refuses everyone, a requirement refuses callers that do not meet it, the others no one."""
    who = Principal({"iss": "i", "scope": "read"}, key_thumbprint="k")
    refusals = {rule: rule.refusal(who, 0.0) for rule in (public, optional, authenticated, deny, READ, WRITE)}
    assert {str(rule): refused and refused.code for rule, refused in refusals.items()} == {
        "public": None,
        "optional": None,
        "authenticated": None,
        "deny": "no_rule",
        "requires(scope('read'))": None,
        "requires(scope('write'))": "scope_insufficient",
    }
    assert (READ.scopes, authenticated.scopes) == (("read",), ())
    assert [rule.admits_anonymous for rule in (public, optional, authenticated, deny, READ)] == [True] * 2 + [False] * 3
    assert [rule.kind for rule in (deny, READ)] == [Kind.DENIED, Kind.REQUIRED]


def test_refusal_that_a_requirement_keeps_is_another_object_each_time() -> None:
    """What one request is refused with is marked with its issuer, its scheme, and whether it was reported."""
    kept = AuthError(Refusal.CLAIM_INSUFFICIENT, claim="plan", scopes=("gold",))

    class Paid(Requirement):
        __slots__ = ()

        def unmet(self, principal: Principal, now: float) -> AuthError | None:
            return kept

    principal = Principal({"iss": "https://login.example"}, key_thumbprint="k1")
    first = requires(Paid()).refusal(principal, 0.0)
    assert first is not None
    first.issuer, first.scheme, first.reported = principal.issuer, "DPoP", True
    second = requires(Paid()).refusal(principal, 0.0)
    assert second is not None
    assert vars(second) == vars(kept) != vars(first)
    assert (second.code, str(second)) == (kept.code, str(kept))


def test_rule_uses_the_time_of_the_call() -> None:
    """RFC 9470: a log-in that was recent grows old."""
    who, recent = Principal({"iss": "i", "auth_time": 1000}, key_thumbprint="k"), recent_authentication(max_age=60)
    assert requires(recent).refusal(who, 1060.0) is None
    refused = requires(recent).refusal(who, 1061.0)
    assert refused is not None
    assert refused.refusal is Refusal.AUTHENTICATION_INSUFFICIENT


# Marks


async def coroutine(request: Request) -> str:
    """A coroutine function."""
    return "served"


async def async_items(request: Request) -> AsyncIterator[str]:
    """An async generator function."""
    yield "served"


def items(request: Request) -> Iterator[str]:
    """A generator function."""
    yield "served"


def plain(request: Request) -> str:
    """A plain function."""
    return "served"


class Handler:
    """A callable object."""

    def __call__(self, request: Request) -> str:
        return "served"


async def called(function: Callable[..., Any], *arguments: Any) -> list[Any]:
    """What a function of any kind returns or yields."""
    result: Any = function(*arguments)
    if inspect.isasyncgen(result):
        return [item async for item in result]
    if inspect.isgenerator(result):
        return [item for item in result]  # noqa: C416  (a list of a generator's type is not known)
    return [await result] if inspect.isawaitable(result) else [result]


HANDLERS: dict[str, Callable[[], Any]] = {
    "coroutine function": lambda: coroutine,
    "async generator function": lambda: async_items,
    "generator function": lambda: items,
    "plain function": lambda: plain,
    "partial": lambda: partial(coroutine),
    "callable object": Handler,
    "lambda": lambda: lambda request: "served",
}


@pytest.mark.parametrize("rule", CLOSED, ids=str)
@pytest.mark.parametrize("name", HANDLERS)
def test_marked_function_serves_only_calls_admitted_by_its_rule(
    name: str, rule: Access, run: Run, unguarded: list[tuple[str, Access]]
) -> None:
    """No gate, another rule, or a gate that knows nothing of the call: refused, and the listeners hear of it."""
    marked = rule(HANDLERS[name]())
    assert mark_of(marked) == rule
    assert run(called(marked, Request(rule))) == ["served"]
    assert unguarded == []
    for request in (Request(), Request(public), Request(WRITE), object()):
        with pytest.raises(AuthError) as refused:
            run(called(marked, request))
        assert refused.value.refusal is Refusal.NO_RULE
    assert [told_rule for _, told_rule in unguarded] == [rule] * 4


@pytest.mark.parametrize("name", HANDLERS)
def test_guard_has_the_kind_of_its_function(name: str) -> None:
    """Whoever inspects a handler to learn how to call it finds what it was."""
    function = HANDLERS[name]()
    marked = READ(function)
    for kind in (inspect.iscoroutinefunction, inspect.isasyncgenfunction, inspect.isgeneratorfunction):
        assert kind(marked) is kind(function)
    assert unmarked(marked) is function
    assert unmarked(function) is function


@pytest.mark.parametrize("rule", [public, optional], ids=str)
def test_rule_for_anonymous_callers_adds_no_guard(rule: Access, run: Run) -> None:
    """Such a function comes back as it is, and keeps the mark."""

    async def own(request: object) -> str:
        return "served"

    assert rule(own) is own
    assert mark_of(own) is rule
    assert run(called(own, object())) == ["served"]


def test_mark_hidden_by_a_decorator_still_guards(run: Run) -> None:
    """The gate finds no mark and lets the call in by another rule, or none: the guard within refuses it."""

    def swallowing(function: Any) -> Any:
        async def outer(*args: Any) -> Any:
            return await function(*args)

        return outer

    hidden = swallowing(READ(coroutine))
    assert mark_of(hidden) is None
    for request in (Request(), Request(authenticated)):
        with pytest.raises(AuthError):
            run(called(hidden, request))


def test_unmarked_never_removes_a_decorator(run: Run) -> None:
    """`unmarked` takes the guard away and never a decorator around it."""
    calls = []

    def counting(function: Any) -> Any:
        @wraps(function)
        async def outer(*args: Any) -> Any:
            calls.append(args)
            return await function(*args)

        return outer

    marked = counting(READ(coroutine))
    assert mark_of(marked) == READ
    assert unmarked(marked) is marked
    assert run(called(unmarked(marked), Request(READ))) == ["served"]
    assert len(calls) == 1


def test_second_mark_on_a_function_is_refused() -> None:
    """A second, other one is refused and named; the same again changes nothing."""
    marked = READ(coroutine)
    assert READ(marked) is marked
    with pytest.raises(ConfigurationError, match=r"^coroutine: must have one mark, not requires"):
        WRITE(marked)
    with pytest.raises(ConfigurationError, match="one mark"):
        public(marked)


@pytest.mark.parametrize("target", [None, 1, "text", READ, scope("a"), property(plain)])
def test_only_callables_can_be_marked(target: Any) -> None:
    """A mark on anything else would guard nothing."""
    with pytest.raises(ConfigurationError, match=r"^requires\(scope\('read'\)\): must stand above a handler"):
        READ(target)


def test_built_in_function_can_be_guarded() -> None:
    """It has no attributes to keep a mark in, and its guard has."""
    marked = READ(len)
    assert mark_of(marked) == READ
    with pytest.raises(AuthError):
        marked("four")


def test_foreign_attribute_is_not_a_mark(run: Run) -> None:
    """Only a rule is: what else stands in its place neither opens a handler nor forbids to mark it."""

    async def handler(request: Request) -> str:
        return "served"

    handler.__bearward_access__ = "public"  # type: ignore[attr-defined]
    assert mark_of(handler) is None
    marked = READ(handler)
    assert mark_of(marked) == READ
    with pytest.raises(AuthError):
        run(called(marked, object()))


class Base:
    """What a framework's own base class declares."""

    def List(self, request: Request) -> str:  # noqa: N802
        """A method that a server calls."""
        raise NotImplementedError

    def get(self, request: Request) -> str:
        """An HTTP method of a view."""
        raise NotImplementedError

    def _prepare(self) -> str:
        """A hook of the base class, called by itself."""
        raise NotImplementedError


def view_class() -> Any:
    """A marked class: an override, an HTTP method, a method with its own mark, and a helper."""

    @READ
    class View(Base):
        def List(self, request: Request) -> str:  # noqa: N802
            return self.helper()

        def post(self, request: Request) -> str:
            return self.helper()

        @WRITE
        def put(self, request: Request) -> str:
            return "served"

        def get(self, request: Request) -> str:
            return "served"

        def helper(self) -> str:
            return "served"

        def _prepare(self) -> str:
            return "served"

        @staticmethod
        def fixed() -> str:
            return "served"

    return View


@pytest.mark.parametrize(("method", "rule"), [("List", READ), ("get", READ), ("post", READ), ("put", WRITE)])
def test_methods_of_a_marked_class_are_guarded(method: str, rule: Access) -> None:
    """Those that a framework calls: named as an HTTP method, or overriding a base's; a method's own mark counts."""
    view = view_class()
    assert mark_of(view) == READ
    assert getattr(view(), method)(Request(rule)) == "served"
    for request in (Request(), Request(WRITE if rule is READ else READ)):
        with pytest.raises(AuthError):
            getattr(view(), method)(request)


def test_helpers_of_a_marked_class_are_not_guarded() -> None:
    """What no framework calls is the class's own business, be it declared by a base or not."""
    view = view_class()
    assert (view().helper(), view()._prepare(), view.fixed()) == ("served", "served", "served")


def test_mark_of_a_base_class_is_inherited() -> None:
    """And the guarded methods with it."""

    class Derived(view_class()):  # type: ignore[misc]
        pass

    assert mark_of(Derived) == READ
    with pytest.raises(AuthError):
        Derived().get(Request())


class Mixin:
    """What a view takes its methods from."""

    def get(self, request: Request) -> str:
        """A method that a view answers by."""
        return "served"


class ServicerMixin:
    """What a servicer takes its methods from."""

    def List(self, request: Request) -> str:  # noqa: N802
        """A method that a server calls."""
        return "served"


def _inherited() -> Any:
    return READ(type("View", (Mixin,), {})), "get"


def _inherited_from_a_mixin() -> Any:
    return READ(type("Servicer", (ServicerMixin, type("Generated", (), {"List": Base.List})), {})), "List"


def _static() -> Any:
    return READ(type("View", (), {"get": staticmethod(lambda request: "served")})), "get"


def _of_class() -> Any:
    return READ(type("View", (Base,), {"List": classmethod(lambda cls, request: "served")})), "List"


def _called() -> Any:
    return READ(type("View", (), {"__call__": lambda self, request: "served"})), "__call__"


def _derived() -> Any:
    class Derived(view_class()):  # type: ignore[misc]
        def get(self, request: Request) -> str:
            return "served"

    return Derived, "get"


def _derived_with_a_mixin() -> Any:
    return type("Derived", (Mixin, view_class()), {}), "get"


@pytest.mark.parametrize(
    "make", [_inherited, _inherited_from_a_mixin, _static, _of_class, _called, _derived, _derived_with_a_mixin]
)
def test_marked_class_guards_methods_wherever_defined(make: Any) -> None:
    """In a base, in a class derived from it, and as any kind of method: only a gate's own word opens it."""
    owner, name = make()
    assert getattr(owner(), name)(Request(READ)) == "served"
    for request in (Request(), Request(WRITE)):
        with pytest.raises(AuthError):
            getattr(owner(), name)(request)
    assert Mixin().get(Request()) == "served"


@pytest.mark.parametrize(("rule", "inherited"), [(WRITE, WRITE), (public, READ)])
def test_derived_classs_own_mark_applies(rule: Access, inherited: Access) -> None:
    """For what it inherits too, but that nothing is opened which the mark of a base has closed."""

    @rule
    class Derived(view_class()):  # type: ignore[misc]
        def get(self, request: Request) -> str:
            return "served"

    assert Derived().get(Request(rule)) == "served"
    assert mark_of(Derived.post) == inherited
    assert Derived().post(Request(inherited)) == "served"
    with pytest.raises(AuthError):
        Derived().post(Request(READ if inherited is WRITE else rule))


def test_guard_does_not_hide_a_later_bases_override() -> None:
    """The method that Python would call is the one that is called."""

    class Later(Mixin):
        def get(self, request: Request) -> str:
            return f"later, {super().get(request)}"

    class Derived(READ(type("View", (Mixin,), {})), Later):  # type: ignore[misc]
        pass

    assert Derived().get(Request(READ)) == "later, served"
    with pytest.raises(AuthError):
        Derived().get(Request())


def test_method_that_cannot_be_guarded_is_refused() -> None:
    """A descriptor may hand out anything."""
    with pytest.raises(ConfigurationError, match=r"^View\.get: must be a function"):
        READ(type("View", (), {"get": functools.partialmethod(Mixin.get)}))


def test_static_and_class_methods_stay_what_they_are() -> None:
    """Marked from either side of the decorator."""

    class View:
        @READ
        @staticmethod
        def outer(request: Request) -> str:
            return "served"

        @staticmethod
        @READ
        def inner(request: Request) -> str:
            return "served"

        @READ
        @classmethod
        def of_class(cls, request: Request) -> str:
            return cls.__name__

    for owner in (View, View()):
        assert owner.outer(Request(READ)) == owner.inner(Request(READ)) == "served"
        assert owner.of_class(Request(READ)) == "View"
        for method in (owner.outer, owner.inner, owner.of_class):
            assert mark_of(method) == READ
            with pytest.raises(AuthError):
                method(Request())


def test_unmarked_bound_method_stays_bound() -> None:
    """The function behind the guard keeps its object."""
    view = view_class()()
    inner = unmarked(view.put)
    assert inner.__self__ is view
    assert inner(object()) == "served"
    helper = view.helper
    assert unmarked(helper) is helper


# Unguarded calls


def test_framework_may_refuse_an_unguarded_call_itself(run: Run) -> None:
    """At once, or by what is awaited; where nobody can wait, and where it does nothing, the call is refused all the same."""

    class AbortError(Exception):
        pass

    async def abort() -> None:
        raise AbortError

    register_gate(lambda _: None, lambda name, rule, arguments: abort() if "abort" in arguments else None)
    rows: list[tuple[Callable[..., Any], str, type[Exception]]] = [
        (coroutine, "abort", AbortError),
        (async_items, "abort", AbortError),
        (plain, "abort", AuthError),
        (items, "abort", AuthError),
        (coroutine, "other", AuthError),
    ]
    for function, argument, raised in rows:
        with pytest.raises(raised):
            run(called(READ(function), argument))


@pytest.mark.parametrize("name", HANDLERS)
def test_framework_receives_the_name_and_rule_of_the_call(
    name: str, run: Run, unguarded: list[tuple[str, Access]]
) -> None:
    """The name and the rule of the function; the framework also gets the arguments, to find its call by."""
    ended: list[tuple[str, Any, tuple[Any, ...]]] = []
    register_gate(lambda _: None, lambda *call: ended.append(call))
    function, request = HANDLERS[name](), object()
    with pytest.raises(AuthError):
        run(called(READ(function), request))
    said = name_of(function)
    assert (unguarded, ended) == ([(said, READ)], [(said, READ, (request,))])


def test_unawaitable_refusal_is_closed() -> None:
    """A coroutine would warn that it was never awaited; what cannot be closed is left alone."""

    class Ending:
        closed = False

        def __await__(self) -> Iterator[None]:
            yield

        def close(self) -> None:
            self.closed = True

    class Forever:
        def __await__(self) -> Iterator[None]:
            yield

    ending = Ending()
    register_gate(lambda _: None, lambda *_: ending)  # type: ignore[arg-type]
    register_gate(lambda _: None, lambda *_: Forever())  # type: ignore[arg-type]
    marked: Callable[[object], str] = READ(plain)  # type: ignore[assignment]
    with pytest.raises(AuthError):
        marked(object())
    assert ending.closed


def test_unguarded_call_is_logged_once_per_function(caplog: pytest.LogCaptureFixture) -> None:
    """It names the function, the mark and what to do, and no argument of the call."""
    _logged.clear()
    on_unguarded_call(log_once)
    marked: Callable[[object], str] = READ(plain)  # type: ignore[assignment]
    other: Callable[[object], str] = deny(Handler())  # type: ignore[assignment]
    with caplog.at_level(logging.ERROR, "bearward.access"):
        for function in (marked, marked, other, marked):
            with pytest.raises(AuthError):
                function("a secret")
    assert [record.getMessage().partition(" and was called")[0] for record in caplog.records] == [
        "plain is marked requires(scope('read'))",
        "Handler is marked deny",
    ]
    assert "install bearward" in caplog.text
    assert "a secret" not in caplog.text


def test_marks_refuse_and_log_where_no_adapter_was_imported() -> None:
    """In a process that has nothing but the core."""
    program = (
        "import logging, sys; logging.basicConfig(format='%(name)s %(message)s')\n"
        "from bearward import AuthError, authenticated\n"
        "@authenticated\n"
        "def handler(request): print('served')\n"
        "for _ in range(2):\n"
        "    try: handler(1)\n"
        "    except AuthError as error: print(error.code)\n"
        "assert not {'sanic', 'grpc', 'bearward_sanic', 'bearward_grpc'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["no_rule", "no_rule"]
    assert done.stderr.count("bearward.access handler is marked authenticated") == 1


def test_abandoned_generator_closes_the_guarded_one(run: Run) -> None:
    """The guarded function's own `finally` runs with the guard's."""
    closed = []

    @READ
    async def endless(request: Request) -> AsyncIterator[int]:
        try:
            while True:
                yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("async")

    @READ
    def endless_too(request: Request) -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append("sync")

    async def use() -> None:
        stream = endless(Request(READ))
        assert await anext(stream) == 1
        await stream.aclose()  # type: ignore[attr-defined]

    run(use())
    rest = endless_too(Request(READ))
    assert next(rest) == 1
    rest.close()  # type: ignore[attr-defined]
    assert closed == ["async", "sync"]
