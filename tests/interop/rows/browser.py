"""A browser: headless Chromium, a page of one origin calling the sample on another."""

from __future__ import annotations

import json
import sys

from tests.interop.issuing import Issuer
from tests.interop.manifest import HERE
from tests.interop.pair import QUICK, environment, toml
from tests.interop.processes import Process, free_port
from tests.interop.rows.clients import judge_report
from tests.interop.sheet import Row, Sheet
from tests.interop.webdriver import browser

__all__ = ["ROWS"]


def _run(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    port = free_port()
    page = sheet.folder / "page.json"
    page.write_text(
        json.dumps({"/": {"type": "text/html", "body": "<!doctype html><title>a page</title>"}}), encoding="utf-8"
    )
    documents = [sys.executable, "-m", "tests.interop.peers.documents", page, str(port)]
    sheet.start(Process("page", documents, sheet.folder, env=environment())).line("listening")
    config = sheet.folder / "web.toml"
    config.write_text(toml([{"keys": QUICK, **issuer.trust}]), encoding="utf-8")
    origin = f"http://localhost:{port}"
    command = [sys.executable, "-m", "tests.interop.peers.web", config, origin]
    url = sheet.start(Process("web", command, sheet.folder, env=environment())).line("listening on ")
    with browser(sheet) as chromium:
        chromium.open(f"{origin}/")
        found = chromium.run(
            (HERE / "node" / "page.js").read_text(encoding="utf-8"), url, issuer.callers(), issuer.brief(4.0)
        )
    if "broke" in found:
        raise RuntimeError(found["broke"])
    ends = {"events until the token ends": "ended", "websocket until the token ends": "1008 token_expired"}
    judge_report(sheet, "HTTP", found, ends)
    sheet.note(
        "The token goes as a header, on a websocket as the subprotocol after `bearer`; none is sent as a cookie or in a URL."
    )


ROWS = (Row("browser", "Chromium, headless, across origins", ("debian:chromium", "debian:chromium-driver"), _run),)
