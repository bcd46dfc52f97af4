"""`make attack`: the whole table against the core and both samples; the exit code is 1 on any wrong verdict.

`python -m tests.attack core http` picks targets.
"""

# ruff: noqa: T201  (its output is its interface)

from __future__ import annotations

import logging
import sys
import tempfile
from pathlib import Path

from tests.attack.fixtures import fixtures
from tests.attack.score import Score, run
from tests.attack.targets import TARGETS


def main(names: list[str]) -> int:
    """Run, print each target's score, and say whether all of it was right."""
    logging.getLogger("bearward").setLevel(logging.CRITICAL)  # most of the odd sets are worth a warning each
    scores: list[Score] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in names or TARGETS:
            with fixtures() as environment:  # each target meets issuers that nobody has asked before
                config = Path(folder, f"{name}.toml")
                config.write_text(environment.toml(), encoding="utf-8")
                cases = [*environment.cases, *(key_set.case for key_set in environment.odd)]
                hostile = sum(case.hostile for case in environment.cases)
                if not scores:
                    good = len(environment.cases) - hostile
                    print(f"{hostile} hostile tokens, {good} good tokens, {len(environment.odd)} odd JWK Sets")
                with TARGETS[name](config) as target:
                    scores.append(run(environment, target, cases))
            print("\n" + "\n".join(scores[-1].lines()), flush=True)
    passed = all(score.passed for score in scores)
    print("\nno wrong verdict" if passed else "\nWRONG VERDICTS, see above")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
