"""The doctor's look at one issuer: name, address, connection, TLS, redirects, discovery, keys, clock.

Rules of this file: one fetch, as a verifier makes it, says how far it gets; the class of its failure says which step was
wrong. A step after it is not reached.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from urllib.parse import urlsplit

from bearward.clock import SystemClock
from bearward.command_line.fetching import Fetched, fetch_keys
from bearward.command_line.finding import Finding, fine, note, unreached, wrong
from bearward.command_line.key_report import key_lines, why_no_set
from bearward.explanation.near_misses import difference
from bearward.explanation.wording import duration
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.network import resolve_host
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["look_at_issuer"]

_STEPS = ("name", "reachability", "tls", "redirects", "discovery", "keys", "clock")
_STEP_OF = {
    FetchFailure.DNS: "name",
    FetchFailure.TLS: "tls",
    FetchFailure.REDIRECT: "redirects",
    FetchFailure.NOT_METADATA: "discovery",
    FetchFailure.ISSUER_MISMATCH: "discovery",
    FetchFailure.URL_REFUSED: "discovery",
    FetchFailure.NOT_A_KEY_SET: "keys",
    FetchFailure.FILE: "keys",
    FetchFailure.TOO_LARGE: "keys",
    FetchFailure.ENCODING: "keys",
}
_SAID = {
    "name": "its host name resolves",
    "reachability": "it responds",
    "tls": "its certificate is trusted",
    "redirects": "none on the way to its keys",
    "discovery": "its metadata is of this issuer",
}
_CLOCK_OF_HEADERS = 1.0
"""Seconds: a Date header has no fractions."""


async def look_at_issuer(issuer: TrustedIssuer) -> list[Finding]:
    """What is found about one issuer."""
    subject = issuer.issuer
    if issuer.static_keys is not None:
        return [fine("keys", subject, f"{len(issuer.static_keys.keys)} configured; nothing is fetched")]
    if issuer.jwks_options.jwks_file is not None or issuer.jwks_options.sources:
        return [*_keys(await fetch_keys(issuer))]
    addresses = await _name(issuer)
    if issuer.publishes_keys_one_by_one:
        return [addresses, note("keys", subject, "each has its own address, and is fetched when a token names it")]
    if addresses.verdict == "wrong":
        return [addresses, *(unreached(step, subject) for step in _STEPS[1:])]
    fetched = await fetch_keys(issuer)
    return [addresses, *_steps(fetched)]


async def _name(issuer: TrustedIssuer) -> Finding:
    """Whether the host of the first address resolves here; with a proxy that is for the proxy to know."""
    parts = urlsplit(issuer.jwks_uri or issuer.pem_uri or issuer.metadata_uri or issuer.issuer)
    if issuer.jwks_options.proxy is not None:
        return note("name", issuer.issuer, "a proxy is configured, which resolves names itself")
    try:
        async with asyncio.timeout(issuer.jwks_options.total_timeout):
            found = await resolve_host(str(parts.hostname), parts.port or 0)
    except (OSError, ValueError):  # a UnicodeError is a ValueError, and a TimeoutError an OSError
        said = f"its host {parts.hostname} cannot be resolved"
        return wrong(
            "name", issuer.issuer, said, "correct the host in issuer or jwks_uri, or the resolver of this machine"
        )
    return fine("name", issuer.issuer, f"resolves to {', '.join(sorted(found)[:4])}")


def _steps(fetched: Fetched) -> Iterator[Finding]:
    subject, error = fetched.issuer.issuer, fetched.error
    failed = None if error is None else _failed_step(error)
    reached = True
    for step in _STEPS[1:5]:
        if not reached:
            yield unreached(step, subject)
        elif step == failed and error is not None:
            reached = False
            yield _failure(step, fetched.issuer, error)
        elif _is_asked(step, fetched.issuer):
            yield fine(step, subject, _SAID[step])
    if reached and failed != "keys":
        yield from (*_keys(fetched), _clock(fetched))
    elif failed == "keys" and error is not None:
        yield _failure("keys", fetched.issuer, error)
        yield _clock(fetched)
    else:
        yield from (unreached("keys", subject), unreached("clock", subject))


def _failed_step(error: FetchError) -> str:
    named = _STEP_OF.get(error.failure, "reachability")
    if error.failure is FetchFailure.NOT_FOUND:
        return "discovery" if error.setting == "metadata of issuer" else "keys"
    return named


def _is_asked(step: str, issuer: TrustedIssuer) -> bool:
    if step == "tls":
        return (issuer.jwks_uri or issuer.pem_uri or issuer.metadata_uri or issuer.issuer).startswith("https:")
    return step != "discovery" or (issuer.jwks_uri is None and issuer.pem_uri is None)


def _failure(step: str, issuer: TrustedIssuer, error: FetchError) -> Finding:
    text, _, remedy = str(error).partition("; ")
    if error.failure is FetchFailure.ISSUER_MISMATCH:
        near = _near_miss(error, issuer.issuer)
        text += f" ({near})" if near else ""
    return wrong(step, issuer.issuer, text, remedy or "look at what the issuer responds, and at its logs")


def _near_miss(error: FetchError, configured: str) -> str:
    """How the issuer in the metadata differs from the configured one."""
    named = (error.detail or "").removeprefix("it says '").partition("', configured is ")[0]
    how = difference(named, configured)
    return f"near miss: the metadata says the configured issuer {how}" if how else ""


def _keys(fetched: Fetched) -> Iterator[Finding]:
    issuer, now = fetched.issuer, SystemClock().now()
    if fetched.loaded is None or fetched.loaded.document is None:
        yield _failure("keys", issuer, fetched.error or FetchError(FetchFailure.INTERNAL))
        return
    document, options = fetched.loaded.document, issuer.jwks_options
    why = why_no_set(document, options, now)
    if why is not None:
        yield wrong("keys", issuer.issuer, why, "set jwks_uri to the issuer's JWK Set; bearward keys shows each key")
        return
    lines = key_lines(document, options, now)
    usable = [line for line in lines if line.why_not is None]
    yield fine("keys", issuer.issuer, f"{len(usable)} of {len(lines)} usable")
    if not any(set(line.algorithms) & set(issuer.algorithms) for line in usable):
        said = "none of them is for an algorithm that is allowed"
        yield wrong("keys", issuer.issuer, said, "correct algorithms of this issuer; bearward keys shows each key")


def _clock(fetched: Fetched) -> Finding:
    issuer = fetched.issuer
    date = fetched.responses[-1][1].date if fetched.responses else None
    if date is None:
        return note("clock", issuer.issuer, "its responses have no Date to compare with")
    ahead = date - SystemClock().now()
    if abs(ahead) <= max(issuer.max_clock_lead, 5.0) + _CLOCK_OF_HEADERS:
        return fine("clock", issuer.issuer, "differs by no more than is granted")
    how = "ahead of" if ahead > 0 else "behind"
    said = f"its clock is {duration(ahead)} {how} the clock of this machine"
    return wrong("clock", issuer.issuer, said, "correct the clock that is wrong (NTP); leeway grants at most 5 min")
