"""Marks on servicers: a marked method serves the calls that its own rule let in, and refuses all others."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any

import grpc
import pytest

from bearward import scope, unguarded_calls
from bearward.access import Access
from bearward.testing import LocalIssuer
from bearward_grpc import Policy, authenticated, deny, optional, public, requires, rules_from_servicers
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, Seen, bare_server, serving

SERVED = [shape for shape in SHAPES if shape != "unknown method"]
FORMS = ("generators", "writers", "plain")
SERVERS = [(kind, form) for kind in KINDS for form in FORMS if kind != "sync" or form == "plain"]
MARK = requires(scope("echo"))
REFUSED = (grpc.StatusCode.PERMISSION_DENIED, "no_rule")


def _generators(seen: Seen, mark: Access) -> Any:
    """Coroutines and async generators, as the echo service of `servers`."""

    class Servicer:
        @mark
        async def UU(self, request: bytes, _: Any) -> bytes:  # noqa: N802
            return seen.caller() + b":" + request

        @mark
        async def US(self, request: bytes, _: Any) -> AsyncIterator[bytes]:  # noqa: N802
            yield seen.caller()
            yield request

        @mark
        async def SU(self, requests: AsyncIterator[bytes], _: Any) -> bytes:  # noqa: N802
            return seen.caller() + b":" + b",".join([request async for request in requests])

        @mark
        async def SS(self, requests: AsyncIterator[bytes], _: Any) -> AsyncIterator[bytes]:  # noqa: N802
            yield seen.caller()
            async for request in requests:
                yield request

    return Servicer()


def _writers(seen: Seen, mark: Access) -> Any:
    """Coroutines that read and write by themselves."""

    class Servicer(type(_generators(seen, mark))):  # type: ignore[misc]
        @mark
        async def US(self, request: bytes, context: Any) -> None:  # noqa: N802
            await context.write(seen.caller())

        @mark
        async def SS(self, _: Any, context: Any) -> None:  # noqa: N802
            await context.write(seen.caller())

    return Servicer()


def _plain(seen: Seen, mark: Access) -> Any:
    """Functions, generators, and a function that returns an iterator."""

    class Servicer:
        @mark
        def UU(self, request: bytes, _: Any) -> bytes:  # noqa: N802
            return seen.caller() + b":" + request

        @mark
        def US(self, request: bytes, _: Any) -> Iterator[bytes]:  # noqa: N802
            yield seen.caller()
            yield request

        @mark
        def SU(self, requests: Iterator[bytes], _: Any) -> bytes:  # noqa: N802
            return seen.caller() + b":" + b",".join(requests)

        @mark
        def SS(self, requests: Iterator[bytes], _: Any) -> Iterator[bytes]:  # noqa: N802
            return chain((seen.caller(),), requests)

    return Servicer()


MAKERS = {"generators": _generators, "writers": _writers, "plain": _plain}


def behaviors(form: str, mark: Access, made: list[Any]) -> Any:
    """What `serving` registers: the methods of a marked servicer, which is left in `made`."""

    def make(seen: Seen) -> dict[str, Any]:
        made.append(MAKERS[form](seen, mark))
        return {name: getattr(made[-1], name) for name in ("UU", "US", "SU", "SS")}

    return make


@pytest.mark.parametrize(("kind", "form"), SERVERS)
def test_marked_method_without_interceptor_is_denied_and_logged_once(
    kind: str, form: str, caplog: pytest.LogCaptureFixture
) -> None:
    """PERMISSION_DENIED for every kind of method, never UNKNOWN; one line a method."""
    unguarded_calls._logged.clear()
    with bare_server(kind, behaviors(form, MARK, [])) as (target, seen), channel_to(target) as channel:
        for _ in range(2):
            for shape in SERVED:
                outcome = SHAPES[shape](channel, ())
                assert (outcome.status, outcome.code, outcome.messages) == (*REFUSED, []), shape
    assert not seen.callers
    ours = [record for record in caplog.records if record.name == "bearward.access"]
    assert len(ours) == len({record.getMessage() for record in ours}) == 4
    assert {record.levelno for record in ours} == {logging.ERROR}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rule", [authenticated, public, optional, scope("other"), scope("echo") & scope("other")])
def test_mark_holds_behind_a_policy_that_does_not_read_it(rule: Any, kind: str, issuer: LocalIssuer) -> None:
    """A call that another rule let in is refused by the method itself."""
    form = "plain" if kind == "sync" else "generators"
    metadata = bearer(issuer.mint(scope="echo other"))
    with (
        serving(kind, trust(issuer), {SERVICE: rule}, behaviors=behaviors(form, MARK, [])) as server,
        channel_to(server.target) as channel,
    ):
        for shape in SERVED:
            outcome = SHAPES[shape](channel, metadata)
            assert (outcome.status, outcome.code, outcome.messages) == (*REFUSED, []), shape
        assert not server.seen.callers


@pytest.mark.parametrize(("kind", "form"), SERVERS)
def test_policy_that_reads_the_mark_serves_allowed_callers(kind: str, form: str, issuer: LocalIssuer) -> None:
    """Every kind of method keeps its form, and knows its caller."""
    marked = rules_from_servicers({SERVICE: MAKERS[form](Seen(), MARK)})
    with (
        serving(kind, trust(issuer), marked, behaviors=behaviors(form, MARK, [])) as server,
        channel_to(server.target) as channel,
    ):
        for shape in SERVED:
            served = SHAPES[shape](channel, bearer(issuer.mint(sub="ada", scope="echo")))
            assert served.status is grpc.StatusCode.OK, shape
            assert served.messages[0].startswith(b"ada")
            assert SHAPES[shape](channel, bearer(issuer.mint(scope="other"))).code == "scope_insufficient"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("mark", "anonymous", "known"),
    [(public, None, None), (optional, None, None), (authenticated, "credentials_missing", None), (deny, "credentials_missing", "no_rule")],
    ids=str,
)  # fmt: skip
def test_each_mark_means_what_it_says(
    mark: Access, anonymous: str | None, known: str | None, kind: str, issuer: LocalIssuer
) -> None:
    """The four rules without a requirement, as marks."""
    form = "plain" if kind == "sync" else "generators"
    marked = rules_from_servicers({SERVICE: MAKERS[form](Seen(), mark)})
    with (
        serving(kind, trust(issuer), marked, behaviors=behaviors(form, mark, [])) as server,
        channel_to(server.target) as channel,
    ):
        for shape in SERVED:
            assert SHAPES[shape](channel, ()).code == anonymous
            assert SHAPES[shape](channel, bearer(issuer.mint())).code == known


@pytest.mark.parametrize("kind", KINDS)
def test_servicer_mark_guards_every_method(kind: str, issuer: LocalIssuer) -> None:
    """Generated code gives a base class, whose methods it serves; a method's own mark goes first."""

    class Base:
        def UU(self, request: bytes, _: Any) -> bytes:  # noqa: N802
            raise NotImplementedError

        def US(self, request: bytes, _: Any) -> Iterator[bytes]:  # noqa: N802
            raise NotImplementedError

    @MARK
    class Servicer(Base):
        def UU(self, request: bytes, _: Any) -> bytes:  # noqa: N802
            return request

        @public
        def US(self, request: bytes, _: Any) -> Iterator[bytes]:  # noqa: N802
            yield request

    servicer = Servicer()
    marked = rules_from_servicers({SERVICE: servicer})
    assert marked == {SERVICE: MARK, f"/{SERVICE}/UU": MARK, f"/{SERVICE}/US": public}
    served: Any = {"UU": servicer.UU, "US": servicer.US}
    with bare_server(kind, lambda _: served) as (target, _), channel_to(target) as channel:
        assert SHAPES["unary-unary"](channel, ()).code == "no_rule"
        assert SHAPES["unary-stream"](channel, ()).status is grpc.StatusCode.OK
    with (
        serving(kind, trust(issuer), marked, behaviors=lambda _: served) as server,
        channel_to(server.target) as channel,
    ):
        metadata = bearer(issuer.mint(scope="echo"))
        assert SHAPES["unary-unary"](channel, metadata).status is grpc.StatusCode.OK
        assert SHAPES["unary-unary"](channel, ()).code == "credentials_missing"
        assert SHAPES["unary-stream"](channel, ()).status is grpc.StatusCode.OK


@pytest.mark.parametrize("kind", KINDS)
def test_servicer_mark_covers_inherited_methods(kind: str, issuer: LocalIssuer) -> None:
    """Also of a servicer without a generated base, whose methods nobody can tell from helpers: under any default."""

    class Shared:
        def UU(self, request: bytes, _: Any) -> bytes:  # noqa: N802
            return request

    @MARK
    class Servicer(Shared):
        @staticmethod
        def US(request: bytes, _: Any) -> Iterator[bytes]:  # noqa: N802
            yield request

    servicer = Servicer()
    served: Any = {"UU": servicer.UU, "US": servicer.US}
    policy = Policy(rules_from_servicers({SERVICE: servicer}), default=authenticated)
    with (
        serving(kind, trust(issuer), policy, behaviors=lambda _: served) as server,
        channel_to(server.target) as channel,
    ):
        for shape in ("unary-unary", "unary-stream"):
            assert SHAPES[shape](channel, bearer(issuer.mint(scope="other"))).code == "scope_insufficient"
            assert SHAPES[shape](channel, bearer(issuer.mint(scope="echo"))).status is grpc.StatusCode.OK
