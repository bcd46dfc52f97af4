"""The reference is complete: every refusal, setting, public name and argument is explained, and links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bearward import Refusal
from bearward.settings.catalogue import VARIABLES
from bearward_grpc import status_of
from bearward_sanic.problem_response import STATUS
from tests.core.test_public_names import PUBLIC
from tools.site import settings
from tools.site.api import public_names, unexplained
from tools.site.source import INDEX, contents, expanded, pages

TOP = Path(__file__).resolve().parents[2]
DOCS = TOP / "docs"
CATALOGUE = (DOCS / "reference" / "refusals.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^### (\w+)\n\n(.*?)(?=\n##|\Z)", CATALOGUE, re.MULTILINE | re.DOTALL))
PACKAGES = (
    *PUBLIC,
    "bearward_grpc",
    "bearward_grpc.client",
    "bearward_grpc.testing",
    "bearward_sanic",
    "bearward_sanic.testing",
)


def test_every_refusal_has_its_section() -> None:
    """The catalogue has one section for each refusal, in the order of the code, and no other."""
    assert list(SECTIONS) == [refusal.code for refusal in Refusal]


@pytest.mark.parametrize("refusal", Refusal, ids=lambda refusal: refusal.code)
def test_section_of_a_refusal(refusal: Refusal) -> None:
    """A section gives both statuses, the OAuth error and the text as they are sent, then a cause, then a cure."""
    first, cause, cure = SECTIONS[refusal.code].strip().split("\n\n")
    error = f", `{refusal.error.value}`" if refusal.error else ""
    assert first == f"HTTP {STATUS[refusal].value}, gRPC {status_of(refusal).name}{error}: *{refusal.message}*."
    assert cause.endswith(".")
    assert cure.startswith("**Cure.** ")


@pytest.mark.parametrize("package", PACKAGES)
def test_public_package_has_its_page(package: str) -> None:
    """Each public package has a page with a section for every public name."""
    page = DOCS / "reference" / "api" / f"{package}.md"
    headings = re.findall(r"^## (\w+)$", expanded(page.read_text(encoding="utf-8")), re.MULTILINE)
    assert sorted(headings) == sorted(public_names(package))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_argument_is_explained(package: str) -> None:
    """A docstring, or `tools/site/arguments.toml`, says what each public name and each of its arguments means."""
    assert unexplained(package) == []


def test_every_setting_is_described() -> None:
    """Each setting of a file and of the environment is on the page of settings, with what it means."""
    assert settings.undescribed() == []
    page = expanded((DOCS / "reference" / "settings.md").read_text(encoding="utf-8"))
    assert [name for name in VARIABLES if f"`{name}`" not in page] == []


def test_every_page_is_in_the_contents() -> None:
    """`docs/index.md` lists each page once."""
    listed = contents()
    assert sorted(listed) == sorted(set(pages()) - {INDEX})


NAMED = sorted(
    {name for page in pages() for name in re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", (TOP / page).read_text())}
)


@pytest.mark.parametrize("named", NAMED)
def test_tests_that_the_pages_name_exist(named: str) -> None:
    """A page that says what shows something names a file of tests, or one function in it."""
    path, _, function = named.partition("::")
    assert f"def {function or ''}" in (TOP / path).read_text(encoding="utf-8")


def test_every_task_of_an_adopter_has_its_page_and_its_test() -> None:
    """The 47 tasks are listed in order; each leads to a page or a command, and names a test."""
    rows = re.findall(
        r"^\| (\d+) \| .* \|$", (DOCS / "evidence" / "tasks.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert rows == [str(number) for number in range(1, 48)]
    lines = [
        line
        for line in (DOCS / "evidence" / "tasks.md").read_text(encoding="utf-8").splitlines()
        if line.startswith("| ")
    ]
    assert [line for line in lines[2:] if "`tests/" not in line or not ("](" in line or "`make " in line)] == []
