"""A small HTTP server for peers that are written here: JSON in, JSON out, one ready line.

Rule of this file: it knows nothing of tokens.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["JSON", "Answer", "serve"]

JSON = "application/json"
Answer = tuple[int, str, bytes]
"""Status, content type, body."""


def serve(
    answer: Callable[[str, str, bytes], Answer | dict[str, Any] | None],
    *,
    url_known: Callable[[str], None] | None = None,
) -> None:
    """Answer `answer(method, path, body)` until the process is told to end; a dict is sent as JSON, None is a 404.

    `url_known` is told the base URL before the first request can come.
    """

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_one_request(self) -> None:
            self.raw_requestline = self.rfile.readline(65537)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            said = answer(self.command, self.path, body)
            status, kind, content = _rendered(said)
            self.send_response(status)
            self.send_header("content-type", kind)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    url = f"http://127.0.0.1:{server.server_port}"
    if url_known is not None:
        url_known(url)
    sys.stdout.write(f"listening on {url}\n")
    sys.stdout.flush()
    server.serve_forever()


def _rendered(said: Answer | dict[str, Any] | None) -> Answer:
    if said is None:
        return 404, JSON, b'{"error": "not found"}'
    return (200, JSON, json.dumps(said).encode()) if isinstance(said, dict) else said
