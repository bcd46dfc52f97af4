"""`docs/issuers.md` is what the profiles say today, and its settings judge the documented shapes rightly."""

from __future__ import annotations

import json
import re
import time
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bearward import AuthError, Verifier, profiles
from bearward.settings.issuers import trusted_issuers
from bearward.testing import json_octets, sign_segments
from tests.conftest import Run
from tests.profiles.table import ACCEPTED, key_of
from tools.issuers_page import PAGE, SECTIONS, Section, page

PYTHON = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
SHAPES = Path(__file__).parents[1] / "interop" / "shapes"
CASES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (shape, token)
    for file in sorted(SHAPES.glob("*.json"))
    for shape in [json.loads(file.read_text(encoding="utf-8"))]
    if "trust" not in shape
    for token in shape["tokens"]
]


def test_page_is_generated_from_the_profiles() -> None:
    """`make issuers` would change nothing."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_names_of_claims_are_code_once() -> None:
    """Whether a profile writes a claim with backticks or without, the page shows one code span."""
    assert "``" not in page().replace("```", "")


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.row.title)
def test_settings_of_a_section_are_the_profile(section: Section) -> None:
    """The block of settings comes to the very policy that the function beside it returns."""
    tables = tomllib.loads(_block(section.row.title))["issuers"]
    assert list(trusted_issuers(tables)) == section.policies


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.row.title)
def test_function_of_a_section_is_the_profile(section: Section) -> None:
    """The call that stands there returns these policies, alone or among others."""
    made = eval(_block(section.row.title, "python"), {"profiles": profiles})
    returned = made if isinstance(made, list | tuple) else [made]
    assert all(policy in returned for policy in section.policies)


def test_first_example_runs() -> None:
    """It makes a verifier, which trusts the issuer that is named."""
    names: dict[str, Any] = {}
    exec(PYTHON[0], names)
    assert names["verifier"].health().issuers


@pytest.mark.parametrize(("shape", "token"), CASES, ids=[f"{shape['name']}: {token['case']}" for shape, token in CASES])
def test_settings_of_a_section_judge_the_documented_shape(
    shape: dict[str, Any], token: dict[str, Any], run: Run
) -> None:
    """Each token of a shape gets its verdict by the settings of the page, with keys of this run in place of the vendor's."""
    tables = tomllib.loads(_block(shape["name"]))["issuers"]
    keys = {"keys": [{**key_of("RS256").public_jwk(), "kid": kid} for kid in _kids(shape)]}
    for table in tables:
        table.pop("jwks_uri", None)
        table["jwks"] = keys

    async def ask() -> str:
        async with Verifier(*trusted_issuers(tables)) as verifier:
            try:
                await verifier.verify(_token(shape, token))
            except AuthError as refused:
                return refused.code
            return ACCEPTED

    assert run(ask()) == token["wanted"]


def _block(title: str, language: str = "toml") -> str:
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {title}\n", 1)[1]
    return section.split(f"```{language}\n", 1)[1].split("```", 1)[0]


def _kids(shape: dict[str, Any]) -> list[str]:
    published = [key for document in shape["documents"] for key in document.get("keys", ())]
    return [key["kid"] for key in published if key.get("use", "sig") == "sig"]


def _token(shape: dict[str, Any], token: dict[str, Any]) -> str:
    if "raw" in token:
        return str(token["raw"])
    header = token.get("header", shape["header"])
    members: dict[str, Any] = json.loads(header) if isinstance(header, str) else header
    claims = {**shape["claims"][token["claims"]], **token.get("change", {})}
    payload = {name: _timed(value) for name, value in claims.items() if name not in token.get("without", ())}
    algorithm = members["alg"]
    if algorithm == "HS512":
        return sign_segments(json_octets(members), json_octets(payload), key_of("RS256"), "RS256")
    return sign_segments(json_octets(members), json_octets(payload), key_of(algorithm), algorithm)


def _timed(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"$seconds"}:
            return int(time.time()) + value["$seconds"]
        return {name: _timed(item) for name, item in value.items()}
    return value
