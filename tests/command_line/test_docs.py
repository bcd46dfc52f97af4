"""The pages about the command line are true: their scripts print what they say, and nothing is left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click
import pytest

from bearward.command_line import program
from bearward.command_line.ending import ExitCode
from bearward.command_line.faults import FAULTS
from bearward.testing import LocalIssuer, Response
from tests.command_line.pages import TOP, Example, differences, examples

AUDIENCE = "https://api.example"
REFERENCE = examples("command-line.md")
TROUBLE = examples("troubleshooting.md")
PAGE = (TOP / "docs" / "command-line.md").read_text()


@pytest.mark.thorough
@pytest.mark.parametrize("example", REFERENCE, ids=[f"{one.heading}-{n}" for n, one in enumerate(REFERENCE)])
def test_example_of_the_reference_prints_what_it_says(example: Example) -> None:
    """With a local issuer and one of its tokens."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as issuer:
        variables = {"ISSUER": issuer.url, "TOKEN": issuer.mint(scope="notes:read")}
        assert differences(example, variables, f"127.0.0.1:{issuer.port}") == []


Broken = Callable[[LocalIssuer], str]
"""Breaks an issuer, or the token of a caller, and returns the token."""


def _minted(**claims: object) -> Broken:
    return lambda issuer: issuer.mint(**claims)  # type: ignore[arg-type]


def _of_another_environment(issuer: LocalIssuer) -> str:
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=issuer.url) as other:
        return other.mint()


def _login_page(issuer: LocalIssuer) -> str:
    issuer.serve("/jwks", Response(b"<form>who are you?</form>", 200, {"Content-Type": "text/html"}))
    return issuer.mint()


def _moved(issuer: LocalIssuer) -> str:
    issuer.serve("/jwks", Response(b"", 302, {"Location": f"{issuer.origin}/elsewhere"}))
    return issuer.mint()


def _ahead(issuer: LocalIssuer) -> str:
    return issuer.mint(iat=time.time() + 90, exp=time.time() + 400)


BROKEN: dict[str, Broken] = {
    "Every token is refused: the issuer has an extra slash": _minted(),
    "The audience is written differently": _minted(aud="api://orders"),
    "The client sends its ID token": _minted(aud="web", claims={"nonce": "n-1"}, headers={"typ": "JWT"}),
    "The clocks of two machines differ": _ahead,
    "The token is from another environment": _of_another_environment,
    "The scope comes with a prefix": _minted(scope="https://api.example/notes:read"),
    "A token was copied with a line break": _minted(),
    "The keys are a login page": _login_page,
    "The keys have moved": _moved,
    "The host name is misspelt": _minted(),
    "The issuer's certificate is from a private authority": _minted(),
    "The shared cache cannot be reached": _minted(),
    "Long tokens never arrive": _minted(),
}


@contextmanager
def broken(heading: str) -> Iterator[tuple[LocalIssuer, str]]:
    """An issuer, broken as the page says, and the token."""
    tls = "private authority" in heading
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, tls=tls) as issuer:
        yield issuer, BROKEN[heading](issuer)


def test_every_broken_set_up_has_one_command() -> None:
    """At least ten, each with what finds it."""
    assert [example.heading for example in TROUBLE] == list(BROKEN)
    assert len(TROUBLE) >= 10


@pytest.mark.thorough
@pytest.mark.parametrize("example", TROUBLE, ids=lambda example: example.heading)
def test_broken_set_up_is_found_by_its_command_alone(example: Example) -> None:
    """The first line, or the line with the mark of what is wrong, names the cause and what to change."""
    with broken(example.heading) as (issuer, token):
        variables = {"ISSUER": issuer.url, "TOKEN": token}
        assert differences(example, variables, f"127.0.0.1:{issuer.port}") == []


def test_every_command_and_option_is_documented() -> None:
    """Of each command a section, and each of its options by name."""
    shared = PAGE.partition("## Whom to trust")[2].partition("## explain")[0] + PAGE.partition("## Whom to trust")[0]
    group = program.bearward
    for name in group.list_commands(click.Context(group)):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        section = PAGE.partition(f"## {name}\n")[2].partition("\n## ")[0]
        assert section, name
        options = [option for one in _all(command) for param in one.params for option in param.opts]
        missing = [option for option in options if option.startswith("--") and option not in section + shared]
        assert missing == [], name


def _all(command: click.Command) -> list[click.Command]:
    return [command, *command.commands.values()] if isinstance(command, click.Group) else [command]


def test_exit_codes_and_faults_are_documented() -> None:
    """The tables are complete."""
    assert [code for code in ExitCode if f"\n| {int(code)} |" not in PAGE] == []
    assert [name for name, (text, _) in FAULTS.items() if f"\n| {name} | {text} |" not in PAGE] == []
