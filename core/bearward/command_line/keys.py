"""`bearward keys`: what an issuer publishes, usable or why not, and for how long.

Rules of this file: what is fetched is fetched as a verifier fetches it. Nothing private of a key is printed.
"""

from __future__ import annotations

import asyncio
from typing import Any

import click

from bearward.clock import SystemClock
from bearward.command_line.ending import ExitCode
from bearward.command_line.fetching import Fetched, fetch_keys
from bearward.command_line.key_report import KeyLine, key_lines, of_keys, why_no_set
from bearward.command_line.output import mark, print_json, say, table
from bearward.command_line.trust import Trust, trust_options
from bearward.explanation.wording import duration
from bearward.issuers.tenants import TenantIssuers
from bearward.jwks.freshness import clamp
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["command"]


@click.command("keys")
@trust_options
@click.option(
    "--tenant", "tenants", metavar="ISS", multiple=True, help="The iss of a tenant of a template; repeatable."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(trust: Trust, tenants: tuple[str, ...], *, as_json: bool) -> int:
    """Show the keys that an issuer publishes, which can be used, and for how long they may be kept.

    Exit code 0: each issuer has a usable key, 3: one has none, or cannot be reached.
    """
    issuers = _issuers(trust, tenants)
    reports = asyncio.run(_reports(issuers))
    if as_json:
        print_json({"issuers": reports})
    else:
        for report in reports:
            _print(report)
    return ExitCode.OK if reports and all(report["usable"] for report in reports) else ExitCode.UNAVAILABLE


def _issuers(trust: Trust, tenants: tuple[str, ...]) -> list[TrustedIssuer]:
    found: list[TrustedIssuer] = []
    for issuer in trust.settings(needs_audience=False).issuers:
        if isinstance(issuer, TenantIssuers):
            found += [trusted for name in tenants if (trusted := issuer.issuer_for(name)) is not None]
        else:
            found.append(issuer)
    return found


async def _reports(issuers: list[TrustedIssuer]) -> list[dict[str, Any]]:
    return [await _report(issuer) for issuer in issuers]


async def _report(issuer: TrustedIssuer) -> dict[str, Any]:
    if issuer.static_keys is not None:
        return _said(issuer, of_keys(issuer.static_keys), None)
    fetched, now = await fetch_keys(issuer), SystemClock().now()
    if fetched.loaded is None or fetched.loaded.document is None:
        return {**_said(issuer, [], str(fetched.error)), **_caching(fetched)}
    document, options = fetched.loaded.document, issuer.jwks_options
    why = why_no_set(document, options, now)
    return {**_said(issuer, key_lines(document, options, now), why), **_caching(fetched)}


def _said(issuer: TrustedIssuer, keys: list[KeyLine], error: str | None) -> dict[str, Any]:
    return {
        "issuer": issuer.issuer,
        "usable": error is None and any(key.why_not is None for key in keys),
        "error": error,
        "keys": [key.to_dict() for key in keys],
    }


def _caching(fetched: Fetched) -> dict[str, Any]:
    """Where the keys were, what the response says of caching, and when a verifier would ask again."""
    if not fetched.responses:
        return {}
    url, response = fetched.responses[-1]
    if fetched.loaded is None:
        return {"fetched_from": url}
    options = fetched.issuer.jwks_options
    lifetime = clamp(response.lifetime, options)
    return {
        "fetched_from": url,
        "cache_control": response.cache_control,
        "etag": response.etag,
        "last_modified": response.last_modified,
        "lifetime": response.lifetime,
        "kept_for": lifetime,
        "refreshed_after": lifetime * options.refresh_fraction,
        "usable_without_issuer_for": lifetime + options.stale_if_error,
    }


def _print(report: dict[str, Any]) -> None:
    usable = sum(1 for key in report["keys"] if key["why_not"] is None)
    say(f"{report['issuer']}: {usable} of {len(report['keys'])} keys usable")
    if report["error"]:
        say(f"{mark('wrong')} {report['error']}")
    rows = [_row(key) for key in report["keys"]]
    if rows:
        table(("", "kid", "kind", "for"), rows)
    if "fetched_from" in report:
        say(f"from {report['fetched_from']}")
    if "kept_for" in report and report["usable"]:
        said = report["cache_control"] or "no Cache-Control"
        say(f"{said}: kept for {duration(report['kept_for'])}, refreshed after {duration(report['refreshed_after'])}")


def _row(key: dict[str, Any]) -> tuple[str, str, str, str]:
    why = key["why_not"]
    use = ", ".join(key["algorithms"]) if why is None else f"not used: {why}"
    return mark("right" if why is None else "wrong"), key["kid"] or "(no kid)", key["kind"], use
