"""`bearward explain`: why a token passes or is refused, check by check.

Rules of this file: the token comes from stdin or a hidden prompt. It is judged by a `Verifier`, as in a service; offline
by the keys of a file. Values of claims are hidden without --show-claims.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

import click

from bearward.access import Access, requires
from bearward.clock import SystemClock
from bearward.command_line.ending import ExitCode
from bearward.command_line.output import mark, print_json, say, table
from bearward.command_line.token_input import read_token
from bearward.command_line.trust import Trust, patient, trust_options
from bearward.errors import AuthError
from bearward.explanation import Explanation, Verdict
from bearward.refusals import Refusal
from bearward.settings import Settings
from bearward.token_requirements import scope

__all__ = ["command"]

_UNAVAILABLE = (Refusal.KEYS_UNAVAILABLE, Refusal.REVOCATION_UNAVAILABLE)


@dataclass(frozen=True, slots=True)
class _At:
    """A clock that stands still, for a token that is judged as of another moment."""

    seconds: float

    def now(self) -> float:
        return self.seconds

    def monotonic(self) -> float:
        return SystemClock().monotonic()


@click.command("explain")
@trust_options
@click.option("--scope", "scopes", metavar="SCOPE", multiple=True, help="A scope that the call needs; repeatable.")
@click.option("--at", metavar="SECONDS", type=float, help="Judge as of this moment: seconds since 1970.")
@click.option("--show-claims", is_flag=True, help="Show the values of claims.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(trust: Trust, scopes: tuple[str, ...], at: float | None, *, show_claims: bool, as_json: bool) -> int:
    """Say why a token passes or is refused, check by check.

    The token is read from stdin, or from a hidden prompt; it is never an argument. It is judged as a service with these
    settings would judge it. Exit code 0: accepted, 1: refused, 3: the keys are not available.
    """
    settings, rule = patient(trust.settings()), requires(scope(*scopes)) if scopes else None
    explanation, causes = asyncio.run(_explain(settings, read_token(), rule, at, show_claims=show_claims))
    if as_json:
        print_json({**explanation.to_dict(), "keys": causes})
    else:
        _print(explanation)
        for cause in causes:
            say(f"keys: {cause}")
    if explanation.refusal in _UNAVAILABLE:
        return ExitCode.UNAVAILABLE
    return ExitCode.OK if explanation.accepted else ExitCode.NO


async def _explain(
    settings: Settings, token: str, rule: Access | None, at: float | None, *, show_claims: bool
) -> tuple[Explanation, list[str]]:
    """The explanation, and why keys could not be fetched."""
    async with settings.verifier(
        default_origins=("https://localhost",), clock=None if at is None else _At(at)
    ) as verifier:
        with suppress(AuthError):  # what it says is said again, check by check
            await verifier.verify(token, unsafe_allow_bound=True)
        explanation = verifier.explain(token, access=rule, show_claims=show_claims)
        return explanation, [issuer.last_error for issuer in verifier.health().issuers if issuer.last_error]


def _print(explanation: Explanation) -> None:
    first = explanation.first_wrong
    if first is None:
        say("accepted")
    else:
        hint = f": {first.hint}" if first.hint else ""
        reason = explanation.refusal.message if explanation.refusal else ""
        say(f"refused ({explanation.code}): {reason}{hint}")
    rows, unreached = [], 0
    for check in explanation.checks:
        if check.verdict is Verdict.NOT_REACHED:
            unreached += 1
            continue
        found = check.found if not check.hint else f"{check.found}; {check.hint}"
        rows.append((mark(str(check.verdict)), check.name, check.asked, found))
    table(("", "check", "asked", "found"), rows)
    if unreached:
        say(f"{unreached} checks were not reached")
