"""curl: bodies that are streamed, bodies that are never asked for, streams that end.

Rule of this file: a refused upload is refused before it is sent.
"""

from __future__ import annotations

import json
import subprocess
from typing import Any

from tests.interop.issuing import Issuer, wanted
from tests.interop.pair import Pair
from tests.interop.rows.clients import BRIEF
from tests.interop.sheet import ACCEPTED, Answer, Row, Sheet

__all__ = ["ROWS"]

_TIMED_OUT = 28
"""curl's exit code where it was curl that lost patience."""


def _run(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust)
    large = sheet.folder / "large.ndjson"
    large.write_bytes((b'{"text": "' + b"x" * 1000 + b'"}\n') * 12_000)
    small = sheet.folder / "small.ndjson"
    small.write_text('{"text": "one"}\n{"text": "two"}\n', encoding="utf-8")
    kinds: dict[str, list[str]] = {
        "GET, any token": ["/protected"],
        "GET, notes:read": ["/notes"],
        "HEAD, any token": ["-I", "/protected"],
        "POST, notes:write": ["-d", '{"text": "hello"}', "/notes"],
        "streamed body, notes:write": [
            "-T",
            str(small),
            "-X",
            "POST",
            "-H",
            "Transfer-Encoding: chunked",
            "/notes/import",
        ],
        "12 MB with Expect: 100-continue, notes:write": ["-T", str(large), "-X", "POST", "/notes/import"],
    }
    for kind, arguments in kinds.items():
        need = kind.rpartition(", ")[2]
        for name, token in issuer.callers().items():
            answer = _curled(pair.http_url, token, *arguments)
            right = wanted(name, None if need == "any token" else need)
            verdict = _curl_verdict(answer, kind)
            if kind.startswith("HEAD"):
                right = "HTTP 405" if right == ACCEPTED else "HTTP 401"
            sheet.expect(f"{kind}: {name}", right, [Answer("HTTP", verdict)])
            if kind.startswith("12 MB") and verdict != ACCEPTED:
                sent = answer["size_upload"]
                sheet.check(f"{kind}: {name}: nothing was uploaded", "HTTP", sent < 300_000, f"{sent} octets")
    stream = _curled(pair.http_url, issuer.brief(BRIEF), "-N", "/notes/stream")
    by_itself = stream["exitcode"] != _TIMED_OUT
    sheet.check("event stream ends with its token", "HTTP", stream["http_code"] == 200 and by_itself, f"{stream}")


def _curled(url: str, token: str | None, *arguments: str) -> dict[str, Any]:
    *options, path = arguments
    command = ["curl", "-s", "--noproxy", "*", "--max-time", "30", *options, "-w", "\n%{json}", url + path]
    if token is not None:
        command += ["-H", f"Authorization: Bearer {token}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    body, _, report = done.stdout.rpartition("\n")
    return {**json.loads(report), "body": body}


def _curl_verdict(answer: dict[str, Any], kind: str) -> str:
    status = answer["http_code"]
    if kind.startswith("HEAD") or answer["http_code"] == 0:
        return f"HTTP {status}"
    return ACCEPTED if status in (200, 201) else str(json.loads(answer["body"])["code"])


ROWS = (Row("curl", "curl", ("debian:curl",), _run),)
