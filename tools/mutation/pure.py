"""The pure files, changed in every way by mutmut 3 on a copy below `.cache` that is laid out as mutmut wants it."""

from __future__ import annotations

import ast
import difflib
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tools.mutation.files import TOP, judges
from tools.mutation.mutant import (
    KILLED,
    NOT_RUN,
    SURVIVED,
    TIMED_OUT,
    UNTESTED,
    Mutant,
    identity,
    is_left,
    kept,
)

__all__ = ["run"]

WORK = TOP / ".cache" / "mutation"
SOURCE = WORK / "mutants" / "src" / "bearward"
NOT_FOR_THIS = ("adapters", "interop", "packaging", "samples", "attack", "differential", "fuzz", "promises", "tiers.py")
OUR_OPTIONS = '"tests.tiers", '  # in the list of plugins of tests/conftest.py
OUTCOMES = {0: SURVIVED, 1: KILLED, 3: KILLED, 5: UNTESTED, 33: UNTESTED}
OUTCOMES |= dict.fromkeys((36, 24, -24, 152, 255, -9), TIMED_OUT)  # by mutmut's clock, or its limit of CPU seconds

CONFIGURATION = """
[project]
name = "bearward"
version = "0"
[tool.pytest.ini_options]
pythonpath = ["src", "."]
addopts = "-p no:randomly -p no:cacheprovider -m 'not thorough'"
markers = ["thorough", "interop"]
[tool.mutmut]
paths_to_mutate = {paths}
also_copy = ["src/bearward", "tests"]
pytest_add_cli_args_test_selection = {tests}
"""


def run(files: Sequence[str], *, again: bool = False) -> list[Mutant]:
    """Change these files in every way; what became of each mutant.

    With `again` only those functions are changed in which a mutant survived before, or is not known; what is known of
    the others stays.
    """
    set_up(files)
    held = [mutant for mutant in kept(files) if mutant.outcome != NOT_RUN] if again else []
    _mutmut(functions_left(held) or [name_of(mutant) for mutant in held[:1]])  # of one, so that all are made
    unknown = sorted({name_of(mutant) for mutant in _with(held) if mutant.outcome == NOT_RUN})
    if held and unknown:
        _mutmut(unknown)
    return _with(held)


def _with(held: Iterable[Mutant]) -> list[Mutant]:
    """What mutmut found out, and of what it did not change what is known."""
    known = {identity(mutant): mutant for mutant in held}
    return [known.get(identity(mutant), mutant) if mutant.outcome == NOT_RUN else mutant for mutant in read()]


def functions_left(mutants: Iterable[Mutant]) -> list[str]:
    """The functions in which some survived, as mutmut is told of them."""
    return sorted({name_of(mutant) for mutant in mutants if is_left(mutant)})


def name_of(mutant: Mutant) -> str:
    """The pattern of mutmut's names for all mutants of this one's function."""
    module = mutant.file.removeprefix("core/").removesuffix(".py").replace("/", ".")
    function = f"xǁ{mutant.function.replace('.', 'ǁ')}" if "." in mutant.function else f"x_{mutant.function}"
    return f"{module}.{function}__mutmut_*"


def _mutmut(names: Sequence[str]) -> None:
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2", *names]
    with (WORK / "log").open("w") as log:
        done = subprocess.run(command, cwd=WORK, check=False, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"mutmut ended early, so nothing is known of these files; see {WORK / 'log'}")


def set_up(files: Sequence[str]) -> None:
    """The copy, anew."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(TOP / "core" / "bearward", WORK / "src" / "bearward")
    shutil.copytree(TOP / "tests", WORK / "tests", ignore=shutil.ignore_patterns(*NOT_FOR_THIS))
    conftest = WORK / "tests" / "conftest.py"
    text = conftest.read_text()
    if OUR_OPTIONS not in text:
        raise RuntimeError("tests/conftest.py no longer loads the tiers as it did")
    conftest.write_text(text.replace(OUR_OPTIONS, ""))
    paths = json.dumps([file.replace("core/", "src/", 1) for file in files])
    tests = json.dumps(judges(files))
    (WORK / "pyproject.toml").write_text(CONFIGURATION.format(paths=paths, tests=tests))


def read() -> list[Mutant]:
    """What mutmut found out."""
    mutants: list[Mutant] = []
    for meta in sorted(SOURCE.rglob("*.meta")):
        functions = functions_of(meta.with_suffix(""))
        file = f"core/bearward/{meta.with_suffix('').relative_to(SOURCE)}"
        for key, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            name = key.rpartition(".")[2]
            original = name.rpartition("__mutmut_")[0]
            before, after = difference(functions.get(f"{original}__mutmut_orig", []), functions.get(name, []))
            plain = original.removeprefix("x_").replace("xǁ", "").replace("ǁ", ".")
            mutants.append(Mutant(file, plain, before, after, OUTCOMES.get(code, NOT_RUN)))
    return mutants


def functions_of(path: Path) -> dict[str, list[str]]:
    """The lines of each function of a file, without its name, which mutmut makes up."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: _nameless(lines[node.lineno - 1 : node.end_lineno], node.name) for node in nodes}


def _nameless(lines: list[str], name: str) -> list[str]:
    return [lines[0].replace(f"def {name}(", "def ("), *lines[1:]]


def difference(before: list[str], after: list[str]) -> tuple[str, str]:
    """The changed lines, as they were and as they are."""
    changed = [line for line in difflib.unified_diff(before, after, n=0, lineterm="") if line[:3] not in ("---", "+++")]
    gone = " ".join(line[1:].strip() for line in changed if line.startswith("-"))
    come = " ".join(line[1:].strip() for line in changed if line.startswith("+"))
    return gone, come
