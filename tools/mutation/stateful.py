"""The stateful files, changed one mutant at a time, and judged by real servers and stores.

Rules of this file: a mutant is killed where a test of its file fails or hangs. It is made in a forked child (`forks.py`) and
judged by tests that run its lines, those about its file first, and who survives the quick ones by the slow ones too; where
that cannot be, on a copy of the tree, by the tests about its file.
A sample is drawn by the file's name and a seed, so that a run can be repeated.
"""

from __future__ import annotations

import random
import subprocess
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from tools.mutation.changes import Change, changes_of
from tools.mutation.covering import Covering, find_out
from tools.mutation.files import JUDGES, STATEFUL, TOP, found
from tools.mutation.forks import ELSEWHERE, Plan, change_in_forks
from tools.mutation.mutant import KILLED, SURVIVED, TIMED_OUT, UNTESTED, Mutant, identity, is_left, keep, kept
from tools.trees import PASSED, changed, copied, in_trees, run_tests

__all__ = ["drawn", "run"]

AT_ONCE = 2
PATIENCE = 600.0
"""Seconds for the tests of one mutant; a test that hangs is stopped by its own timeout long before."""

CASES = 12
"""So many cases of one test, the quickest."""
TOGETHER = 150
"""So many tests in one child that changes nothing."""
AT_MOST = 8.0
"""Seconds of tests for one mutant, as measured while the tree stood."""
AT_MOST_AGAIN = 90.0
"""The same for one that survived those: all cases of each test then, the slower ones too."""

Planned = tuple[str, Change]


def run(planned: Sequence[Planned], *, again: bool, near: bool, told: Callable[[Mutant], None]) -> list[Mutant]:
    """Make these changes; what became of each mutant. `told` hears at once.

    With `again` only those are tried that survived before, or are new; what is known of the others stays. With `near` the
    tests about the files are asked, and no others.
    """
    files = list(dict.fromkeys(file for file, _ in planned))
    mutants: list[Mutant] = []
    if again:
        mutants = [mutant for mutant in kept(files) if not is_left(mutant)]
        known = {identity(mutant) for mutant in mutants}
        planned = [one for one in planned if identity(_mutant(*one, SURVIVED)) not in known]
    own = [test for file in files for test in STATEFUL[file]]
    judges = found(*dict.fromkeys(own if near else (*own, *JUDGES)))
    elsewhere = []
    for file, change, outcome in _in_forks(planned, judges):
        if outcome == ELSEWHERE:
            elsewhere.append((file, change))
            continue
        mutants.append(_mutant(file, change, outcome))
        keep(mutants)
        told(mutants[-1])
    with tempfile.TemporaryDirectory(prefix="bearward-mutation-") as place:
        trees = [copied(Path(place) / str(number)) for number in range(AT_ONCE)]
        for mutant in in_trees(_one, elsewhere, trees):
            mutants.append(mutant)
            keep(mutants)
            told(mutant)
    return mutants


def _in_forks(planned: Sequence[Planned], judges: Sequence[str]) -> Iterator[tuple[str, Change, str]]:
    """What became of each."""
    covering = find_out(judges)
    texts = {file: (TOP / file).read_text(encoding="utf-8") for file, _ in planned}
    plans = [_plan(covering, file, texts[file], change) for file, change in planned]
    for failing in _failing(covering, plans, judges):
        print(f"fails in a forked child as the tree stands: {failing}", flush=True)
        covering.leave_out(failing)
    plans = [_plan(covering, file, texts[file], change) for file, change in planned]
    survived: list[Planned] = []
    for number, outcome, _ in change_in_forks(plans, judges):
        if outcome == SURVIVED:
            survived.append(planned[number])
        else:  # lines that no test was seen to run are those of a process of its own, perhaps
            yield *planned[number], ELSEWHERE if outcome == UNTESTED else outcome
    plans = [_plan(covering, file, texts[file], change, again=True) for file, change in survived]
    for number, outcome, _ in change_in_forks(plans, judges):
        file, change = survived[number]
        imported = not set(_span(texts[file], change)).isdisjoint(covering.imported.get(file, ()))
        yield file, change, ELSEWHERE if imported and outcome == SURVIVED else outcome


