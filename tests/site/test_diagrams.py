"""Diagrams are sources: well-formed, described in words, legible on a light page and on a dark one."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

DIAGRAMS = sorted((Path(__file__).resolve().parents[2] / "docs").rglob("*.svg"))
SVG = "{http://www.w3.org/2000/svg}"


def _luminance(color: str) -> float:
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _contrast(one: str, other: str) -> float:
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("path", DIAGRAMS, ids=lambda path: path.name)
def test_diagram_is_legible_in_light_and_dark(path: Path) -> None:
    """It brings a ground of its own, text contrasts 4.5 to 1 with all that is filled (WCAG 2.2), nothing is loaded."""
    text = path.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    ground = root[0]
    assert (ground.tag, ground.get("width"), ground.get("height")) == (
        f"{SVG}rect",
        root.get("width"),
        root.get("height"),
    )
    assert len(root.get("aria-label", "")) > 30
    ink = "#22201c"
    filled = set(re.findall(r'fill="(#[0-9a-f]{6})"', text)) - {ink}
    assert ground.get("fill") in filled
    assert min(_contrast(ink, color) for color in filled) >= 4.5
    assert "href" not in text
    assert not re.search(r"<(script|image|style|foreignObject)", text)


def test_site_has_diagrams() -> None:
    """Each is on a page."""
    pages = "".join(page.read_text(encoding="utf-8") for page in DIAGRAMS[0].parents[1].glob("*.md"))
    assert len(DIAGRAMS) >= 3
    assert [path.name for path in DIAGRAMS if path.name not in pages] == []
