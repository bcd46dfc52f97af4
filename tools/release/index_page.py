"""The page that a package index shows: the README with links that work there, and the addresses of the project.

Rules of this file: it runs while hatchling builds, so it imports hatchling and the standard library alone. The project's
address is said once, as `repository` in `[tool.bearward]` of `pyproject.toml`. While it is empty, the page has no links
of its own and no addresses, rather than broken ones.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

TOP = Path(__file__).resolve().parents[2]
LINK = re.compile(r"(!?)\[([^\]]*)\]\((?!https?://|#)([^)\s]+)\)")
FENCE = re.compile(r"^(```.*?^```)$", re.MULTILINE | re.DOTALL)


class IndexPage(MetadataHookInterface):
    """Gives hatchling `readme` and `urls`."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Called with the table `[project]` while the package is built."""
        address = repository()
        text = (TOP / "README.md").read_text(encoding="utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": description(text, address)}
        metadata["urls"] = urls(address)


def repository() -> str:
    """The address of the repository; empty if it has none yet."""
    settings = tomllib.loads((TOP / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["bearward"]
    return str(settings["repository"]).rstrip("/")


def description(text: str, address: str) -> str:
    """The README with links that work on another page: absolute ones, or none."""

    def link(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        return f"{image}[{label}]({address}/blob/main/{target})" if address else label

    return "".join(part if part.startswith("```") else LINK.sub(link, part) for part in FENCE.split(text))


def urls(address: str) -> dict[str, str]:
    """What an index lists beside the description."""
    if not address:
        return {}
    return {
        "Repository": address,
        "Documentation": f"{address}/tree/main/docs",
        "Changelog": f"{address}/blob/main/CHANGELOG.md",
        "Issues": f"{address}/issues",
        "Security": f"{address}/security/policy",
    }
