"""Cognito as moto serves it: issuer and keys on different hosts, access tokens without `aud`, an ID token to refuse."""

from __future__ import annotations

import json
import sys

from tests.interop import loopback
from tests.interop.forgeries import forgeries
from tests.interop.pair import AUDIENCE, Pair, environment
from tests.interop.processes import Process, free_port
from tests.interop.sheet import ACCEPTED, Row, Sheet
from tests.interop.tokens import claims_of

__all__ = ["ROWS"]


def _run(sheet: Sheet) -> None:
    port = free_port()
    moto = sheet.start(
        Process(
            "moto",
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            sheet.folder,
            env=environment(),
        )
    )
    moto.until_listening(port)
    client = sheet.start(
        Process(
            "client",
            [sys.executable, "-m", "tests.interop.peers.cognito", f"http://127.0.0.1:{port}"],
            sheet.folder,
            env=environment(),
        )
    )
    if client.wait() != 0:
        raise RuntimeError(client.output()[-800:])
    found = json.loads(client.output().splitlines()[-1])
    access, identity = found["access"], found["id"]
    trust = {"issuer": found["issuer"], "jwks_uri": found["jwks_uri"]}
    ours = {**trust, "client_ids": [found["client_id"]], "expected_claims": {"token_use": "access"}}
    pair = Pair(sheet, ours)
    sheet.algorithms["RS256"] = None
    sheet.check("an access token has no aud", "HTTP", "aud" not in claims_of(access))
    sheet.check("it names the client and its use", "HTTP", claims_of(access).keys() >= {"client_id", "token_use"})
    sheet.expect("access token", ACCEPTED, pair.ask(access))
    sheet.expect("ID token", "audience_mismatch", pair.ask(identity))
    for name, forged, wanted in forgeries(access, loopback.get(found["jwks_uri"]).json()):
        sheet.expect(name, wanted, pair.ask(forged))
    others = Pair(sheet, {**ours, "client_ids": ["another-app"]}, name="others")
    sheet.expect("a token of another client", "claim_mismatch", others.ask(access))
    by_id = Pair(
        sheet, {**trust, "audience": found["client_id"], "expected_claims": {"token_use": "access"}}, name="by-aud"
    )
    sheet.expect("ID token where its aud is trusted", "claim_mismatch", by_id.ask(identity))
    by_audience = Pair(sheet, {**trust, "audience": AUDIENCE}, name="by-audience")
    sheet.expect("access token where an aud is asked for", "claim_missing", by_audience.ask(access))
    sheet.note("Trusted by `client_ids` and `expected_claims`, since Cognito's access tokens have no `aud`.")


ROWS = (Row("cognito", "Cognito, as moto serves it", ("pypi:moto", "pypi:boto3"), _run),)
