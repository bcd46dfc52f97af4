"""The attack table against the core whole, and in a short form against both samples; `make attack` runs all of it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearward.refusals import Refusal
from tests.attack.case import ACCEPTED, CLASSES, TRANSPORT, Answer, Case
from tests.attack.fixtures import Fixtures, fixtures
from tests.attack.score import SLOW, Score, fault_of, run
from tests.attack.targets import TARGETS
from tests.signature_libraries import LIBRARIES, signatures_by

EVERY = 12
"""The short form has every twelfth case of each class, and the first."""


@pytest.fixture(scope="module")
def environment() -> Iterator[Fixtures]:
    """One issuer for the questions about the table itself."""
    with fixtures() as made:
        yield made


def _short(cases: list[Case]) -> list[Case]:
    seen: Counter[str] = Counter()
    chosen = []
    for case in cases:
        if seen[case.kind] % EVERY == 0:
            chosen.append(case)
        seen[case.kind] += 1
    return chosen


def test_table_is_large_enough(environment: Fixtures) -> None:
    """At least 300 hostile tokens, 100 good tokens, 40 odd JWK Sets, and hostile ones in every class."""
    hostile = Counter(case.kind for case in environment.cases if case.hostile)
    assert hostile.total() >= 300
    assert len(environment.cases) - hostile.total() >= 100
    assert len(environment.odd) >= 40
    assert [*hostile, "key set"] == list(CLASSES)


def test_every_row_has_its_own_name(environment: Fixtures) -> None:
    """A name says which row went wrong."""
    rows = [(case.kind, case.name) for case in (*environment.cases, *(key_set.case for key_set in environment.odd))]
    assert [row for row, count in Counter(rows).items() if count > 1] == []


def test_every_row_expects_a_code_of_the_catalogue(environment: Fixtures) -> None:
    """Over a transport that cannot carry a row, the transport refuses; everything else is a code that we publish."""
    codes = {refusal.code for refusal in Refusal} | {ACCEPTED}
    assert {case.expected for case in environment.cases} <= codes
    assert {case.over_http for case in environment.cases} <= {None, TRANSPORT}


OVER_THE_WIRE = [pytest.param(name, marks=pytest.mark.thorough) for name in sorted(TARGETS) if name != "core"]


@pytest.mark.parametrize("name", ["core", *OVER_THE_WIRE])
def test_every_verdict_and_code_is_right(name: str, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each case gets its verdict and its code, the same over every transport, and no token makes us call anybody."""
    caplog.set_level(logging.CRITICAL, "bearward")
    with fixtures() as environment:
        config = tmp_path / "settings.toml"
        config.write_text(environment.toml(), encoding="utf-8")
        cases = [*environment.cases, *(key_set.case for key_set in environment.odd)]
        with TARGETS[name](config) as target:
            score = run(environment, target, cases if name == "core" else _short(cases))
    assert score.passed, "\n".join(score.lines())
    assert score.right.total() > (900 if name == "core" else 90)


@pytest.mark.parametrize("library", LIBRARIES)
def test_every_verdict_is_the_same_by_each_library(
    library: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The whole table once more by the library that is named, whichever is installed."""
    caplog.set_level(logging.CRITICAL, "bearward")
    config = tmp_path / "settings.toml"
    with signatures_by(library), fixtures() as environment:
        config.write_text(environment.toml(), encoding="utf-8")
        with TARGETS["core"](config) as target:
            score = run(environment, target, [*environment.cases, *(key_set.case for key_set in environment.odd)])
    assert score.passed, "\n".join(score.lines())


@pytest.mark.parametrize(
    ("expected", "verdict", "seconds", "fault"),
    [
        ("token_expired", "token_expired", 0.0, None),
        ("token_expired", ACCEPTED, 0.0, "false accepts"),
        ("token_expired", "signature_invalid", 0.0, "wrong codes"),
        ("token_expired", TRANSPORT, 0.0, "wrong codes"),
        ("token_expired", "error: status 500", 0.0, "errors"),
        ("token_expired", "crash", 0.0, "crashes"),
        ("token_expired", "token_expired", SLOW + 1, "slow answers"),
        (ACCEPTED, "token_expired", 0.0, "false rejects"),
        (ACCEPTED, ACCEPTED, 0.0, None),
    ],
)
def test_faults_are_distinguished(expected: str, verdict: str, seconds: float, fault: str | None) -> None:
    """The score says in which way an answer is wrong."""
    assert fault_of((expected,), Answer(verdict, seconds)) == fault


def test_outgoing_request_caused_by_a_token_fails_the_score() -> None:
    """A verdict may be right and the verifier lured all the same."""
    score = Score("core", fetches=1, fetches_allowed=1)
    assert score.passed
    assert not Score("core", lured=1).passed
    assert not Score("core", fetches=2, fetches_allowed=1).passed
