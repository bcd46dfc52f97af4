"""The mutation tool changes what it says it changes, and its table of files and tests cannot rot."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.mutation.changes import changes_of, functions
from tools.mutation.covering import Covering, find_out
from tools.mutation.files import PURE, STATEFUL, TOP, found, judges
from tools.mutation.forks import Plan, change_in_forks
from tools.mutation.in_place import NotInPlaceError, put_in_place
from tools.mutation.mutant import KILLED, REASONS, SURVIVED, UNTESTED, Mutant
from tools.mutation.pure import functions_left
from tools.mutation.stateful import _chosen_of, drawn

PROGRAM = '''
class Gate:
    def admit(self, caller, now):
        """Says what it does."""
        if caller is None or now >= caller.until:
            logger.debug("refused")
            raise ValueError("no")
        self.count += 1
        self.note(caller)
        return not caller.banned
'''
CHANGED = [
    "if True:", "if False:", "if ((now >= caller.until)):", "if ((caller is None)):",
    "if (caller) is not (None) or now >= caller.until:", "if caller is None or (now) > (caller.until):",
    "pass", "pass", "pass", "return None", "return (caller.banned)",
]  # fmt: skip


def test_kinds_of_mutants() -> None:
    """Conditions, operands, comparisons, statements, `not` and results; neither docstrings nor logs."""
    changes = changes_of(PROGRAM)
    lines = PROGRAM.splitlines()
    differing = [
        next(new.strip() for old, new in zip(lines, change.made(PROGRAM).splitlines(), strict=False) if old != new)
        for change in changes
    ]
    assert sorted(differing) == sorted(CHANGED)
    assert {change.function for change in changes} == {"Gate.admit"}


def test_result_that_is_false_becomes_true() -> None:
    """No result would be as false; of True it is the reverse."""
    made = [change.after for change in changes_of("def one():\n    return False\n\ndef two():\n    return True\n")]
    assert made == ["return True", "return None"]


def test_survivors_are_judged_by_slow_tests_too() -> None:
    """At first by the quick ones, of each test a case, those about the file before others; then by all cases."""
    seconds = {"own::slow": 20.0, "other::quick": 0.1, **{f"own::cases[{number}]": 0.1 for number in range(20)}}
    covering = Covering({}, seconds, {})
    first = _chosen_of(covering, sorted(seconds, key=seconds.__getitem__), {"own"}, again=False)
    assert set(first) == {f"own::cases[{number}]" for number in range(12)} | {"other::quick"}
    assert first[0].startswith("own::")
    again = _chosen_of(covering, sorted(seconds, key=seconds.__getitem__), {"own"}, again=True)
    assert set(again) == set(seconds)


@pytest.mark.thorough
@pytest.mark.parametrize("file", STATEFUL)
def test_changes_are_still_python(file: str) -> None:
    """In each stateful file there is something to change, and the changes can be parsed (forty of each file are)."""
    text = (TOP / file).read_text(encoding="utf-8")
    changes = changes_of(text)
    assert changes
    for change in changes[:: len(changes) // 40 + 1]:
        ast.parse(change.made(text))


def test_changed_text_keeps_its_lines() -> None:
    """What stands behind a change of several lines stays where it was, and the whole is still Python."""
    text = PROGRAM.replace("caller is None or now", "(caller is None\n            or now").replace("until:", "until):")
    for change in changes_of(text):
        made = change.made_on_its_lines(text)
        ast.parse(made)
        assert made.splitlines()[-1].strip() in ("return not caller.banned", "return (caller.banned)", "return None")
        assert made.count("\n") == text.count("\n")


def loaded(text: str, path: Path) -> dict[str, Any]:
    """The names of a module with this text."""
    path.write_text(text, encoding="utf-8")
    names: dict[str, Any] = {}
    exec(compile(text, str(path), "exec", dont_inherit=True), names)
    return names


IN_PLACE = """
from functools import cache, wraps

def counted(function):
    @wraps(function)
    def call(*given):
        return function(*given) + 1
    return call

@counted
def double(number):
    return number * 2

class Door:
    @property
    def open(self):
        return [one for one in (1, 2) if one > 1]

    @staticmethod
    def knock():
        def inner():
            return "in"
        return inner()
