"""The tutorial, followed word by word from an empty directory with only the built wheel."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from bearward import Refusal
from tests.packaging.conftest import dist, wheel  # fixtures
from tests.site.tutorial import Reader, blocks, free_ports

__all__ = ["dist", "wheel"]

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400)]

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "tutorial.md").read_text(encoding="utf-8")
SAID_BY_THE_LOG = ("metadata belongs to another issuer", "orders.orders", "cannot connect")
PORTS = ["9000", "8000", "50051"]


def test_tutorial_word_by_word(wheel: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every file is written, every command is run, and prints what the page says."""
    shutil.copy(wheel, tmp_path)
    log = tmp_path_factory.mktemp("log") / "log.txt"
    environment = {
        "PIP_CONSTRAINT": str(TOP / "constraints.txt"),  # the versions of this project; the page names none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_NO_COMPILE": "0",  # for pip, no to compiling: what is never imported need not be compiled
        "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "",
    }
    with Reader(tmp_path, environment, log) as reader:
        for block in blocks(PAGE, free_ports(PORTS)):
            reader.follow(block)
    logged = log.read_text(encoding="utf-8")
    assert [text for text in SAID_BY_THE_LOG if text not in logged] == []


@pytest.mark.parametrize("code", sorted(set(re.findall(r'"code": "(\w+)"', PAGE))))
def test_each_refusal_of_the_tutorial_leads_to_its_section(code: str) -> None:
    """A code that the reader meets is in the catalogue, and the page links to its section."""
    assert code.upper() in Refusal.__members__
    assert f"[{code}](reference/refusals.md#{code})" in PAGE
