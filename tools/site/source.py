"""From the repository's Markdown to the source of the site: copied, with what the code says put in.

Rules of this file: a page is a file of the repository and reads well there too. `<!-- generated: KIND NAME -->` alone on
a line is where the site has what `KIND` makes of `NAME`. A link that leads out of the pages leads to a copy of the file,
or is plain text if it names a folder.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from tools.site.api import api_reference
from tools.site.settings import settings_reference

TOP = Path(__file__).resolve().parents[2]
INDEX = Path("docs/index.md")
ROOT_PAGES = ("README.md", "SECURITY.md", "CHANGELOG.md", "CONTRIBUTING.md")
PATTERNS = (*ROOT_PAGES, "docs/**/*.md", "benchmarks/**/*.md", "tests/vectors/README.md")
LEFT_OUT = frozenset({Path("docs/adr/0000-template.md")})  # linked to nowhere but from the rules for new ones
GENERATORS: Mapping[str, Callable[[str], str]] = {"api": api_reference, "settings": settings_reference}
MARKER = re.compile(r"^<!-- generated: (\w+)(?: (\S+))? -->$", re.MULTILINE)
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?:|#|mailto:)([^)#\s]+)(#[^)\s]+)?\)")
FENCE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def pages() -> list[Path]:
    """Every page, relative to the repository."""
    found = {path.relative_to(TOP) for pattern in PATTERNS for path in TOP.glob(pattern)}
    return sorted(found - LEFT_OUT)


def contents() -> list[Path]:
    """The pages that the tables of contents list, in their order."""
    listed: list[Path] = []
    for tree in TOCTREE.findall((TOP / INDEX).read_text(encoding="utf-8")):
        for entry in (line for line in tree.splitlines() if line and not line.startswith(":")):
            pattern = _normalized(INDEX.parent / f"{entry.partition('<')[2].rstrip('>') or entry}.md")
            listed += [page for page in pages() if fnmatchcase(str(page), str(pattern))]
    return listed


def write_source(place: Path) -> None:
    """Write the source of the site to `place`, which is made anew."""
    shutil.rmtree(place, ignore_errors=True)
    known = set(pages())
    for page in known:
        text = (TOP / page).read_text(encoding="utf-8")
        target = place / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_titled(expanded(_with_links(text, page, place, known)), page), encoding="utf-8")


def expanded(text: str) -> str:
    """The page with what its markers stand for."""
    return MARKER.sub(lambda match: GENERATORS[match[1]](match[2] or ""), text)


def _with_links(text: str, page: Path, place: Path, known: set[Path]) -> str:
    """The page with links that work in the site; files that they lead to are copied beside the pages."""

    def link(match: re.Match[str]) -> str:
        image, label, target, _ = match.groups()
        linked = _normalized(page.parent / target)
        if linked in known:
            return match[0]
        if not (TOP / linked).is_file():
            return f"`{label.strip('`')}`"
        (place / linked).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(TOP / linked, place / linked)
        return f"{image}[{label}]({target})"  # in a copy there are no anchors

    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in FENCE.split(text))


def _titled(text: str, page: Path) -> str:
    """The page with a title, which a table of results has not."""
    return text if re.search(r"^# ", text, re.MULTILINE) else f"# {page.stem.capitalize()}\n\n{text}"


def _normalized(path: Path) -> Path:
    return (TOP / path).resolve().relative_to(TOP)
