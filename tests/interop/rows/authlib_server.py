"""Authlib as an authorization server (PyPI): access tokens by RFC 9068, trusted by the profile of that name."""

from __future__ import annotations

import sys
from typing import Any

from tests.interop import loopback
from tests.interop.forgeries import forgeries
from tests.interop.pair import AUDIENCE, Pair, environment
from tests.interop.processes import Process
from tests.interop.sheet import ACCEPTED, Row, Sheet
from tests.interop.tokens import claims_of, header_of, post_form, wait_until_expired

__all__ = ["ROWS"]

_CLIENT = ("robot", "a-secret-that-only-this-test-knows")


def _run(sheet: Sheet) -> None:
    issuers = {algorithm: _start(sheet, algorithm) for algorithm in ("RS256", "ES256")}
    trust = [{"profile": "rfc9068", "issuer": issuer, "audience": AUDIENCE} for issuer in issuers.values()]
    pair = Pair(sheet, *trust)
    for algorithm, issuer in issuers.items():
        sheet.algorithms[algorithm] = None
        brief, good = _token(issuer, "brief"), _token(issuer, "notes:read")
        claims = claims_of(good)
        sheet.check(f"{algorithm}: typ is at+jwt", "HTTP", header_of(good)["typ"] == "at+jwt")
        seven = {"iss", "exp", "aud", "sub", "client_id", "iat", "jti"}
        sheet.check(f"{algorithm}: all claims of RFC 9068", "HTTP", claims.keys() >= seven, f"{seven - claims.keys()}")
        sheet.expect(f"{algorithm}: good", ACCEPTED, pair.ask(good))
        sheet.expect(f"{algorithm}: with its scope", ACCEPTED, pair.ask_notes(good))
        unscoped = _token(issuer, "notes:write")
        sheet.expect(f"{algorithm}: without the scope", "scope_insufficient", pair.ask_notes(unscoped))
        sheet.expect(f"{algorithm}: an ID token", "token_type_not_allowed", pair.ask(_token(issuer, "id")))
        sheet.expect(f"{algorithm}: for another API", "audience_mismatch", pair.ask(_token(issuer, "elsewhere")))
        for name, forged, wanted in forgeries(good, _jwks(issuer)):
            sheet.expect(f"{algorithm}: {name}", wanted, pair.ask(forged))
        wait_until_expired(brief)
        sheet.expect(f"{algorithm}: expired", "token_expired", pair.ask(brief))
    sheet.note('Trusted by `profile = "rfc9068"`.')


def _start(sheet: Sheet, algorithm: str) -> str:
    command = [sys.executable, "-m", "tests.interop.peers.authlib_server", algorithm, AUDIENCE]
    return sheet.start(Process(f"authlib-{algorithm}", command, sheet.folder, env=environment())).line("listening on ")


def _token(issuer: str, scope: str) -> str:
    form = {"grant_type": "client_credentials", "scope": scope}
    token: str = post_form(f"{issuer}/token", form, auth=_CLIENT)["access_token"]
    return token


def _jwks(issuer: str) -> dict[str, Any]:
    jwks: dict[str, Any] = loopback.get(f"{issuer}/jwks").json()
    return jwks


ROWS = (
    Row(
        "authlib-server",
        "Authlib's authorization server, access tokens by RFC 9068",
        ("pypi:Authlib", "pypi:joserfc", "pypi:Flask"),
        _run,
    ),
)
