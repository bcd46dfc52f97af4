"""Bad input of every kind: one clear line and an exit code, and never a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bearward.testing import LocalIssuer, json_octets
from tests.command_line.process import COMMAND, bearward, environment, on_terminal

pytestmark = pytest.mark.thorough

AUDIENCE = "https://api.example"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as one:
        yield one


def by(issuer: LocalIssuer) -> tuple[str, ...]:
    """The options that trust the issuer."""
    return ("--issuer", issuer.url, "--audience", AUDIENCE)


USAGE: list[tuple[tuple[str, ...], str]] = [
    (("nope",), "bearward: No such command 'nope'."),
    (("explain", "--nope"), "bearward explain: No such option"),
    (("explain", "eyJ.a.b"), "bearward explain: Got unexpected extra argument (eyJ.a.b)"),
    (("explain", "--issuer", "https://login.example"), "bearward explain: --audience: must be given with --issuer"),
    (("explain", "--audience", "x"), "bearward explain: --audience: must come with --issuer"),
    (("explain", "--config", "absent.toml"), "bearward explain: absent.toml: must be a readable file"),
    (
        ("explain", "--config", "x", "--issuer", "y"),
        "bearward explain: --config: must not be given together with --issuer",
    ),
    (("explain", "--leeway", "soon"), "bearward explain: Invalid value for '--leeway'"),
    (("explain", "--issuer", "https://x.example", "--audience", "a", "--algorithm", "HS256"), "--algorithms: must not"),
    (("keys", "--issuer", "ftp://login.example"), "bearward keys: --issuer: must be an https URL"),
    (("rules", "nonsense"), "bearward rules: nonsense: must be module:name"),
    (("rules", "absent_module:app"), "bearward rules: absent_module: cannot be imported"),
    (("rules", "json:loads"), "bearward rules: must be a Sanic application, a gRPC server"),
    (("rules", "json:nothing"), "bearward rules: json:nothing: there is no nothing in it"),
    (("token", "--client-id", "a"), "bearward token: give one of --issuer and --token-endpoint"),
    (("token", "--client-id", "a", "--token-endpoint", "http://login.example/t"), "bearward token: --token-endpoint:"),
    (("issuer", "--host", "0.0.0.0"), "bearward issuer: --host: must be loopback"),
    (("issuer", "--algorithm", "none"), "bearward issuer: --algorithm: must be RS256"),
    (("revoke", "nonsense", "x"), "bearward revoke: Invalid value for"),
    (("config", "check", "--config", "/"), "bearward config: /: must be a readable file (Is a directory)"),
]


def test_each_mistake_of_the_settings_is_a_line() -> None:
    """Here two variables that are missing."""
    ended = bearward("explain")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == [
        "bearward explain: BEARWARD_ISSUER: must be set: the exact `iss` of the tokens",
        "bearward explain: BEARWARD_AUDIENCE: must be set: the accepted audience, or several separated by commas",
    ]


def test_token_among_the_arguments_is_not_repeated() -> None:
    """Whoever passes a token as an argument learns where it belongs, and the line does not show it again."""
    token = "eyJ" + "x" * 300
    for arguments in (("explain", token), ("keys", token), (token,)):
        line = bearward(*arguments).line
        assert "xxxx" not in line
        assert "is read from stdin or at a prompt" in line


@pytest.mark.parametrize(("arguments", "line"), USAGE, ids=[" ".join(row[0])[:40] for row in USAGE])
def test_invalid_arguments_are_one_line_and_code_2(arguments: tuple[str, ...], line: str) -> None:
    """The line names the command, the option or setting, and what it must be."""
    ended = bearward(*arguments)
    assert ended.code == 2
    assert line in ended.line
    assert ended.out == ""


TOKENS: list[tuple[str, str, str, str]] = [
    ("a line break", "{a}\n{b}", "token_malformed", "there is white space or a line break in it"),
    ("a JWE", "{token}.x.y", "token_encrypted", "this is a JWE"),
    ("an opaque token", "0123456789abcdef", "token_malformed", "opaque token"),
    ("a whole header", "Authorization: Bearer {token}", "token_malformed", "begins with authorization:"),
    ("JSON", '{{"access_token": "x"}}', "token_json_serialized", "this is JSON"),
    ("octets that are no UTF-8", "\u00ff\u00fe.\u0080.", "token_malformed", "no token has"),
    ("control characters", "\x1b[2J.\x07.", "token_malformed", "base64url"),
]


@pytest.mark.parametrize(("text", "code", "hint"), [row[1:] for row in TOKENS], ids=[row[0] for row in TOKENS])
def test_text_that_is_no_token_is_refused_with_a_reason(issuer: LocalIssuer, text: str, code: str, hint: str) -> None:
    """Whatever is on stdin has a verdict, whose first line says what is wrong."""
    token = issuer.mint()
    given = text.format(token=token, a=token[:50], b=token[50:]).encode("latin-1")
    ended = bearward("explain", *by(issuer), given=given)
    assert (ended.code, ended.err) == (1, "")
    first = ended.out.partition("\n")[0]
    assert first.startswith(f"refused ({code}): ")
    assert hint in first
    assert token[:20] not in ended.out
    assert "\x1b" not in ended.out


def test_missing_or_oversized_token_gives_one_line(issuer: LocalIssuer) -> None:
    """An empty stdin, and one that never ends."""
    assert "no token: pass it on stdin" in bearward("explain", *by(issuer)).line
    assert "more than 65536 bytes" in bearward("explain", *by(issuer), given="x" * 100_000).line


FILES: list[tuple[str, bytes, str]] = [
    ("HTML", b"<html>not keys</html>", "is no JWK Set (not strict JSON)"),
    ("an empty file", b"", "is no JWK Set (not strict JSON)"),
    ("octets", bytes(range(256)), "is no JWK Set (not strict JSON)"),
    ("an object without keys", b"{}", "is no JWK Set with a usable key (the document is no JWK Set)"),
    (
        "no usable key",
        json_octets({"keys": [{"kty": "oct", "k": "abc"}]}),
        "(the JWK Set has no usable key: key 1 is symmetric, and so no public key)",
    ),
    ("a large file", b" " * 2_000_000, "larger than 1048576 bytes"),
]


@pytest.mark.parametrize(("octets", "reason"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_file_that_is_no_key_set_is_one_line_and_code_3(
    issuer: LocalIssuer, tmp_path: Path, octets: bytes, reason: str
) -> None:
    """The line names the file and what it is not."""
    path = tmp_path / "keys.json"
    path.write_bytes(octets)
    ended = bearward("explain", *by(issuer), "--jwks-file", str(path), given=issuer.mint())
    assert ended.code == 3
    assert f"{path}: " in ended.line
    assert reason in ended.line


def test_issuer_that_answers_html_and_a_closed_port_are_code_3() -> None:
    """What the network brings is a verdict with its cause: no key can be had."""
    with LocalIssuer(audience=AUDIENCE) as issuer:
        token = issuer.mint()
        issuer.serve_jwks(b"<html>hello</html>")
        html = bearward("explain", *by(issuer), given=token)
        issuer.down()
        closed = bearward("explain", *by(issuer), given=token)
        keys = bearward("keys", "--issuer", issuer.url)
    assert [html.code, closed.code, keys.code] == [3, 3, 3]
    assert html.out.startswith("refused (keys_unavailable)")
    assert "document is not a usable JWK Set" in html.out
    assert "cannot connect: connection refused" in closed.out
    assert "cannot connect: connection refused" in keys.out
    assert html.err == closed.err == keys.err == ""


def test_no_prompt_without_a_terminal(issuer: LocalIssuer) -> None:
    """A secret that nobody can type is one line that says where else it may come from."""
    ended = bearward("token", "--issuer", issuer.url, "--client-id", "app")
    assert ended.code == 2
    assert "there is no terminal to ask at: set BEARWARD_CLIENT_SECRET" in ended.line


def test_prompt_hides_the_token_and_colours_mark_the_verdicts(issuer: LocalIssuer) -> None:
    """On a terminal the token is asked for without echo, and the table has marks and colours."""
    token = issuer.mint()
    ended = on_terminal("explain", *by(issuer), typed=token, env={"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1"})
    assert ended.code == 0
    assert token not in ended.out
    assert "✓" in ended.out
    assert "\x1b[32m" in ended.out


def test_no_color_means_no_colour(issuer: LocalIssuer) -> None:
    """https://no-color.org: marks stay, colours go."""
    ended = on_terminal("keys", "--issuer", issuer.url, env={"NO_COLOR": "1"})
    assert ended.code == 0
    assert "ES256" in ended.out
    assert "\x1b[3" not in ended.out


