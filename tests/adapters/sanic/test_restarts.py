"""Many starts leave what one leaves, through every way in which tests start an application."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import subprocess
import sys
from typing import Any

import pytest

from bearward.testing import LocalIssuer
from tests.adapters.sanic.servers import AUDIENCE, PACKAGES, TOP

pytestmark = pytest.mark.thorough

STARTS = 8

PROGRAM = """
import asyncio, gc, json, logging, socket, sys, warnings
warnings.simplefilter("default")
from bearward import TrustedIssuer, Verifier
from bearward_sanic import authenticated, install, public
from sanic import Sanic
from sanic.response import text
from sanic_testing.reusable import ReusableClient

how, ext, issuer, token = sys.argv[1:]
ext = ext == "ext"
logging.disable(logging.INFO)
app = Sanic("restarts")
app.config.AUTO_EXTEND = ext
app.config.ACCESS_LOG = False

@app.get("/private")
async def private(request):
    return text(request.ctx.principal.subject)

@app.get("/open")
@public
async def opened(request):
    return text("open")

@app.websocket("/ws")
async def ws(request, ws):
    await ws.send(request.ctx.principal.subject)

settings = {"rules": {"openapi.*": public}} if ext else {}
install(app, Verifier(TrustedIssuer(issuer, audience="https://api.example")), default=authenticated, **settings)
good = {"authorization": f"Bearer {token}"}

def check(get):
    assert get("/private", {}).status == 401
    assert get("/private", good).text == "ada"
    assert get("/open", {}).text == "open"
    if not ext:
        assert get("/docs/openapi.json", good).status == 404
        return {"security": None, "responses": []}
    return json.loads(get("/docs/openapi.json", {}).text)["paths"]["/private"]["get"]

def by_test_client():
    return check(lambda path, headers: app.test_client.get(path, headers=headers)[1])

def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]

def by_reusable_client():
    with ReusableClient(app, port=free_port()) as client:
        return check(lambda path, headers: client.get(path, headers=headers)[1])

def by_asgi_client():
    async def ask(path, headers):
        return (await app.asgi_client.get(path, headers=headers))[1]
    return check(lambda path, headers: asyncio.run(ask(path, headers)))

def shape(operation):
    route = next(r for r in app.router.routes if r.name == "restarts.private")
    middleware = sum(getattr(m, "func", m) == app.ctx.bearward._admit for m in route.extra.request_middleware)
    wrapped, depth = route.handler, 0
    while wrapped is not private:
        wrapped, depth = wrapped.__wrapped__, depth + 1
    tasks = [o for o in gc.get_objects() if isinstance(o, asyncio.Task) and not o.done()]
    return [middleware, depth, operation["security"], sorted(operation["responses"]), len(tasks), len(app.router.routes)]

start = {"test": by_test_client, "reusable": by_reusable_client, "asgi": by_asgi_client}[how]
shapes = []
for _ in range(STARTS if how == "reusable" else STARTS // 2):  # the others start the application for every request
    operation = start()
    gc.collect()
    shapes.append(shape(operation))
print(json.dumps([shapes[0], shapes[-1]]))
"""


@pytest.mark.parametrize("how", ["test", "reusable", "asgi"])
@pytest.mark.parametrize("sanic", ["newest", "oldest"])
@pytest.mark.parametrize("ext", ["ext", "plain"])
def test_many_starts_leave_the_state_of_one(
    issuer: LocalIssuer, request: pytest.FixtureRequest, ext: str, sanic: str, how: str
) -> None:
    """No middleware, wrapper, route, task or OpenAPI entry piles up, and no loop is mixed with another."""
    program = PROGRAM.replace("STARTS", str(STARTS))
    python = sys.executable if sanic == "newest" else request.getfixturevalue("oldest_python")
    done = subprocess.run(
        [python, "-c", program, how, ext, issuer.url, issuer.mint(sub="ada")],
        cwd=TOP,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(PACKAGES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr
    first, last = json.loads(done.stdout.splitlines()[-1])
    assert first == last
    assert "Traceback" not in done.stderr
    assert "never awaited" not in done.stderr
    assert "was destroyed" not in done.stderr


def test_application_restarts_on_another_event_loop(issuer: LocalIssuer) -> None:
    """Nothing that was made on one event loop is used on the next."""
    from sanic import Sanic
    from sanic.response import text

    from bearward import TrustedIssuer, Verifier
    from bearward_sanic import authenticated, install

    app: Sanic[Any, Any] = Sanic("moving")
    Sanic._app_registry.pop("moving")
    app.config.update(AUTO_EXTEND=False, TOUCHUP=False)

    @app.get("/x")
    async def handler(request: Any) -> Any:
        return text("x")

    bearward = install(app, Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE)), default=authenticated)

    async def once() -> str | None:
        loop = asyncio.get_running_loop()
        if not app.router.finalized:
            await app._startup()
        await app._server_event("init", "before", loop=loop)
        subject = (await bearward.verifier.verify(issuer.mint(sub="ada"))).subject
        await app._server_event("shutdown", "after", loop=loop)
        assert [task for task in asyncio.all_tasks(loop) if task is not asyncio.current_task()] == []
        return subject

    assert [asyncio.run(once()) for _ in range(3)] == ["ada"] * 3
    gc.collect()
