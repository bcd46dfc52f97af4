"""The mutation tool changes what it says it changes, and its table of files and tests cannot rot."""

from __future__ import annotations

import ast
import re
import tomllib

import pytest

from tools.mutation.changes import changes_of, functions
from tools.mutation.files import PURE, STATEFUL, TOP, found, judges
from tools.mutation.mutant import KILLED, REASONS, SURVIVED, UNTESTED, Mutant
from tools.mutation.pure import functions_left
from tools.mutation.stateful import drawn

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


@pytest.mark.thorough
@pytest.mark.parametrize("file", STATEFUL)
def test_changes_are_still_python(file: str) -> None:
    """In each stateful file there is something to change, and the changes can be parsed (forty of each file are)."""
    text = (TOP / file).read_text(encoding="utf-8")
    changes = changes_of(text)
    assert changes
    for change in changes[:: len(changes) // 40 + 1]:
        ast.parse(change.made(text))


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
