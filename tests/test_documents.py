"""Documents hold together: decisions are numbered and listed, links lead somewhere, what runs generate has one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[1]
DECISIONS = TOP / "docs" / "adr"
FOLDERS = (".", "docs/**", "benchmarks", "benchmarks/*", "tests/*", "examples")
PAGES = sorted({path.relative_to(TOP) for folder in FOLDERS for path in TOP.glob(f"{folder}/*.md")})
LINK = re.compile(r"\[[^\]]*\]\((?!https?:|#)([^)#\s]+)(?:#([^)\s]+))?\)")


def _decisions() -> list[Path]:
    return sorted(path for path in DECISIONS.glob("[0-9]*.md") if not path.name.startswith("0000"))


def test_decisions_are_numbered_without_gaps() -> None:
    """The ADRs are 0001 to N, and each one's title begins with its number."""
    decisions = _decisions()
    assert [path.name[:4] for path in decisions] == [f"{number:04}" for number in range(1, len(decisions) + 1)]
    assert [path.read_text().partition(":")[0] for path in decisions] == [f"# {path.name[:4]}" for path in decisions]


def test_every_decision_is_in_the_index() -> None:
    """`docs/adr/README.md` has one line for each ADR, with its title, in order."""
    rows = re.findall(r"^\| \[\d{4}\]\((\S+)\) \| (.*?) \|", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    titles = [(path.name, path.read_text().splitlines()[0].partition(": ")[2]) for path in _decisions()]
    assert rows == titles


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link names a file that exists, and an anchor names one of its headings."""
    for target, anchor in LINK.findall((TOP / page).read_text(encoding="utf-8")):
        linked = (TOP / page).parent / target
        assert linked.exists(), target
        if anchor:
            assert anchor in _anchors(linked), f"{target}#{anchor}"


def test_evidence_has_a_page_for_each_run_that_writes_one() -> None:
    """What runs generate or found, and what tests hold to be so, is in `docs/evidence`, and nothing else is."""
    assert {path.stem for path in (TOP / "docs" / "evidence").iterdir()} == {
        "attacks", "deployments", "differential", "fuzzing", "interop", "mutation", "promises", "python-jose", "tasks",
    }  # fmt: skip


def test_evidence_names_tests_that_exist() -> None:
    """A page may outlive a test that was renamed; then it shows nothing."""
    for page in (TOP / "docs" / "evidence").glob("*.md"):
        for path, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page.read_text(encoding="utf-8")):
            assert f"def {name}" in (TOP / path).read_text(encoding="utf-8"), f"{page.name}: {path}::{name}"


def test_results_have_one_layout() -> None:
    """Every suite's results are `benchmarks/results/<name>.json`, with a table in `.md`; none lie beside the code."""
    results = TOP / "benchmarks" / "results"
    tables = {path.stem for path in results.glob("*.md")}
    assert {path.suffix for path in results.iterdir()} <= {".json", ".md", ".svg"}
    assert {path.stem for path in results.glob("*.json")} - {"library-pyperf"} == tables
    assert {path.parent.name for path in (TOP / "benchmarks").glob("*/*.json")} == {"results"}


def test_continuous_integration_runs_what_anybody_can_run() -> None:
    """The workflow calls `.ci/run`, and the hooks call the project's own tools."""
    assert "run: .ci/run\n" in (TOP / ".github" / "workflows" / "ci.yml").read_text()
    entries = re.findall(r"entry: (\S+) (\S+)", (TOP / ".pre-commit-config.yaml").read_text())
    targets = set(re.findall(r"^([a-z-]+):", (TOP / "Makefile").read_text(), re.MULTILINE))
    assert {tool for tool, _ in entries} == {"make", ".venv/bin/ruff"}
    assert {argument for tool, argument in entries if tool == "make"} <= targets


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
