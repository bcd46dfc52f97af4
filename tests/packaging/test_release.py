"""What a release consists of: the index page, the bill of materials, the comparison with the last release."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

import pytest

from bearward import __version__
from tools.release import check, interface, sbom
from tools.release.index_page import description, repository, urls

pytestmark = pytest.mark.thorough

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("address", ["", "https://code.example/bearward"])
def test_index_page_has_no_relative_link(address: str) -> None:
    """Without an address the page has no links of its own; with one, they are absolute. Code stays as it is."""
    page = description(README, address)
    assert check.NOT_ABSOLUTE.findall(re.sub(r"^```.*?^```$", "", page, flags=re.MULTILINE | re.DOTALL)) == []
    assert (f"[docs/grpc.md]({address}/blob/main/docs/grpc.md)" in page) is bool(address)
    assert re.findall(r"^```.*?^```$", page, re.MULTILINE | re.DOTALL) == re.findall(
        r"^```.*?^```$", README, re.MULTILINE | re.DOTALL
    )


def test_addresses_follow_from_one() -> None:
    """The URLs of the metadata are those of the repository, or none."""
    assert urls("") == {}
    assert {"Changelog", "Documentation", "Issues", "Repository"} <= urls("https://code.example/x").keys()
    assert repository() == "" or repository().startswith("https://")


def test_no_page_claims_an_index_that_does_not_have_it() -> None:
    """Until the project has an address, every page installs the wheel that `make build` writes."""
    pages = [TOP / "README.md", *(TOP / "docs").rglob("*.md")]
    installing = [page.name for page in pages if "pip install 'bearward" in page.read_text(encoding="utf-8")]
    assert repository() or installing == []


def test_wheel_shows_that_page(wheel: Path) -> None:
    """The description in the wheel is the page, and names what the repository's address gives."""
    assert list(check.index_page(wheel)) == []


def test_bill_of_materials_is_what_is_installed(wheel: Path, tmp_path: Path) -> None:
    """Every distribution that the wheel with all extras brings is a component, and nothing else; no place is named."""
    python = sbom.installed(wheel, tmp_path)
    document = sbom.bill_of_materials(python)
    program = "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})"
    listed = subprocess.run([str(python), "-c", program], capture_output=True, text=True, check=True).stdout.split()
    found = {component["name"].lower() for component in document["components"]}
    assert found == set(listed) - {"bearward"}
    assert document["metadata"]["component"]["purl"].startswith("pkg:pypi/bearward@")
    text = json.dumps(document)
    assert str(tmp_path) not in text
    assert "file:" not in text
    assert {"ecdsa", "python-jose", "grpcio", "sanic"} <= found


BEFORE = (
    '__all__ = ["gone", "kept", "loose"]\n\n\ndef gone(): ...\n\n\ndef kept(one, two=2): ...\n\n\ndef loose(one): ...\n'
)
NOW = '__all__ = ["kept", "loose", "new"]\n\n\ndef kept(one, two): ...\n\n\ndef loose(one, more=1): ...\n\n\ndef new(): ...\n'


def test_changes_of_the_public_interface(tmp_path: Path) -> None:
    """A name that is gone and an argument that lost its default are reported; what was added is not."""

    def git(*arguments: str) -> None:
        author = ("-c", "user.name=a", "-c", "user.email=a@example.com")
        subprocess.run(["git", *author, *arguments], cwd=tmp_path, check=True, capture_output=True)

    package = tmp_path / "src" / "thing" / "__init__.py"
    package.parent.mkdir(parents=True)
    package.write_text(BEFORE)
    inner = package.with_name("inner.py")
    inner.write_text('__all__ = ["Class"]\n\n\nclass Class:\n    def method(self, one=1): ...\n')
    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "one")
    assert interface.last_release(tmp_path) is None
    git("tag", "v0.9.0")
    git("tag", "v0.10.0")
    package.write_text(NOW)
    inner.write_text(inner.read_text().replace("one=1", "one"))
    git("commit", "-qam", "two")
    git("tag", "v0.11.0")  # the release that is being made is compared with the one before
    last = interface.last_release(tmp_path)
    assert last == "v0.10.0"
    found = list(interface.changes(tmp_path, last, {"thing": "src"}, ["thing", "thing.inner"]))
    assert [line.partition(":")[0] for line in found] == ["thing.gone", "thing.kept", "thing.inner.Class"]


@pytest.mark.parametrize(("found", "verdicts"), [([], 0), (["bearward.gone: was removed"], 2)])
def test_breaking_change_is_no_go(monkeypatch: pytest.MonkeyPatch, found: list[str], verdicts: int) -> None:
    """A version of the same minor as the last release must keep its public names; the reason names what changed."""
    monkeypatch.setattr(check, "last_release", lambda _: f"v{__version__}")
    monkeypatch.setattr(check, "changes", lambda *_: iter(found))
    reasons = list(check.interface())
    assert len(reasons) == verdicts
    assert reasons[1:] == found


@pytest.mark.parametrize(("address", "verdicts"), [("", 1), ("https://code.example/bearward", 0)])
def test_release_without_an_address_is_no_go(monkeypatch: pytest.MonkeyPatch, address: str, verdicts: int) -> None:
    """Without a public address there is no release, and the reason names the one line to fill in."""
    monkeypatch.setattr(check, "repository", lambda: address)
    reasons = list(check.addresses())
    assert len(reasons) == verdicts
    assert all("repository in pyproject.toml" in reason for reason in reasons)


def test_every_public_package_is_compared() -> None:
    """The comparison knows every package whose names are pinned."""
    from tests.core.test_public_names import PUBLIC

    assert {*PUBLIC, "bearward_grpc", "bearward_grpc.client", "bearward_sanic"} <= set(interface.facades())


def test_release_check_judges_everything_it_names() -> None:
    """Each check of `make release-check` says what it is for."""
    assert all(judge.__doc__ for judge in check.CHECKS.values())
    assert len(check.CHECKS) >= 9
