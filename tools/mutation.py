"""`python tools/mutation.py`: change the pure files in every small way, and see whether a test notices (mutmut 3).

Rules of this file: it works on a copy below `.cache`, laid out as mutmut wants it, and never touches the tree. Who
survives must be explained in `tools/mutation_reasons.toml`; `docs/evidence/mutation.md` is written from both. The exit code is 1
where a survivor has no explanation. It takes long: `python tools/mutation.py jose/jwk.py policy.py` runs the named files
only and keeps what earlier runs found out about the others; `--report` runs none. The page needs all of them.
"""

from __future__ import annotations

import ast
import difflib
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
WORK = TOP / ".cache" / "mutation"
PAGE = TOP / "docs" / "evidence" / "mutation.md"
REASONS = TOP / "tools" / "mutation_reasons.toml"
FOUND = TOP / ".cache" / "mutants"
PURE = (
    *sorted(f"jose/{path.name}" for path in (TOP / "core/bearward/jose").glob("[a-z]*.py")),
    *(f"{name}.py" for name in ("claims", "credentials", "challenge", "requirements", "principal", "policy")),
    *(f"{name}.py" for name in ("verification", "confirmation", "tenants", "jwks/freshness")),
    *(f"{name}.py" for name in ("revocation", "revocation_entry", "revocation_text")),
)
NOT_FOR_THIS = ("adapters", "interop", "packaging", "samples", "attack", "differential", "fuzz")
KILLED, SURVIVED, UNTESTED = 1, 0, 33
OUTCOMES = {KILLED: "killed", SURVIVED: "survived", UNTESTED: "not run by any test", 36: "timed out", 24: "timed out"}

CONFIGURATION = """
[project]
name = "bearward"
version = "0"
[tool.pytest.ini_options]
pythonpath = ["src", "."]
addopts = "-p no:randomly -p no:cacheprovider"
[tool.mutmut]
paths_to_mutate = {paths}
also_copy = ["src/bearward", "tests"]
pytest_add_cli_args_test_selection = {tests}
"""
TESTS = (
    "jose",
    *(f"test_{name}.py" for name in ("challenge", "claims", "confirmation", "configuration_errors", "credentials")),
    *(
        f"test_{name}.py"
        for name in (
            "edges",
            "edges_of_keys",
            "edges_of_time_and_size",
            "errors",
            "policy",
            "principal",
            "requirements",
            "revocation",
            "revocation_text",
            "tenants",
            "verifier",
        )
    ),
    "jwks/test_freshness.py",
)


@dataclass(frozen=True)
class Mutant:
    """One change: where, what it took away, what it put there, and what became of it."""

    file: str
    function: str
    before: str
    after: str
    outcome: str


def main() -> int:
    """Run and report."""
    if "--report" not in sys.argv:
        set_up([name for name in sys.argv[1:] if name in PURE] or PURE)
        command = [sys.executable, "-m", "mutmut", "run", "--max-children", "2"]
        subprocess.run(command, cwd=WORK, check=False, stdout=(WORK / "log").open("w"), stderr=subprocess.STDOUT)
        keep(read())
    mutants = kept()
    missing = sorted({*PURE} - {mutant.file for mutant in mutants})
    if missing:
        print(f"no page: nothing is known yet about {', '.join(missing)}")
    unexplained = [] if missing else report(mutants)
    unexplained = unexplained or [mutant for mutant in mutants if is_left(mutant) and reason(mutant) is None]
    for mutant in unexplained:
        print(f"{mutant.file} {mutant.function}\n  - {mutant.before}\n  + {mutant.after}")
    print(f"{len(mutants)} mutants, {len(unexplained)} survived without an explanation")
    return 1 if unexplained or missing else 0


def set_up(files: Iterable[str]) -> None:
    """The copy, anew."""
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(TOP / "core" / "bearward", WORK / "src" / "bearward")
    shutil.copytree(TOP / "tests", WORK / "tests", ignore=shutil.ignore_patterns(*NOT_FOR_THIS))
    paths = json.dumps([f"src/bearward/{path}" for path in files])
    tests = json.dumps([f"tests/core/{path}" for path in TESTS])
    (WORK / "pyproject.toml").write_text(CONFIGURATION.format(paths=paths, tests=tests))


def read() -> list[Mutant]:
    """What mutmut found out."""
    found: list[Mutant] = []
    for meta in sorted((WORK / "mutants" / "src" / "bearward").rglob("*.meta")):
        functions = functions_of(meta.with_suffix(""))
        file = str(meta.with_suffix("").relative_to(WORK / "mutants" / "src" / "bearward"))
        for key, code in json.loads(meta.read_text())["exit_code_by_key"].items():
            name = key.rpartition(".")[2]
            original = name.rpartition("__mutmut_")[0]
            before, after = difference(functions.get(f"{original}__mutmut_orig", []), functions.get(name, []))
            plain = original.removeprefix("x_").replace("xǁ", "").replace("ǁ", ".")
            found.append(Mutant(file, plain, before, after, OUTCOMES.get(code, "not run")))
    return found


