"""The JSON Schema of settings says what `Settings` reads: no name more, none less, and the types of the definitions."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from bearward import ConfigurationError, JWKSOptions, TrustedIssuer
from bearward.command_line.settings_schema import settings_schema
from bearward.profiles.by_name import FUNCTIONS, arguments_of
from bearward.settings import Settings

SCHEMA = settings_schema()
ISSUERS: list[dict[str, Any]] = SCHEMA["properties"]["issuers"]["items"]["anyOf"]
ISSUER = ISSUERS[0]["properties"]
KEYS = ISSUER["keys"]["properties"]


def names_of_error(text: str, tmp_path: Path) -> set[str]:
    """The names that a settings file may have where `zzzz` stands, as the error lists them."""
    path = tmp_path / "settings.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as error:
        Settings.from_toml(path)
    assert "zzzz" in error.value.setting
    return set(error.value.requirement.partition("these are: ")[2].split(", "))


HEAD = "[[issuers]]\nissuer = 'https://login.example'\naudience = 'a'\n"


@pytest.mark.parametrize(
    ("text", "properties"),
    [
        ("zzzz = 1\n" + HEAD, SCHEMA["properties"]),
        (HEAD + "zzzz = 1\n", ISSUER),
        (HEAD + "[issuers.keys]\nzzzz = 1\n", KEYS),
        (HEAD + "[revocations]\nzzzz = 1\n", SCHEMA["properties"]["revocations"]["properties"]),
        (HEAD + "[dpop]\nzzzz = 1\n", SCHEMA["properties"]["dpop"]["properties"]),
        (HEAD + "[[issuers.symmetric_keys]]\nzzzz = 'x'\n", ISSUER["symmetric_keys"]["items"]["properties"]),
        (HEAD + "[issuers.place]\nzzzz = 'x'\n", ISSUER["place"]["properties"]),
    ],
    ids=["settings", "issuers", "keys", "revocations", "dpop", "symmetric_keys", "place"],
)
def test_schema_has_the_names_that_settings_know(text: str, properties: dict[str, Any], tmp_path: Path) -> None:
    """Each table by the error for a name that it does not have; a secret may be in a file instead."""
    named = {name for name in properties if not name.endswith("_file") or name in ("ca_file", "jwks_file")}
    assert named == names_of_error(text, tmp_path) - {"profile"}  # which has tables of its own


def test_schema_has_the_types_of_the_definitions() -> None:
    """By a sample of each kind."""
    assert ISSUER["leeway"] == {"type": "number", "minimum": 0, "maximum": 300}
    assert ISSUER["keys_are_ours"] == {"type": "boolean"}
    assert ISSUER["sender"] == {"enum": ["any", "bearer", "constrained"]}
    assert ISSUER["audience"] == {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}]}
    assert ISSUER["expected_claims"] == {"type": "object"}
    assert KEYS["start"] == {"enum": ["required", "eager", "lazy"]}
    assert KEYS["connect_timeout"] == {"type": "number", "minimum": 0.01, "maximum": 300.0}
    assert KEYS["max_body"] == {"type": "integer", "minimum": 64, "maximum": 16_777_216}
    assert KEYS["ca_file"] == {"type": "string"}
    assert KEYS["proxy"] == {"type": "string"}


def test_every_field_has_a_type() -> None:
    """A setting whose type the schema cannot say would take anything: none does, but claims' names and profiles' own."""
    fielded = {field.name for field in (*fields(TrustedIssuer), *fields(JWKSOptions))}
    vague = {name for table in (ISSUER, KEYS) for name, schema in table.items() if schema == {}}
    assert vague & fielded <= {"rights"}


def test_every_profile_is_in_the_schema() -> None:
    """With the arguments that it needs."""
    profiles = {table["properties"]["profile"]["const"]: table for table in ISSUERS if "profile" in table["properties"]}
    assert profiles.keys() == FUNCTIONS.keys()
    for name, table in profiles.items():
        assert set(table["required"]) == {"profile", *arguments_of(name)[0]}
        assert set(arguments_of(name)[1]) <= table["properties"].keys()


def test_schema_is_json() -> None:
    """One document, of the version that it names."""
    assert json.loads(json.dumps(SCHEMA))["$schema"] == "https://json-schema.org/draft/2020-12/schema"
