"""What a browser sees: a 401 that a page of another origin can read, and a websocket with a token."""

from __future__ import annotations

import json
import queue
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.sanic.servers import Server

PAGE = """<!DOCTYPE html><title>page</title><script>
const api = "%(api)s", closing = "%(closing)s", token = "%(token)s";
const seen = {};
const refused = async (options) => {
    const response = await fetch(api + "/private", options);
    return [response.status, response.headers.get("www-authenticate"), (await response.json()).code];
};
const talk = (url, protocols) => new Promise((done) => {
    const socket = new WebSocket(url.replace("http", "ws") + "/ws", protocols);
    socket.onopen = () => socket.send("hello");
    socket.onmessage = (event) => { done([socket.protocol, event.data]); socket.close(); };
    socket.onclose = (event) => done([event.code, event.reason]);
});
(async () => {
    try {
        seen.refused = await refused({});
        seen.bad = await refused({headers: {authorization: "Bearer nonsense"}});
        const granted = await fetch(api + "/private", {headers: {authorization: "Bearer " + token}});
        seen.granted = [granted.status, await granted.text()];
        seen.socket = await talk(api, ["bearer", token]);
        seen.unseen = await talk(api, ["bearer", "nonsense"]);
        seen.told = await talk(closing, ["bearer", "nonsense"]);
    } catch (error) { seen.error = String(error); }
    await fetch("/seen", {method: "POST", body: JSON.stringify(seen)});
})();
</script>"""


class _Pages:
    """Another origin: serves the page, and is told what it saw."""

    def __init__(self) -> None:
        self.page = b""
        self.seen: queue.Queue[dict[str, Any]] = queue.Queue()
        pages = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(pages.page if self.path == "/" else b"")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                self._answer(b"")
                pages.seen.put(json.loads(body))

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("content-type", "text/html")
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.origin = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def pages() -> Iterator[_Pages]:
    """A second origin."""
    served = _Pages()
    yield served
    served.close()


@contextmanager
def _chromium(url: str, profile: Path) -> Iterator[None]:
    quiet = ["--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"]
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", *quiet]
    process = subprocess.Popen(
        [*command, f"--user-data-dir={profile}", "--remote-debugging-port=0", url],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.interop
@pytest.mark.thorough
@pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")
@pytest.mark.parametrize("name", ["native", "uvicorn", "hypercorn"])
def test_browser_sees_refusals_and_opens_websockets(serve: Any, pages: _Pages, tmp_path: Path, name: str) -> None:
    """A page reads the 401 of a cross-origin fetch, and connects a websocket with the bearer subprotocol."""
    cors = {
        "CORS_ORIGINS": pages.origin,
        "CORS_ALLOW_HEADERS": "authorization,content-type",
        "CORS_EXPOSE_HEADERS": "www-authenticate",
    }
    running: Server = serve(name, ext=True, config=cors)
    closing: Server = serve(name, settings={"websocket_refusal": "close"})
    address = "http://127.0.0.1:{}".format
    values = {"api": address(running.port), "closing": address(closing.port), "token": running.mint("eve")}
    pages.page = (PAGE % values).encode()
    with _chromium(pages.origin, tmp_path):
        seen = pages.seen.get(timeout=90)
    assert seen == {
        "refused": [401, 'Bearer realm="api"', "credentials_missing"],
        "bad": [
            401,
            'Bearer realm="api", error="invalid_token", error_description="the token is not a well-formed compact JWS"',
            "token_malformed",
        ],
        "granted": [200, "SECRET"],
        "socket": ["bearer", "eve: hello"],
        "unseen": [1006, ""],
        "told": [4401, "token_malformed"],
    }
