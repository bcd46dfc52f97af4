"""The site builds without a warning, its links and anchors lead somewhere, and a browser needs no network for it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.made_once import made_once
from tools.site import build, source

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]  # half a minute of one quiet core


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built site; building it is the first test."""

    def make(place: Path) -> None:
        assert build.build(place) == []

    return made_once(tmp_path_factory, "site", make) / "html"


def test_every_page_is_built(site: Path) -> None:
    """Each page of the contents is a page of the site, and the first page leads to the contents."""
    assert [page for page in source.contents() if not (site / page.with_suffix(".html")).is_file()] == []
    assert "docs/index.html" in (site / "index.html").read_text()


def test_search_works_offline(site: Path) -> None:
    """The index of the search is a script beside the pages; it finds a refusal and an argument."""
    index = (site / "searchindex.js").read_text()
    terms = json.loads(index.removeprefix("Search.setIndex(").removesuffix(")"))["terms"]
    assert {"token_expir", "stale_if_error"} <= terms.keys()  # words are stemmed


@pytest.mark.interop
@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs chromium")
def test_browser_finds_a_refusal_without_a_network(site: Path) -> None:
    """The search page, opened as a file, lists the catalogue of refusals for a code."""
    flags = ("--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND")
    page = f"{(site / 'search.html').as_uri()}?q=token_expired"
    command = ["chromium", *flags, "--virtual-time-budget=20000", "--dump-dom", page]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert 'href="docs/reference/refusals.html' in done.stdout


def test_foreign_resources_are_found(tmp_path: Path) -> None:
    """A script, a picture or a style from another host, and a link to a missing anchor, are problems."""
    (tmp_path / "a.html").write_text(
        '<script src="https://cdn.example/x.js"></script><a href="#gone">x</a><a href="b.html">'
    )
    (tmp_path / "a.css").write_text("@font-face { src: url( 'https://fonts.example/x' ) } p { color: url(http://x) }")
    assert list(build.broken(tmp_path)) == ["a.html: #gone: no such anchor", "a.html: b.html: no such page"]
    assert len(list(build.foreign(tmp_path))) == 2


def test_warning_fails_the_build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cross reference that leads nowhere is a problem that names its page."""

    def with_a_bad_link(place: Path) -> None:
        (place / "docs").mkdir(parents=True)
        (place / "docs" / "index.md").write_text("# Contents\n\n[nowhere](nowhere.md)\n")

    monkeypatch.setattr(build, "write_source", with_a_bad_link)
    assert any(problem.startswith("docs/index.md:3:") for problem in build.build(tmp_path))
