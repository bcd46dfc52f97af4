"""The pictures of the documentation, made by driving the page: `make pictures` puts them into `docs/images`."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from samples.processes import Process
from tests.samples.playground.chromium import INSTALLED, Page
from tests.samples.playground.conftest import Api

pytestmark = [
    pytest.mark.interop,
    pytest.mark.thorough,
    pytest.mark.skipif(not INSTALLED, reason="chromium is not installed"),
]

IMAGES = Path(__file__).resolve().parents[3] / "docs" / "images"
SIZES = {"playground-desktop.png": (1360, 940), "playground-dark.png": (1360, 940), "playground-phone.png": (360, 780)}
LARGEST = 300_000


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the pictures go: `docs/images` for `make pictures`, otherwise away."""
    chosen = Path(os.environ.get("PLAYGROUND_PICTURES", tmp_path)).absolute()
    chosen.mkdir(exist_ok=True)
    return chosen


def test_pictures_of_the_page(browser: Page, playground: Process, api: Api, folder: Path) -> None:
    """A refused token on a desktop, streams that ended in the dark, and the answers on a phone."""
    api.do("issuer", to="up")
    browser.prefers(color_scheme="light", reduced_motion="reduce")
    browser.size(*SIZES["playground-desktop.png"])
    browser.open(playground.url())
    browser.until("document.querySelectorAll('.answer').length === 3 && !!document.querySelector('server-table table')")
    browser.click("HS256 with the public key", "mint-form")
    browser.until("document.querySelector('.summary').textContent.includes('algorithm_not_allowed')")
    browser.run("scrollTo(0, 0)")
    browser.picture(folder / "playground-desktop.png")

    browser.prefers(color_scheme="dark", reduced_motion="reduce")
    browser.click("Close all", "stream-list")
    browser.click("Mint and send")
    browser.until("document.querySelector('.summary').textContent === 'All three accept'")
    browser.click("Open all four", "stream-list")
    browser.until("document.querySelectorAll('.streams li[data-state=open]').length === 4")
    browser.click("Rotate the key")
    browser.click("Revoke the session")
    browser.until("document.querySelectorAll('.streams li[data-state=ended]').length === 4")
    browser.run("document.querySelector('#live').scrollIntoView({ behavior: 'instant' })")
    browser.picture(folder / "playground-dark.png")

    browser.prefers(color_scheme="light", reduced_motion="reduce")
    browser.size(*SIZES["playground-phone.png"], scale=2)
    browser.click("other audience", "mint-form")
    browser.until("document.querySelector('.summary').textContent.includes('audience_mismatch')")
    browser.run("document.querySelector('#answers').scrollIntoView({ behavior: 'instant' })")
    browser.picture(folder / "playground-phone.png")
    browser.open("about:blank")
    for name, size in SIZES.items():
        scale = 2 if "phone" in name else 1
        assert _size(folder / name) == (size[0] * scale, size[1] * scale)
        assert (folder / name).stat().st_size < LARGEST


@pytest.mark.parametrize("name", SIZES)
def test_documentation_shows_the_pictures(name: str) -> None:
    """They are in the repository, small, and shown on the page about the playground."""
    assert (IMAGES / name).stat().st_size < LARGEST
    assert f"images/{name}" in (IMAGES.parent / "playground.md").read_text()


def _size(path: Path) -> tuple[int, int]:
    """Width and height in a PNG's first chunk (ISO/IEC 15948, 11.2.2)."""
    width, height = struct.unpack(">II", path.read_bytes()[16:24])
    return width, height
