"""Places in which verified callers of grpc.server wait: shared so that nobody leaves others without."""

from __future__ import annotations

import asyncio
import random
import threading
from collections import Counter
from typing import Any

import grpc
import pytest

from bearward import Principal, own_check
from bearward.testing import LocalIssuer
from bearward_grpc.threads import deferred_call
from bearward_grpc.threads.fair_places import Caller, FairPlaces, caller_of
from tests.adapters.grpc.calls import SHAPES, TIMEOUT, bearer, channel_to, path
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import SERVICE, serving

PLACES = 30
HOME, AWAY = "https://login.example", "https://tenant.example"
GREEDY: list[tuple[str, list[Caller], int]] = [
    ("one caller", [Caller(HOME, "eve")], 10),
    ("two callers of one issuer", [Caller(HOME, "eve"), Caller(HOME, "bob")], 12),
    ("any number of callers of one issuer", [Caller(HOME, f"eve {number}") for number in range(PLACES)], 15),
    ("one caller each of two issuers", [Caller(HOME, "eve"), Caller(AWAY, "eve")], 16),
]


@pytest.mark.parametrize(("who", "callers", "most"), GREEDY, ids=[row[0] for row in GREEDY])
def test_greedy_callers_leave_places_for_others(who: str, callers: list[Caller], most: int) -> None:
    """However often they ask, a caller who has none finds one."""
    places = FairPlaces(PLACES)
    taken = sum(places.take(caller) for _ in range(PLACES) for caller in callers)
    assert taken == most
    assert places.take(Caller("https://other.example", "ada"))


def test_places_that_are_given_back_are_forgotten() -> None:
    """In whatever order: nothing is kept of a caller who waits no longer, and all places are free again."""
    places, shuffled = FairPlaces(PLACES), random.Random(1)
    callers = [Caller(issuer, subject) for issuer in (HOME, AWAY) for subject in "abc"]
    for _ in range(20):
        taken = [caller for caller in shuffled.choices(callers, k=PLACES) if places.take(caller)]
        shuffled.shuffle(taken)
        while taken:
            places.give_back(taken.pop())
            assert places._of_caller == Counter(taken)
            assert places._of_issuer == Counter(caller.issuer for caller in taken)
    assert (places._free, places._of_caller, places._of_issuer) == (PLACES, {}, {})


CLAIMS: list[tuple[dict[str, Any], Caller]] = [
    ({"iss": HOME, "sub": "ada", "client_id": "app"}, Caller(HOME, "ada")),
    ({"iss": HOME, "client_id": "app"}, Caller(HOME, "app")),
    ({"iss": HOME, "azp": "app"}, Caller(HOME, "app")),
    ({"iss": HOME}, Caller(HOME, "")),
]


@pytest.mark.parametrize(("claims", "caller"), CLAIMS, ids=[str(sorted(row[0])) for row in CLAIMS])
def test_caller_is_named_by_its_token(claims: dict[str, Any], caller: Caller) -> None:
    """By issuer and subject, else by its client; tokens that name nobody share one share."""
    assert caller_of(Principal(claims, key_thumbprint="k1")) == caller


def test_caller_whose_checks_hang_leaves_others_their_places(
    issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It waits with a third of the places, and is refused beyond; whoever else comes is checked and served."""
    monkeypatch.setattr(deferred_call, "_MAX_VERIFIED", 9)
    waiting = threading.Semaphore(0)

    async def hangs_for_eve(principal: Principal) -> bool:
        if principal.subject == "eve":
            waiting.release()
            await asyncio.Event().wait()
        return True

    rules = {SERVICE: own_check(hangs_for_eve, code="never", timeout=60)}
    with serving("sync", trust(issuer), rules) as server, channel_to(server.target) as channel:
        stub: Any = channel.unary_unary(path("UU"))
        token = bearer(issuer.mint(sub="eve"))
        calls = [stub.future(b"", timeout=TIMEOUT, metadata=token) for _ in range(3)]
        assert all(waiting.acquire(timeout=TIMEOUT) for _ in calls)
        for _ in range(9):
            assert SHAPES["unary-unary"](channel, token).status is grpc.StatusCode.UNAVAILABLE
        assert SHAPES["unary-unary"](channel, bearer(issuer.mint(sub="ada"))).status is grpc.StatusCode.OK
        for call in calls:
            call.cancel()