def _failing(covering: Covering, plans: Sequence[Plan], judges: Sequence[str]) -> list[str]:
    """Those of the tests that cannot judge: they fail in a child that changed nothing."""
    tests = list(dict.fromkeys(test for plan in plans for test in plan.tests))
    parts = [tests[at : at + TOGETHER] for at in range(0, len(tests), TOGETHER)]
    still = [
        Plan("", "", None, part, 60 + 4 * sum(map(covering.seconds.__getitem__, part)), whole=True) for part in parts
    ]
    found_out: list[str] = []
    for number, outcome, failed in change_in_forks(still, judges):
        found_out += failed if outcome in (SURVIVED, KILLED) else parts[number]
    return sorted(set(found_out))


def _span(text: str, change: Change) -> range:
    return range(text.count("\n", 0, change.start) + 1, text.count("\n", 0, change.end) + 2)


def _plan(covering: Covering, file: str, text: str, change: Change, *, again: bool = False) -> Plan:
    span = _span(text, change)
    own = set(found(*STATEFUL[file]))
    tests = _chosen_of(covering, covering.tests(file, span[0], span[-1]), own, again=again)
    patience = 30 + 4 * sum(covering.seconds[test] for test in tests)
    return Plan(str(TOP / file), text, change.made_on_its_lines(text), tests, patience)


def _chosen_of(covering: Covering, tests: list[str], own: set[str], *, again: bool) -> list[str]:
    """Of all that run the lines: the tests about the file, then others; not every case of a table, and not for ever.

    A case of each test comes before the second one of any: what a test takes longer for may be what nothing else notices.
    """
    cases: Counter[str] = Counter()
    rounds: list[tuple[bool, int, str]] = []
    for test in tests:
        name = test.partition("[")[0]
        rounds.append((test.partition("::")[0] not in own, cases[name], test))
        cases[name] += 1
    chosen: list[str] = []
    seconds = 0.0
    for _, case, test in sorted(rounds, key=lambda one: one[:2]):  # stable: quickest first in each
        took = covering.seconds[test]
        if (again or case < CASES) and (seconds + took <= (AT_MOST_AGAIN if again else AT_MOST) or not chosen):
            chosen.append(test)
            seconds += took
    return chosen


def drawn(file: str, sample: int | None = None, seed: int = 0) -> list[Change]:
    """The changes of a file to try: all, or some that the seed picks."""
    changes = changes_of((TOP / file).read_text(encoding="utf-8"))
    if sample is None or sample >= len(changes):
        return changes
    picked = random.Random(f"{file} {seed}").sample(range(len(changes)), sample)  # noqa: S311  (a draw, no secret)
    return [changes[number] for number in sorted(picked)]


def _chosen(tests: tuple[str, ...]) -> list[str]:
    return [*found(*tests), "--exitfirst", "--timeout", "120"]


def _one(planned: Planned, tree: Path) -> Mutant:
    file, change = planned
    text = (TOP / file).read_text(encoding="utf-8")
    with changed(tree / file, change.made(text)):
        outcome = _outcome(file, tree)
    return _mutant(file, change, outcome)


def _mutant(file: str, change: Change, outcome: str) -> Mutant:
    before, after = _lines((TOP / file).read_text(encoding="utf-8"), change)
    return Mutant(file, change.function, before, after, outcome)


def _outcome(file: str, tree: Path) -> str:
    for tier in ("quick", "thorough"):
        try:
            done = run_tests(tree, *_chosen(STATEFUL[file]), "--tier", tier, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            return TIMED_OUT
        if not done.stdout:
            raise RuntimeError(f"no test was run, so nothing is known of {file}:\n{done.stderr[-3000:]}")
        if done.returncode != PASSED:
            return KILLED
    return SURVIVED


def _lines(text: str, change: Change) -> tuple[str, str]:
    """The changed lines, as they were and as they are."""
    first = text.rfind("\n", 0, change.start) + 1
    return _joined(text, first, change.end), _joined(change.made(text), first, change.start + len(change.after))


def _joined(text: str, first: int, end: int) -> str:
    last = text.find("\n", end)
    return " ".join(text[first : last if last >= 0 else None].split())
