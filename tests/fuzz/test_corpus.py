"""Every input that the fuzzer found worth keeping, and every one that ever crashed, is tried again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.seeds import SEEDS
from tests.fuzz.targets import TARGETS

HERE = Path(__file__).parent
CRASHES = sorted(path for path in (HERE / "crashes").glob("*/*") if path.is_file())


@pytest.mark.parametrize("target", TARGETS)
def test_corpus_breaks_no_invariant(target: str) -> None:
    """Seeds and minimized inputs, by their target."""
    inputs = [*SEEDS[target], *(path.read_bytes() for path in sorted((HERE / "corpus" / target).iterdir()))]
    assert len(inputs) > len(SEEDS[target]), "the corpus is in the tree"
    for octets in inputs:
        TARGETS[target](octets)


def test_past_crashes_stay_fixed() -> None:
    """Each crash that was ever kept."""
    for path in CRASHES:
        TARGETS[path.parent.name](path.read_bytes())
