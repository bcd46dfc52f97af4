"""A wrong setting is one line on stderr that names it and says what it must be, and exit code 2; no server starts."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from samples.processes import Process

pytestmark = pytest.mark.thorough

GOOD = {"BEARWARD_ISSUER": "http://127.0.0.1:1", "BEARWARD_AUDIENCE": "a"}
SERVERS = ("samples.http_server", "samples.grpc_server")

WRONG = [
    ({"BEARWARD_ISSUER": ""}, [], "BEARWARD_ISSUER", "must be set"),
    ({"BEARWARD_AUDIENCE": ""}, [], "BEARWARD_AUDIENCE", "must be set"),
    ({"BEARWARD_ISSUER": "http://login.example"}, [], "BEARWARD_ISSUER", "https"),
    ({"BEARWARD_ISSUER": "ftp://login.example"}, [], "BEARWARD_ISSUER", "https"),
    (
        {"BEARWARD_REVOCATIONS_ON_FAILURE": "refuse", "BEARWARD_CACHE": "redis://127.0.0.1:1/0"},
        ["--workers", "2"],
        "BEARWARD_CACHE_SECRET",
        "16 bytes",
    ),
    ({"BEARWARD_REVOCATIONS_ON_FAILURE": "maybe"}, [], "BEARWARD_REVOCATIONS_ON_FAILURE", "refuse or accept"),
    ({"BEARWARD_ALGORITHMS": "none"}, [], "BEARWARD_ALGORITHMS", "must be among"),
    ({"BEARWARD_LEEWAY": "soon"}, [], "BEARWARD_LEEWAY", "number of seconds"),
    ({"BEARWARD_CACHE": "gopher://cache"}, [], "BEARWARD_CACHE", "redis://"),
    ({"BEARWARD_ISUER": "x"}, [], "BEARWARD_ISUER", "not a setting"),
    ({"BEARWARD_NOTES": "/nowhere/at/all.sqlite"}, [], "BEARWARD_NOTES", "file that SQLite can open"),
    (
        {"BEARWARD_ISSUER": "", "BEARWARD_AUDIENCE": ""},
        ["--config", "/nowhere.toml"],
        "--config /nowhere.toml",
        "readable",
    ),
    (
        {"BEARWARD_ISSUER": "", "BEARWARD_AUDIENCE": "", "BEARWARD_CONFIG": "/nowhere.toml"},
        [],
        "BEARWARD_CONFIG /nowhere.toml",
        "readable file",
    ),
    ({}, ["--host", ""], "--host", "must be an address"),
    ({}, ["--port", "http"], "--port", "0 to 65535"),
    ({}, ["--port", "65536"], "--port", "0 to 65535"),
    ({}, ["--host", "256.0.0.1"], "--host", "address"),
    ({}, ["--prot", "1"], "--prot", "unrecognized"),
]


# Both servers read their settings by the same function, so every other row is put to each.
@pytest.mark.parametrize(
    ("module", "variables", "arguments", "name", "must"),
    [(SERVERS[number % 2], *row) for number, row in enumerate(WRONG)],
    ids=[f"{row[2]} {number}" for number, row in enumerate(WRONG)],
)
def test_invalid_setting_is_one_line_and_exit_code_2(
    module: str, variables: dict[str, str], arguments: list[str], name: str, must: str
) -> None:
    """Never a traceback, never a server that is half configured."""
    with Process(module, "--port", "0", *arguments, environment={**GOOD, **variables}) as server:
        assert server.wait() == 2
        assert server.lines == []
        (line,) = server.errors().splitlines()
        assert name in line
        assert must in line


EVERYTHING = {
    "BEARWARD_LEEWAY": "soon",
    "BEARWARD_CACHE": "gopher://cache",
    "BEARWARD_CACHE_SECRET_FILE": "/nowhere/at/all",
    "BEARWARD_SENDR": "bearer",
    "BEARWARD_DPOP": "allowed",
    "BEARWARD_DPOP_ALGORITHMS": "HS256",
    "BEARWARD_REVOCATIONS_ON_FAILURE": "refuse",
    "BEARWARD_REVOCATIONS_GRACE": "99999",
    "BEARWARD_PROXY_SECRET": "x",
    "BEARWARD_LOG_FORMAT": "xml",
    "BEARWARD_LOG_LEVEL": "loud",
    "BEARWARD_METRICS": "everywhere",
}


@pytest.mark.parametrize("module", SERVERS)
def test_every_mistake_is_a_line_at_once(module: str) -> None:
    """Of bearward's settings, of files of secrets, of what only a verifier finds, and of the samples' own."""
    with Process(module, "--port", "0", environment={**GOOD, **EVERYTHING}) as server:
        assert server.wait() == 2
        assert server.lines == []
        lines = server.errors().splitlines()
    for name in EVERYTHING.keys() - {"BEARWARD_DPOP", "BEARWARD_REVOCATIONS_ON_FAILURE"}:
        assert len([line for line in lines if line.startswith(f"{module}: {name}: ")]) == 1
    assert len(lines) == len(EVERYTHING) - 2, lines


def test_variables_beside_a_file_are_named_with_the_file() -> None:
    """Each variable that would be ignored, and that the file is not there."""
    with Process(SERVERS[1], "--port", "0", "--config", "/nowhere/at/all.toml", environment=GOOD) as server:
        assert server.wait() == 2
        lines = server.errors().splitlines()
    said = ("BEARWARD_AUDIENCE: must not be set together with", "BEARWARD_ISSUER: must not be set together with")
    for line, expected in zip(lines, (*said, "/nowhere/at/all.toml: must be a readable file"), strict=True):
        assert line.startswith(f"{SERVERS[1]}: {expected}")


def test_invalid_worker_counts_are_refused() -> None:
    """At least one, and not by the thousand."""
    for number in ("0", "-1", "1000", "many"):
        with Process("samples.http_server", "--port", "0", "--workers", number, environment=GOOD) as server:
            assert server.wait() == 2
            assert "--workers" in server.errors()


@pytest.mark.parametrize("module", [*SERVERS, "samples.issuer"])
def test_taken_port_is_one_line_and_exit_code_2(module: str) -> None:
    """Two servers never share a port unawares."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with Process(module, "--port", port, environment={} if module == "samples.issuer" else GOOD) as server:
            assert server.wait() == 2
            (line,) = server.errors().splitlines()
            assert "--port" in line