def keep(mutants: Iterable[Mutant]) -> None:
    """By file, for the runs to come."""
    FOUND.mkdir(parents=True, exist_ok=True)
    by_file: dict[str, list[dict[str, str]]] = {}
    for mutant in mutants:
        by_file.setdefault(mutant.file, []).append(asdict(mutant))
    for file, rows in by_file.items():
        (FOUND / f"{file.replace('/', '-')}.json").write_text(json.dumps(rows), encoding="utf-8")


def kept() -> list[Mutant]:
    """What this run and those before it found out."""
    paths = (FOUND / f"{file.replace('/', '-')}.json" for file in sorted(PURE))
    return [Mutant(**row) for path in paths if path.exists() for row in json.loads(path.read_text(encoding="utf-8"))]


def functions_of(path: Path) -> dict[str, list[str]]:
    """The lines of each function of a file, without the first."""
    text = path.read_text(encoding="utf-8")
    lines = text.splitlines()
    nodes = [node for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    return {node.name: lines[node.lineno : node.end_lineno] for node in nodes}


def difference(before: list[str], after: list[str]) -> tuple[str, str]:
    """The changed lines, as they were and as they are."""
    changed = [line for line in difflib.unified_diff(before, after, n=0, lineterm="") if line[:3] not in ("---", "+++")]
    gone = " ".join(line[1:].strip() for line in changed if line.startswith("-"))
    come = " ".join(line[1:].strip() for line in changed if line.startswith("+"))
    return gone, come


def reason(mutant: Mutant) -> str | None:
    """The first explanation whose patterns fit."""
    for row in tomllib.loads(REASONS.read_text(encoding="utf-8"))["reason"]:
        where = f"{mutant.file} {mutant.function}"
        texts = (("where", where), ("before", mutant.before), ("after", mutant.after))
        if all(re.search(row.get(name, ""), text) for name, text in texts):
            return str(row["why"])
    return None


def is_left(mutant: Mutant) -> bool:
    """Whether no test noticed."""
    return mutant.outcome in (OUTCOMES[SURVIVED], OUTCOMES[UNTESTED])


def report(mutants: list[Mutant]) -> list[Mutant]:
    """Write the page; answer who survived without an explanation."""
    counts = {file: Counter(m.outcome for m in mutants if m.file == file) for file in sorted({m.file for m in mutants})}
    columns = [outcome for outcome in dict.fromkeys(OUTCOMES.values()) if any(c[outcome] for c in counts.values())]
    columns += ["not run"] if any(c["not run"] for c in counts.values()) else []
    table = [f"| file | mutants | {' | '.join(columns)} |", "| --- " * (len(columns) + 2) + "|"]
    total: Counter[str] = sum(counts.values(), Counter())
    for file, count in [*counts.items(), ("all", total)]:
        table.append(f"| {file} | {count.total()} | {' | '.join(str(count[column]) for column in columns)} |")
    left = [mutant for mutant in mutants if is_left(mutant)]
    explained = Counter(reason(mutant) for mutant in left)
    unexplained = [mutant for mutant in left if reason(mutant) is None]
    reasons = [f"| {count} | {why} |" for why, count in explained.most_common() if why is not None]
    open_rows = [f"- `{m.file}` {m.function}: `{m.before}` became `{m.after}`" for m in unexplained]
    page = [HEAD, *table, "", WHY, "| mutants | why no test needs to notice |", "| --- | --- |", *reasons]
    page += ["", "## Neither killed nor explained yet", "", *open_rows] if open_rows else []
    PAGE.write_text("\n".join(page) + "\n", encoding="utf-8")
    return unexplained


HEAD = """# Mutation testing

Written by `make mutation` (`tools/mutation.py`, mutmut 3): every pure file is changed in every small way, and the tests
of the core are to notice. Killed means that one did. The property tests, the attack table and the fuzzer are left out of
the run: they would notice more, and each mutant would take minutes. Files that speak to a store (`revocation_log.py`,
`revocation_shared.py`, most of `jwks/`) are not pure and not changed here: their tests run against real servers.
"""
WHY = """## Who survived, and why

Each survivor is matched with an explanation in `tools/mutation_reasons.toml`; one without fails the command.
"""

if __name__ == "__main__":
    sys.exit(main())