def test_broken_pipe_ends_a_command_in_silence() -> None:
    """A reader that has seen enough, such as head: no traceback, and the shell's own code for it."""
    read, write = os.pipe()
    os.close(read)
    ended = subprocess.run(
        [*COMMAND, "config", "schema"], stdout=write, stderr=subprocess.PIPE, env=environment(), check=False
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_interrupt_ends_a_command_in_silence() -> None:
    """Ctrl-C while an issuer hangs: no traceback, code 130."""
    with LocalIssuer() as issuer:
        issuer.hold()
        process = subprocess.Popen(
            # a shell that started the tests in the background may have had them, and so this, ignore the signal
            ["env", "--default-signal=INT", *COMMAND, "keys", "--issuer", issuer.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(),
        )
        issuer.wait_for_requests("/.well-known/openid-configuration")
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
        issuer.release()
    assert (process.returncode, out, err) == (130, b"", b"")


def test_error_that_nobody_foresaw_is_one_line_too(tmp_path: Path) -> None:
    """A bug names its kind and its place, and shows nothing else."""
    (tmp_path / "sitecustomize.py").write_text(
        "import bearward.command_line.output as o\ndef broken(*_):\n    raise ZeroDivisionError('secret')\no.print_json = broken\n"
    )
    ended = bearward("config", "schema", env={"PYTHONPATH": str(tmp_path)})
    assert ended.code == 70
    assert ended.line == "bearward config: internal error (ZeroDivisionError at sitecustomize.py:3): please report it"
