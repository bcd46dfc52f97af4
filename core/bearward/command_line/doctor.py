"""`bearward doctor`: what is wrong with a set-up, each with what to change.

Rules of this file: it looks, and changes nothing. Everything is looked at, whatever else is wrong.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import click

from bearward.command_line.doctor_issuer import look_at_issuer
from bearward.command_line.doctor_surroundings import (
    certificates,
    limits,
    revocation_store,
    round_trip,
    secret_files,
    weak_secrets,
    weakened,
)
from bearward.command_line.ending import ExitCode
from bearward.command_line.finding import Finding, fine, wrong
from bearward.command_line.loading import load
from bearward.command_line.output import mark, print_json, say, table
from bearward.command_line.rules import rules_of
from bearward.command_line.trust import Trust, trust_options
from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.settings import Settings

__all__ = ["command"]


@click.command("doctor")
@trust_options
@click.option(
    "--tenant", "tenants", metavar="ISS", multiple=True, help="The iss of a tenant of a template; repeatable."
)
@click.option(
    "--token-size",
    metavar="BYTES",
    type=click.IntRange(1, 65536),
    help="Check whether tokens of this length get through.",
)
@click.option("--app", metavar="MODULE:NAME", help="Check the rules and limits of this Sanic application too.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(trust: Trust, tenants: tuple[str, ...], token_size: int | None, app: str | None, *, as_json: bool) -> int:
    """Check a whole set-up, and say what to change.

    Settings, names, reachability, TLS, redirects, discovery, keys, clocks, caches, secrets and limits. Exit code 0:
    nothing is wrong, 1: something is.
    """
    findings = _findings(trust, tenants, token_size, app)
    if as_json:
        print_json({"findings": [finding.to_dict() for finding in findings]})
    else:
        _print(findings)
    return ExitCode.NO if any(finding.verdict == "wrong" for finding in findings) else ExitCode.OK


def _findings(trust: Trust, tenants: tuple[str, ...], token_size: int | None, app: str | None) -> list[Finding]:
    found: list[Finding] = []
    loaded = load(app) if app is not None else None
    try:
        settings = trust.settings(needs_audience=False)
        settings.verifier(default_origins=("https://localhost",))
    except ConfigurationError as error:
        found += [wrong("settings", one.setting, one.requirement, f"correct {one.setting}") for one in error.mistakes]
    else:
        found += [
            fine("settings", trust.config or "given", _counted(len(settings.issuers), "issuer")),
            *weakened(settings, but=trust.own_choices),
        ]
        found += asyncio.run(_network(settings, tenants))
        found += [*weak_secrets(settings), *certificates(settings)]
    found += secret_files(os.environ)
    found += limits(token_size, getattr(getattr(loaded, "config", None), "REQUEST_MAX_HEADER_SIZE", None))
    return found if loaded is None else [*found, _rules(app, loaded)]


async def _network(settings: Settings, tenants: tuple[str, ...]) -> list[Finding]:
    found: list[Finding] = []
    for issuer in settings.issuers:
        if not isinstance(issuer, TenantIssuers):
            found += await look_at_issuer(issuer)
            continue
        for name in tenants:
            trusted = issuer.issuer_for(name)
            if trusted is not None:
                found += await look_at_issuer(trusted)
    stores = [await round_trip(settings), await revocation_store(settings)]
    return [*found, *(finding for finding in stores if finding is not None)]


def _rules(app: str | None, loaded: Any) -> Finding:
    try:
        return fine("rules", str(app), _counted(len(rules_of(loaded, ())), "rule"))
    except ConfigurationError as error:
        return wrong("rules", str(app), str(error), "give each route or method a rule; bearward rules shows them")


def _counted(number: int, name: str) -> str:
    return f"{number} {name}" if number == 1 else f"{number} {name}s"


def _print(findings: list[Finding]) -> None:
    rows = [
        (mark(one.verdict), one.area, one.subject, one.said + (f"; {one.remedy}" if one.remedy else ""))
        for one in findings
        if one.verdict != "not reached"
    ]
    table(("", "area", "of", "found"), rows)
    wrong_ones = sum(1 for one in findings if one.verdict == "wrong")
    unreached = sum(1 for one in findings if one.verdict == "not reached")
    rest = f"; {unreached} not looked at, since something before is wrong" if unreached else ""
    say((f"{wrong_ones} wrong" if wrong_ones else "nothing is wrong") + rest)
