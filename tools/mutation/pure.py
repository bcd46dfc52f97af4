"""The pure files, changed in every way by mutmut 3 on a copy below `.cache` that is laid out as mutmut wants it."""

from __future__ import annotations

import ast
import difflib
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.mutation.files import TOP, judges
from tools.mutation.mutant import KILLED, SURVIVED, TIMED_OUT, UNTESTED, Mutant

__all__ = ["run"]

WORK = TOP / ".cache" / "mutation"
SOURCE = WORK / "mutants" / "src" / "bearward"
NOT_FOR_THIS = ("adapters", "interop", "packaging", "samples", "attack", "differential", "fuzz", "promises", "tiers.py")
OUR_OPTIONS = '"tests.tiers", '  # in the list of plugins of tests/conftest.py
OUTCOMES = {1: KILLED, 0: SURVIVED, 33: UNTESTED, 36: TIMED_OUT, 24: TIMED_OUT}

CONFIGURATION = """
[project]
name = "bearward"
version = "0"
[tool.pytest.ini_options]
pythonpath = ["src", "."]
addopts = "-p no:randomly -p no:cacheprovider"
markers = ["thorough", "interop"]
[tool.mutmut]
paths_to_mutate = {paths}
also_copy = ["src/bearward", "tests"]
pytest_add_cli_args_test_selection = {tests}
"""


def run(files: Sequence[str]) -> list[Mutant]:
    """Change these files in every way; what became of each mutant."""
    set_up(files)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2"]
    with (WORK / "log").open("w") as log:
        done = subprocess.run(command, cwd=WORK, check=False, stdout=log, stderr=subprocess.STDOUT)
    if done.returncode:
        raise RuntimeError(f"mutmut ended early, so nothing is known of these files; see {WORK / 'log'}")
    return read()


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
            mutants.append(Mutant(file, plain, before, after, OUTCOMES.get(code, "not run")))
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
