"""Build the site and check it: no warning, no link that leads nowhere, nothing that is loaded from another host."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from tools.site.source import INDEX, write_source

HERE = Path(__file__).resolve().parent
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}
FIRST_PAGE = """\
<!doctype html><meta charset="utf-8"><title>bearward</title>
<meta http-equiv="refresh" content="0; url={page}"><a href="{page}">bearward</a>
"""


def build(place: Path) -> list[str]:
    """Build into `place/html`, and return what is wrong with it: nothing, where all is well."""
    source, html = place / "source", place / "html"
    write_source(source)
    options = (
        "-b",
        "html",
        "-q",
        "--no-color",
        "-W",
        "--keep-going",
        "-E",
        "-c",
        str(HERE),
        "-d",
        str(place / "doctrees"),
    )
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(html)]
    done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, check=False)
    if done.returncode:
        return [line.replace(f"{source}/", "") for line in done.stderr.splitlines()]
    (html / "index.html").write_text(FIRST_PAGE.format(page=INDEX.with_suffix(".html")))
    return [*broken(html), *foreign(html)]


class _Page(HTMLParser):
    """What a page defines, links to and loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what matters of one element."""
        given = {name: value for name, value in attrs if value}
        if "id" in given:
            self.anchors.add(given["id"] or "")
        if tag == "a" and "href" in given:
            self.links.append(given["href"] or "")
        if tag == "link" and given.get("rel") not in ("canonical", None):
            self.loaded.append(given.get("href") or "")
        if tag in LOADED and LOADED[tag] in given:
            self.loaded.append(given[LOADED[tag]] or "")


def broken(html: Path) -> Iterator[str]:
    """Links within the site whose page or anchor is not there."""
    built = {path: _Page(path.read_text(encoding="utf-8")) for path in html.rglob("*.html")}
    for path, page in built.items():
        for link in page.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{path.relative_to(html)}: {link}: no such page"
            elif parts.fragment and target in built and unquote(parts.fragment) not in built[target].anchors:
                yield f"{path.relative_to(html)}: {link}: no such anchor"


def foreign(html: Path) -> Iterator[str]:
    """What a page or a style sheet would load from another host."""
    for path in html.rglob("*.html"):
        for loaded in _Page(path.read_text(encoding="utf-8")).loaded:
            if urlsplit(loaded).netloc:
                yield f"{path.relative_to(html)}: loads {loaded}"
    for path in html.rglob("*.css"):
        text = path.read_text(encoding="utf-8").replace(" ", "")
        for opening in ("url(http", "url(//", 'url("http', "@importurl(http", '@import"http'):
            if opening in text:
                yield f"{path.relative_to(html)}: loads from another host: {opening}"
