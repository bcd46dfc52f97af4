"""`python -m tests.interop.peers.web CONFIG ORIGIN`: the HTTP sample, opened to pages of one other origin.

What an API does whose browser application lives elsewhere (Fetch standard, CORS): it responds to preflights and lets the
page read its answers. Nothing of it has to do with tokens, so the sample itself leaves it out.
"""

from __future__ import annotations

import sys

from sanic import HTTPResponse, Request, Sanic
from sanic.response import empty

from bearward_sanic import public
from samples.command_line import bind_socket, print_ready
from samples.http_server import create_app

HEADERS = {
    "access-control-allow-headers": "authorization, content-type",
    "access-control-allow-methods": "GET, POST",
    "access-control-expose-headers": "www-authenticate",
    "vary": "origin",
}


def main(config: str, origin: str) -> None:
    """Serve until told to end."""
    sock = bind_socket("127.0.0.1", 0)
    app = create_app(config, ":memory:", lambda: print_ready("http", "127.0.0.1", sock.getsockname()[1]))

    @public
    async def preflight(_: Request) -> HTTPResponse:
        return empty()

    for path in sorted({route.path for route in app.router.routes}):
        app.add_route(preflight, f"/{path}", methods=["OPTIONS"], name=f"preflight-{path.replace('/', '-')}")

    async def share(request: Request, response: HTTPResponse) -> None:
        response.headers.update({**HEADERS, "access-control-allow-origin": origin})

    app.on_response(share)

    app.prepare(sock=sock, single_process=True, access_log=False, motd=False)
    Sanic.serve_single(app)


if __name__ == "__main__":
    main(*sys.argv[1:])
