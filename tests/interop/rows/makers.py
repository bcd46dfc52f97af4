"""Libraries as token makers: joserfc, PyJWT and Authlib, every algorithm that each can sign by.

Rule of this file: keys, JWK Set and tokens are the library's own work; we only say what the claims are.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from tests.interop.forgeries import Case, forgeries
from tests.interop.issuing import Issuer
from tests.interop.pair import AUDIENCE, Pair
from tests.interop.sheet import ACCEPTED, Row, Sheet

__all__ = ["ROWS"]

Mint = Callable[..., str]
_NOT_REGISTERED = frozenset({"none", "ES521"})
"""`none` is a forgery; `ES521` is PyJWT's old name of ES512, and no name of the IANA registry."""


def _run(library: str, sheet: Sheet) -> None:
    issuer = Issuer(sheet, library)
    told = issuer.document("algorithms")
    algorithms: list[str] = told["algorithms"]
    names = {name.partition("/")[0] for name in algorithms}
    left_out = set(told["offered"]) - names - _NOT_REGISTERED
    sheet.check("every algorithm that the library knows", "HTTP", not left_out, f"not {sorted(left_out)}")
    public = {**issuer.trust, "algorithms": sorted(name for name in names if not name.startswith("HS"))}
    shared = [{"algorithm": name, "secret": secret} for name, secret in issuer.document("secrets").items()]
    secret = {"issuer": f"{issuer.url}/hs", "audience": AUDIENCE, "symmetric_keys": shared}
    pair = Pair(sheet, public, secret, sync=True)
    jwks = issuer.document("jwks")
    for algorithm in algorithms:
        if algorithm.endswith("/short"):
            _short(sheet, pair, issuer.mint(algorithm))
            continue
        sheet.algorithms[algorithm] = None
        symmetric = algorithm.startswith("HS")
        mint = partial(_mint, issuer, algorithm, f"{issuer.url}/hs" if symmetric else issuer.url)
        for name, token, wanted in (*_claims(mint), *forgeries(mint(), {"keys": []} if symmetric else jwks)):
            sheet.expect(f"{algorithm}: {name}", wanted, pair.ask(token))


def _mint(issuer: Issuer, algorithm: str, iss: str, /, **changes: Any) -> str:
    return issuer.mint(algorithm, **{"iss": iss, **changes})


def _short(sheet: Sheet, pair: Pair, token: str) -> None:
    sheet.expect("a key with a coordinate that lacks its leading zero", ACCEPTED, pair.ask(token))
    sheet.note(
        "Authlib drops leading zeros of EC coordinates, about every second time for P-521. RFC 7518 section 6.2.1.2 asks "
        "for the full length; the key is taken all the same."
    )


def _claims(mint: Mint) -> Iterator[Case]:
    """Tokens that the library itself signed, good and bad by their claims."""
    now = int(time.time())
    yield "good", mint(), ACCEPTED
    yield "at+jwt", mint(header={"typ": "at+jwt"}), ACCEPTED
    yield "several audiences", mint(aud=["https://other.example", AUDIENCE]), ACCEPTED
    yield "fractional times", mint(iat=now - 0.5, exp=now + 300.5), ACCEPTED
    yield "Unicode and nested claims", mint(sub="Åda 🐻", tree={"a": [1, {"b": None}], "big": 2**60}), ACCEPTED
    yield "no subject", mint(sub=None), ACCEPTED
    yield "expired", mint(iat=now - 600, exp=now - 1), "token_expired"
    yield "no exp", mint(exp=None), "claim_missing"
    yield "exp is a string", mint(exp=str(now + 300)), "claim_malformed"
    yield "not yet valid", mint(nbf=now + 600), "token_not_yet_valid"
    yield "issued in the future", mint(iat=now + 600), "token_issued_in_future"
    yield "another audience", mint(aud="https://other.example"), "audience_mismatch"
    yield "no audience", mint(aud=None), "claim_missing"
    yield "another issuer", mint(iss="https://evil.example"), "issuer_untrusted"
    yield "no issuer", mint(iss=None), "claim_missing"
    yield "bound to a key", mint(cnf={"jkt": "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}), "token_sender_constrained"
    yield "a logout token", mint(header={"typ": "logout+jwt"}), "token_type_not_allowed"


ROWS = tuple(
    Row(f"maker-{short}", f"{package} makes keys and tokens", (f"pypi:{package}",), partial(_run, short))
    for short, package in (("joserfc", "joserfc"), ("pyjwt", "PyJWT"), ("authlib", "Authlib"))
)