def test_invalid_file_names_the_place(tmp_path: Path) -> None:
    """`issuers[0].keys.max_age` is where to look."""
    path = tmp_path / "settings.toml"
    path.write_text("[[issuers]]\nissuer = 'https://a.example'\naudience = 'a'\nkeys = { max_age = 'long' }\n")
    for module in SERVERS:
        with Process(module, "--port", "0", environment={"BEARWARD_CONFIG": str(path)}) as server:
            assert server.wait() == 2
            (line,) = server.errors().splitlines()
            assert "issuers[0].keys.max_age" in line


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--algorithm", "none"], "--algorithm"),
        (["--rotate-every", "0"], "--rotate-every"),
        (["--port", "x"], "--port"),
    ],
)
def test_issuer_rejects_invalid_arguments(arguments: list[str], name: str) -> None:
    """In one line too."""
    with Process("samples.issuer", "--port", "0", *arguments) as server:
        assert server.wait() == 2
        (line,) = server.errors().splitlines()
        assert name in line


@pytest.mark.parametrize(
    "arguments",
    [
        ["samples.http_server"],
        ["samples.http_server", "--workers", "2"],
        ["samples.grpc_server"],
        ["samples.grpc_server", "--sync"],
    ],
)
def test_missing_required_keys_stop_the_start(tmp_path: Path, arguments: list[str]) -> None:
    """`start = "required"` means it: one line that names the issuer, and exit code 1."""
    path = tmp_path / "settings.toml"
    issuer = "http://127.0.0.1:1"
    path.write_text(f"[[issuers]]\nissuer = '{issuer}'\naudience = 'a'\nkeys = {{ start = 'required' }}\n")
    module, *more = arguments
    with Process(module, "--port", "0", *more, environment={"BEARWARD_CONFIG": str(path)}) as server:
        assert server.wait() == 1
        assert server.lines == []
        assert [line for line in server.errors().splitlines() if issuer in line and "required at start" in line]
        assert "Traceback" not in server.errors()
