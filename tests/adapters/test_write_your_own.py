"""`docs/adapters.md` is true: its adapter for WSGI is the one in `examples/`, uses public names only, and guards."""

from __future__ import annotations

import ast
import re
import runpy
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

import httpx2
import pytest

import bearward
import bearward.adapters
from bearward.testing import LocalIssuer

TOP = Path(__file__).resolve().parents[2]
PAGE = (TOP / "docs" / "adapters.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"```python (\w+)\n(.*?)```", PAGE, re.DOTALL))
FILE = TOP / "examples" / "wsgi_adapter.py"
PUBLIC = {"bearward": bearward.__all__, "bearward.adapters": bearward.adapters.__all__}


class Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name that http.server gave it)
        """Say nothing."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Whose tokens the service of the page is made to trust."""
    with LocalIssuer(audience="https://api.example") as running:
        yield running


@pytest.fixture(scope="module")
def client(issuer: LocalIssuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx2.Client]:
    """A client of the service of the page, served by the standard library."""
    program = tmp_path_factory.mktemp("service") / "service.py"
    program.write_text(BLOCKS["service"].replace("https://login.example/", issuer.url))
    sys.path.insert(0, str(FILE.parent))
    try:
        service = runpy.run_path(str(program))["service"]
    finally:
        sys.path.remove(str(FILE.parent))
        del sys.modules["wsgi_adapter"]
    with make_server("127.0.0.1", 0, service, handler_class=Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        with httpx2.Client(base_url=f"http://127.0.0.1:{server.server_port}") as running:
            yield running
        server.shutdown()
        thread.join()
    service.close()


def test_page_shows_the_example_adapter() -> None:
    """Letter for letter the file in `examples/`, of about sixty lines."""
    assert FILE.read_text(encoding="utf-8") == BLOCKS["adapter"]
    assert len([line for line in BLOCKS["adapter"].splitlines() if line.strip()]) <= 65


@pytest.mark.parametrize("block", ["adapter", "service"])
def test_example_adapter_uses_public_names_only(block: str) -> None:
    """Of bearward, an adapter imports what the two façades export, and nothing else."""
    imports = [node for node in ast.walk(ast.parse(BLOCKS[block])) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").startswith("bearward")]
    assert ours
    assert [
        f"{node.module}.{name.name}"
        for node in ours
        for name in node.names
        if name.name not in PUBLIC[node.module or ""]
    ] == []


def test_example_adapter_refuses_with_the_usual_codes(client: httpx2.Client, issuer: LocalIssuer) -> None:
    """Good, without the scope, expired, none, another scheme: the codes that every adapter answers by."""
    cases = {
        issuer.mint(scope="orders:read"): (200, None),
        issuer.mint(): (403, "scope_insufficient"),
        issuer.mint(scope="orders:read", expires_in=-60): (401, "token_expired"),
        "nonsense": (401, "token_malformed"),
    }
    for token, (status, code) in cases.items():
        answer = client.get("/orders", headers={"authorization": f"Bearer {token}"})
        assert (answer.status_code, None if code is None else answer.json()["code"]) == (status, code)
    anonymous = client.get("/orders")
    assert (anonymous.status_code, anonymous.headers["www-authenticate"]) == (401, 'Bearer realm="api"')


def test_route_without_a_rule_is_denied(client: httpx2.Client, issuer: LocalIssuer) -> None:
    """A path without an application is refused like any other, before it shows that it does not exist."""
    assert client.get("/nowhere").status_code == 401
    refused = client.get("/nowhere", headers={"authorization": f"Bearer {issuer.mint()}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "no_rule")


def test_public_rule_ignores_credentials(client: httpx2.Client) -> None:
    """`@public` serves callers without a token, and callers with a bad one."""
    for headers in ({}, {"authorization": "Bearer nonsense"}):
        assert client.get("/health", headers=headers).text == "up"


def test_marked_application_without_its_adapter_is_closed() -> None:
    """Called by nobody's adapter, `@requires` refuses instead of opening."""
    namespace: dict[str, Any] = {}
    sys.path.insert(0, str(FILE.parent))
    try:
        exec(compile(BLOCKS["service"].partition("verifier =")[0], "docs/adapters.md", "exec"), namespace)
    finally:
        sys.path.remove(str(FILE.parent))
        del sys.modules["wsgi_adapter"]
    with pytest.raises(bearward.AuthError) as refused:
        namespace["orders"]({"PATH_INFO": "/orders"}, lambda *_: None)
    assert refused.value.code == "no_rule"
