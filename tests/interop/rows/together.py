"""Both libraries in one process behind one issuer set; issuers whose keys have the same names.

Rule of this file: a token of one issuer is never accepted as another's, however alike their key sets look, and a
caller is the same principal whichever way they come.
"""

from __future__ import annotations

import uuid

from tests.interop import loopback
from tests.interop.both_servers import Both
from tests.interop.callers import GRPCCaller, HTTPCaller
from tests.interop.issuing import Issuer
from tests.interop.pair import Pair
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet
from tests.interop.tokens import header_of

__all__ = ["ROWS"]

_ALGORITHMS = ("RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA")


def _run(sheet: Sheet) -> None:
    one, other = Issuer(sheet, name="one"), Issuer(sheet, name="other")
    pair = Pair(sheet, one.trust, other.trust, sync=True)
    both = Both(sheet, one.trust, other.trust)
    http = HTTPCaller(both.http_url, "HTTP in one process")
    files = both.authority.issue("client")
    with GRPCCaller(both.grpc_target, "gRPC in one process", credentials=both.channel_credentials(files)) as stub:
        _names(sheet, one, other, pair, http, stub)
        _principals(sheet, one, http, stub)
    http.close()
    sheet.note("One verifier serves Sanic and grpc.aio on one event loop.")


def _names(sheet: Sheet, one: Issuer, other: Issuer, pair: Pair, http: HTTPCaller, stub: GRPCCaller) -> None:
    def ask(token: str) -> list[Answer]:
        return [*pair.ask(token), http.whoami(token), stub.whoami(token)]

    for algorithm in _ALGORITHMS:
        sheet.algorithms[algorithm] = None
        first, second = one.mint(algorithm), other.mint(algorithm)
        sheet.check(f"{algorithm}: the same kid", "HTTP", header_of(first)["kid"] == header_of(second)["kid"])
        for name, token, wanted in (
            ("one's token", first, ACCEPTED),
            ("the other's token", second, ACCEPTED),
            ("the other's key, one's name", other.mint(algorithm, issuer=one.url), "signature_invalid"),
            ("one's key, the other's name", one.mint(algorithm, issuer=other.url), "signature_invalid"),
            ("one's token, after all that", first, ACCEPTED),
        ):
            sheet.expect(f"{algorithm}: {name}", wanted, ask(token))


def _principals(sheet: Sheet, issuer: Issuer, http: HTTPCaller, stub: GRPCCaller) -> None:
    for case, claims in (
        ("plain claims", {}),
        ("nested claims, lists, Unicode", {"roles": ["a", {"b": [1, 2.5, None]}], "name": "Åda 🐻"}),
        ("no subject", {"sub": None}),
    ):
        token = issuer.mint(jti=uuid.uuid4().hex, **claims)
        told = (http.whoami(token).claims, stub.whoami(token).claims)
        sheet.check(f"{case}: both tell the same claims", "gRPC in one process", told[0] == told[1] is not None)
        same = http.get("/same", authorization=f"Bearer {token}").json()
        sheet.check(
            f"{case}: the principals are equal", "HTTP in one process", same["equal"] and same["hash"], f"{same}"
        )
        twin = issuer.mint(jti=uuid.uuid4().hex, **claims)
        answer = loopback.get(f"{http.url}/same", headers={"authorization": f"Bearer {twin}"}).json()
        sheet.check(f"{case}: another token's principal is not", "HTTP in one process", not answer["equal"])


ROWS = (Row("together", "Both libraries in one process; two issuers with the same kids", ("pypi:joserfc",), _run),)
