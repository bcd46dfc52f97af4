"""What `docs/issuers.md` tells readers to configure: each block is a configuration, and the shapes are judged by it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bearward.settings import Settings
from tests.interop.manifest import HERE, TOP

PAGE = (TOP / "docs" / "issuers.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## (.*?)\n.*?^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
SHAPES = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((HERE / "shapes").glob("*.json"))}


@pytest.mark.parametrize("section", BLOCKS)
def test_a_block_is_a_configuration(section: str, tmp_path: Path) -> None:
    """It is accepted as it stands, and says whose tokens for whom."""
    file = tmp_path / "settings.toml"
    file.write_text(BLOCKS[section], encoding="utf-8")
    settings = Settings.from_toml(file)
    settings.verifier()
    assert all(issuer.audience or issuer.client_ids for issuer in settings.issuers)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_its_section_its_sources_and_both_verdicts(shape: str) -> None:
    """A shape brings its own trust only where nothing of it is accepted; each source says what it is the source of."""
    fixture = SHAPES[shape]
    wanted = {token["wanted"] for token in fixture["tokens"]}
    assert (fixture["name"] in BLOCKS) is ("trust" not in fixture) is ("accepted" in wanted)
    assert wanted - {"accepted"}
    assert all(source["url"].startswith("https://") and source["says"] for source in fixture["sources"])