"""


@pytest.mark.parametrize(
    ("before", "after", "called"),
    [
        ("number * 2", "number * 5", lambda names: names["double"](1) == 6),
        ("+ 1", "+ 7", lambda names: names["double"](1) == 9),
        ("one > 1", "one >= 1", lambda names: names["Door"]().open == [1, 2]),
        ('return "in"', "pass", lambda names: names["Door"].knock() is None),
    ],
)
def test_change_is_made_in_functions_that_exist(
    tmp_path: Path, before: str, after: str, called: Callable[[dict[str, Any]], bool]
) -> None:
    """Also behind a decorator, a property, and within a function that was made before."""
    names = loaded(IN_PLACE, tmp_path / "loaded.py")
    assert not called(names)
    put_in_place(str(tmp_path / "loaded.py"), IN_PLACE, IN_PLACE.replace(before, after))
    assert called(names)


def test_change_that_no_function_can_take_is_told(tmp_path: Path) -> None:
    """Nothing differs, what differs is no function, or the function closes over something else."""
    path = tmp_path / "loaded.py"
    names = loaded(IN_PLACE, path)
    for after in (IN_PLACE, IN_PLACE.replace("(number)", "(number=1)"), IN_PLACE.replace("function(*given) + 1", "1")):
        with pytest.raises(NotInPlaceError):
            put_in_place(str(path), IN_PLACE, after)
    assert names["double"](1) == 3


@pytest.mark.thorough
def test_forked_children_judge_as_a_whole_run_does() -> None:
    """As it stands a file survives; a condition that never holds is noticed; a line that no test runs is said to be none."""
    file = "core/bearward/newer_keys.py"
    text = (TOP / file).read_text(encoding="utf-8")
    judges = found("tests/core/test_fetching_verifier.py")
    covering = find_out(judges)
    [first] = [change for change in changes_of(text) if change.after == "False"][:1]
    number = text.count("\n", 0, first.start) + 1
    tests = covering.tests(file, number, number)
    assert tests
    path = str(TOP / file)
    plans = [
        Plan(path, text, None, tests, 60),
        Plan(path, text, first.made_on_its_lines(text), tests, 60),
        Plan(path, text, first.made_on_its_lines(text), covering.tests(file, 1, 1), 60),
    ]
    ended = sorted(change_in_forks(plans, judges))
    assert [(number, outcome) for number, outcome, _ in ended] == [(0, SURVIVED), (1, KILLED), (2, UNTESTED)]
    assert [len(failed) for *_, failed in ended] == [0, 1, 0]


def test_mutation_table_names_existing_files() -> None:
    """Each file and each glob of tests is there; a sample is the same twice."""
    assert all((TOP / file).is_file() for file in (*PURE, *STATEFUL))
    assert all(judges([file]) for file in PURE)
    assert all(found(*tests) for tests in STATEFUL.values())
    file = next(iter(STATEFUL))
    assert drawn(file, sample=3, seed=1) == drawn(file, sample=3, seed=1) != drawn(file, sample=3, seed=2)


def test_functions_that_a_second_run_changes_are_those_with_survivors() -> None:
    """By the names that mutmut gives the mutants of a method, and of a function."""
    verifier, claims = "core/bearward/verifier.py", "core/bearward/jose/jwk.py"
    found_out = [
        Mutant(verifier, "Verifier.health", "a", "b", SURVIVED),
        Mutant(verifier, "Verifier.health", "a", "c", KILLED),
        Mutant(verifier, "Verifier.start", "a", "b", KILLED),
        Mutant(claims, "read_key", "a", "b", UNTESTED),
    ]
    assert functions_left(found_out) == [
        "bearward.jose.jwk.x_read_key__mutmut_*",
        "bearward.verifier.xǁVerifierǁhealth__mutmut_*",
    ]


def test_glob_without_files_is_an_error() -> None:
    """A glob without any file is told, so that a renamed file is not quietly left out."""
    with pytest.raises(LookupError, match="nothing is called"):
        found("core/bearward/gone.py")


def test_each_reason_is_about_code_that_is_there() -> None:
    """A reason whose code is gone could one day excuse another survivor."""
    code: list[tuple[str, str]] = []
    for file in (*PURE, *STATEFUL):
        text = (TOP / file).read_text(encoding="utf-8")
        lines = text.splitlines()
        for node, name in functions(ast.parse(text)):
            said = " ".join(line.strip() for line in lines[node.lineno - 1 : node.end_lineno])
            code.append((f"{file} {name}", said))
    for row in tomllib.loads(REASONS.read_text(encoding="utf-8"))["reason"]:
        where, before = row.get("where", ""), row.get("before", "").replace("^", "").replace("$", "")
        assert any(re.search(where, place) and re.search(before, said) for place, said in code), row
