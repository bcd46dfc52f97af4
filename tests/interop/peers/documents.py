"""`python -m tests.interop.peers.documents FILE PORT`: serve what FILE says, on that port of every loopback name.

FILE maps a path to `{"type": …, "headers": {…}, "body": …}`.
"""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any


def main(file: str, port: str) -> None:
    """Serve until told to end."""
    documents: dict[str, Any] = json.loads(Path(file).read_text(encoding="utf-8"))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            """Answer the document of this very path."""
            document = documents.get(self.path)
            body = json.dumps(document["body"] if document else {"error": "not found"}).encode()
            self.send_response(200 if document else 404)
            for name, value in (document or {}).get("headers", {}).items():
                self.send_header(name, value)
            self.send_header("content-type", document["type"] if document else "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name is the base class's)
            pass

    server = ThreadingHTTPServer(("127.0.0.1", int(port)), Handler)
    sys.stdout.write("listening\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
