"""What docs/samples.md shows is true, and the generated messages are those of the .proto."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bearward import TenantIssuers, TrustedIssuer, profiles
from bearward.settings import Settings
from bearward.settings.catalogue import VARIABLES, Table
from samples.command_line import OWN
from samples.grpc_methods import RULES
from samples.v1 import sample_pb2
from tests.conftest import Run

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "samples.md").read_text()
PROTO = (ROOT / "protos" / "bearward" / "sample" / "v1" / "sample.proto").read_text()

OWN_VARIABLES = {f"BEARWARD_{name.upper()}" for name in OWN}


def _block(language: str, name: str = "") -> str:
    (block,) = (each for each in re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL) if name in each)
    return str(block)


def test_documented_settings_file_is_valid(tmp_path: Path) -> None:
    """Every name in it is a setting, and it means what the page says."""
    path = tmp_path / "settings.toml"
    path.write_text(_block("toml", "cache ="))
    loaded = Settings.from_toml(path, extra_names=["notes"])
    first, second = loaded.issuers
    assert isinstance(first, TrustedIssuer)
    assert isinstance(second, TrustedIssuer)
    assert (first.audience, second.client_ids) == ({"https://api.example"}, {"3n4b5urk1ft4fl3mg5e62d9ado"})
    assert None in first.token_types
    loaded.verifier()


def test_documented_profile_and_template_are_valid(tmp_path: Path) -> None:
    """A table may name a profile, or be the template of a provider's tenants."""
    path = tmp_path / "settings.toml"
    path.write_text(_block("toml", "profile ="))
    keycloak, tenants = Settings.from_toml(path).issuers
    assert keycloak == profiles.keycloak(host="keycloak.example", realm="demo", audience="https://api.example")
    assert isinstance(tenants, TenantIssuers)


def test_documented_variables_are_complete() -> None:
    """Each variable that is read stands in the table, and no other."""
    listed = set(re.findall(r"^\| `(BEARWARD_\w+)`", PAGE, re.MULTILINE))
    assert listed == {*VARIABLES, *OWN_VARIABLES, "BEARWARD_CONFIG"}


def test_documented_options_of_keys_are_those_of_the_list() -> None:
    """The rows of `BEARWARD_KEYS_…` are generated from the list of settings."""
    short = {"BEARWARD_CA_FILE", "BEARWARD_UNSAFE_ALLOW_PRIVATE_ADDRESSES"}
    rows = [
        f"| `{name}` | `{each.name}`: {each.kind.must} |"
        for name, each in VARIABLES.items()
        if each.table is Table.KEYS and name not in short
    ]
    assert "\n".join(rows) in PAGE


def test_documented_test_example_runs(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """It prints what its comments say."""
    names: dict[str, Any] = {}
    exec(compile(_block("python", "LocalIssuer"), "docs/samples.md", "exec"), names)
    assert run(names["refused_after_expiry"]()) == "subject"
    assert capsys.readouterr().out.split() == ["token_expired", "signature_invalid", "algorithm_not_allowed"]


def test_documented_reloading_example_runs(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the settings of the environment."""
    monkeypatch.setenv("BEARWARD_ISSUER", "http://127.0.0.1:9")
    monkeypatch.setenv("BEARWARD_AUDIENCE", "https://api.example")
    names: dict[str, Any] = {}
    exec(compile(_block("python", "SettingsReloader"), "docs/samples.md", "exec"), names)
    run(names["serve"](names["load"]()))


def test_generated_code_matches_the_proto() -> None:
    """Methods with their streaming, messages with their fields and numbers; and every method has its rule."""
    service = sample_pb2.DESCRIPTOR.services_by_name["ProtectedService"]
    generated = [
        (m.name, m.client_streaming, m.input_type.name, m.server_streaming, m.output_type.name) for m in service.methods
    ]
    rpc = re.compile(r"rpc (\w+)\((stream )?(\w+)\) returns \((stream )?(\w+)\)")
    written = [(n, bool(cs), i, bool(ss), o) for n, cs, i, ss, o in rpc.findall(PROTO)]
    assert generated == written
    assert set(RULES) == {f"/{service.full_name}/{method.name}" for method in service.methods}
    messages = {
        name: {field.name: field.number for field in message.fields}
        for name, message in sample_pb2.DESCRIPTOR.message_types_by_name.items()
    }
    assert messages == {
        name: {field: int(number) for field, number in re.findall(r"(\w+) = (\d+);", body)}
        for name, body in re.findall(r"message (\w+) \{(.*?)\}", PROTO, re.DOTALL)
    }
