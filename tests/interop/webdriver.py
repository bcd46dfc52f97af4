"""Headless Chromium by way of ChromeDriver, in the WebDriver protocol (W3C), which is JSON over HTTP.

Rule of this file: it opens a page and runs a script in it; what the script finds is the caller's business.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from tests.interop.processes import Process, free_port
from tests.interop.sheet import Sheet

__all__ = ["Browser", "browser"]

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-proxy-server",
)


class Browser:
    """One session."""

    def __init__(self, client: httpx2.Client, session: str) -> None:
        self._client = client
        self._session = session

    def open(self, url: str) -> None:
        """Go to a page."""
        self._post("url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """The value with which the body of a function `script` calls back (its last argument)."""
        return self._post("execute/async", {"script": script, "args": list(arguments)})

    def _post(self, what: str, body: dict[str, Any]) -> Any:
        return _value(self._client.post(f"/session/{self._session}/{what}", json=body))


@contextmanager
def browser(sheet: Sheet) -> Iterator[Browser]:
    """A browser with its own profile."""
    port = free_port()
    driver = sheet.start(
        Process("chromedriver", [shutil.which("chromedriver") or "chromedriver", f"--port={port}"], sheet.folder)
    )
    driver.until_listening(port)
    arguments = [*FLAGS, f"--user-data-dir={sheet.folder / 'profile'}"]
    wanted = {"browserName": "chrome", "goog:chromeOptions": {"args": arguments}, "timeouts": {"script": 120_000}}
    with httpx2.Client(base_url=f"http://127.0.0.1:{port}", timeout=180, trust_env=False) as client:
        made = _value(client.post("/session", json={"capabilities": {"alwaysMatch": wanted}}))
        try:
            yield Browser(client, made["sessionId"])
        finally:
            client.delete(f"/session/{made['sessionId']}")


def _value(response: httpx2.Response) -> Any:
    value = response.json()["value"]
    if response.status_code != 200:
        raise RuntimeError(f"the browser: {str(value.get('message', value))[:400]}")
    return value
