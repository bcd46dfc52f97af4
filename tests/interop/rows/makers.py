"""Libraries as token makers: joserfc, PyJWT and Authlib, every algorithm that each can sign by.

Rule of this file: keys, JWK Set and tokens are the library's own work; we only say what the claims are.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import httpx2

from tests.interop.forgeries import Case, forgeries
from tests.interop.pair import AUDIENCE, Pair, environment
from tests.interop.processes import Process
from tests.interop.sheet import ACCEPTED, Row, Sheet

__all__ = ["ROWS"]

Mint = Callable[..., str]


def _run(library: str, sheet: Sheet) -> None:
    maker = sheet.start(
        Process(library, [sys.executable, "-m", "tests.interop.peers.maker", library], sheet.folder, env=environment())
    )
    issuer = maker.line("listening on ")
    documents = {name: httpx2.get(f"{issuer}/{name}").json() for name in ("algorithms", "jwks", "secrets")}
    algorithms: list[str] = documents["algorithms"]["algorithms"]
    names = {name.partition("/")[0] for name in algorithms}
    public = {"issuer": issuer, "audience": AUDIENCE, "algorithms": sorted(n for n in names if not n.startswith("HS"))}
    shared = [{"algorithm": name, "secret": secret} for name, secret in documents["secrets"].items()]
    secret = {"issuer": f"{issuer}/hs", "audience": AUDIENCE, "symmetric_keys": shared}
    pair = Pair(sheet, public, secret, sync=True)
    for algorithm in algorithms:
        if algorithm.endswith("/short"):
            _short(sheet, pair, _mint(issuer, algorithm, issuer))
            continue
        sheet.algorithms[algorithm] = None
        symmetric = algorithm.startswith("HS")
        mint = partial(_mint, issuer, algorithm, f"{issuer}/hs" if symmetric else issuer)
        jwks = {"keys": []} if symmetric else documents["jwks"]
        for name, token, wanted in (*_claims(mint), *forgeries(mint(), jwks)):
            sheet.expect(f"{algorithm}: {name}", wanted, pair.ask(token))


def _short(sheet: Sheet, pair: Pair, token: str) -> None:
    sheet.expect("a key with a coordinate that lacks its leading zero", ACCEPTED, pair.ask(token))
    sheet.note(
        "Authlib drops leading zeros of EC coordinates, about every second time for P-521. RFC 7518 section 6.2.1.2 asks "
        "for the full length; the key is taken all the same."
    )


def _mint(url: str, algorithm: str, issuer: str, /, *, header: dict[str, Any] | None = None, **changes: Any) -> str:
    now = int(time.time())
    claims = {"iss": issuer, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300, "scope": "notes:read"}
    claims = {name: value for name, value in (claims | changes).items() if value is not None}
    order = {"algorithm": algorithm, "header": header or {}, "claims": claims}
    answer = httpx2.post(f"{url}/mint", json=order, timeout=30)
    answer.raise_for_status()
    token: str = answer.json()["token"]
    return token


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
    Row(f"maker-{short}", f"{package} makes keys and tokens", (f"pypi:{package}", "pypi:joserfc"), partial(_run, short))
    for short, package in (("joserfc", "joserfc"), ("pyjwt", "PyJWT"), ("authlib", "Authlib"))
)
