"""OpenTelemetry's own interceptors and instrumentation around ours, in every order.

Rule of this file: they change no verdict, and no token gets into a span.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from tests.interop.callers import GRPCCaller, HTTPCaller
from tests.interop.issuing import Issuer, wanted
from tests.interop.pair import QUICK, environment, toml
from tests.interop.processes import Process
from tests.interop.rows.clients import KINDS, verdict_of, with_token
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet

__all__ = ["ROWS"]

_GRPC = ("aio-outside", "aio-inside", "aio-patched", "threads-outside", "threads-inside", "threads-patched")
_HTTP = ("asgi", "sanic")


def _run(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    config = sheet.folder / "telemetry.toml"
    config.write_text(toml([{"keys": QUICK, **issuer.trust}]), encoding="utf-8")
    for place, process in [(place, _started(sheet, place, config)) for place in (*_GRPC, *_HTTP)]:
        scheme, _, target = process.line("listening on ").partition("://")
        callers = issuer.callers()
        called = (
            _call_grpc(sheet, place, target, callers) if scheme == "grpc" else _call_http(sheet, place, target, callers)
        )
        _spans(sheet, place, process, called, callers)
    sheet.note(
        "Sanic's answers carry their headers as an iterator, which the ASGI instrumentation reads and so empties, for any "
        "Sanic application: between the two stands a wrapper that makes a list of it."
    )
    sheet.note("Outside ours it sees refused calls too; inside it sees the calls that were let in.")


def _started(sheet: Sheet, place: str, config: Path) -> Process:
    command = [sys.executable, "-m", "tests.interop.peers.telemetry", place, config]
    return sheet.start(Process(place, command, sheet.folder, env=environment()))


def _call_grpc(sheet: Sheet, place: str, target: str, callers: dict[str, str | None]) -> int:
    """How many spans there must be."""
    seen = 0
    with GRPCCaller(target) as caller:
        for name, token in callers.items():
            right = wanted(name, None)
            answer = caller.whoami(token)
            sheet.expect(f"{place}: whoami: {name}", right, [Answer("gRPC", answer.verdict)])
            seen += right == ACCEPTED or not place.endswith("inside")
            for kind, need, call in KINDS:
                right = wanted(name, need)
                said = verdict_of(with_token(call, token), caller.stub)
                sheet.expect(f"{place}: {kind}, {need}: {name}", right, [Answer("gRPC", said)])
                seen += right == ACCEPTED or not place.endswith("inside")
    return seen


def _call_http(sheet: Sheet, place: str, target: str, callers: dict[str, str | None]) -> int:
    caller = HTTPCaller(f"http://{target}")
    for name, token in callers.items():
        sheet.expect(f"{place}: whoami: {name}", wanted(name, None), [caller.whoami(token)])
        headers = {} if token is None else {"authorization": f"Bearer {token}"}
        response = caller.get("/notes", **headers)
        verdict = ACCEPTED if response.status_code == 200 else response.json()["code"]
        sheet.expect(f"{place}: notes: {name}", wanted(name, "notes:read"), [Answer("HTTP", verdict)])
    caller.close()
    # a middleware of Sanic's comes after ours: what is refused does not reach it
    return 2 * len(callers) if place == "asgi" else sum(wanted(name, None) == ACCEPTED for name in callers) * 2


def _spans(sheet: Sheet, place: str, process: Process, called: int, callers: dict[str, str | None]) -> None:
    """Server spans, one each at least; a span may end a moment after its call."""
    transport = "gRPC" if place in _GRPC else "HTTP"

    def enough() -> list[dict[str, Any]] | None:
        *lines, _ = process.output().split("\n")
        spans = [json.loads(line.removeprefix("span ")) for line in lines if line.startswith("span ")]
        return spans if len(spans) >= called else None

    try:
        spans = process.until(enough, f"fewer than {called} spans", timeout=60)
    except RuntimeError as error:
        sheet.check(f"{place}: a span for each call", transport, False, str(error)[:200])
        return
    sheet.check(f"{place}: a span for each call", transport, bool(spans))
    secrets = [token.rpartition(".")[2] for token in callers.values() if token]
    shown = json.dumps(spans)
    sheet.check(f"{place}: no token in a span", transport, not any(secret in shown for secret in secrets))


ROWS = (
    Row(
        "opentelemetry",
        "OpenTelemetry's interceptors and instrumentation around ours",
        (
            "pypi:opentelemetry-sdk",
            "pypi:opentelemetry-instrumentation-grpc",
            "pypi:opentelemetry-instrumentation-asgi",
            "pypi:opentelemetry-instrumentation-sanic",
            "pypi:uvicorn",
        ),
        _run,
    ),
)
