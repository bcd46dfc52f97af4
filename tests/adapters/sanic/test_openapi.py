"""The OpenAPI document says what the rules say; its page works without the world."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.adapters.sanic.servers import Server

pytestmark = pytest.mark.thorough


def test_openapi_document_names_security(serve: Any) -> None:
    """Security, 401, 403 and 503 are there where a token is needed, and not where it is not."""
    running: Server = serve(ext=True, settings={"rules": {"openapi.*": "public"}})
    document = json.loads(running.call("GET", "/docs/openapi.json").body)
    assert document["components"]["securitySchemes"] == {
        "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
    }
    paths = document["paths"]
    assert paths["/private"]["get"]["security"] == [{"bearer": []}]
    assert set(paths["/private"]["get"]["responses"]) == {"default", "401", "403", "503"}
    assert "notes:read" in paths["/scoped"]["get"]["responses"]["403"]["description"]
    assert paths["/optional"]["get"]["security"] == [{}, {"bearer": []}]
    assert not paths["/public"]["get"].get("security")
    assert "401" not in paths["/public"]["get"]["responses"]
    assert not paths["/view"]["get"].get("security")
    assert paths["/view"]["post"]["security"] == [{"bearer": []}]


@pytest.mark.parametrize("path", ["/docs", "/docs/swagger", "/docs/oauth2-redirect.html"])
def test_docs_page_needs_no_cdn(serve: Any, path: str) -> None:
    """With `offline_docs` every script and style of the page comes from the server itself."""
    running: Server = serve(ext=True, settings={"rules": {"openapi.*": "public"}, "offline_docs": True})
    page = running.call("GET", path)
    assert page.status == 200
    assert b"//cdn" not in page.body
    for address in re.findall(rb'(?:src|href)="([^"]+)"', page.body):
        if not address.startswith(b"data:"):
            assert address.startswith(b"/docs/")
            asset = running.call("GET", address.decode())
            assert asset.status == 200
            assert len(asset.body) > 10_000


def test_docs_page_is_guarded_unless_opened(serve: Any) -> None:
    """The docs page and its assets need a token like everything else, until they are made public."""
    running: Server = serve(ext=True, settings={"offline_docs": True})
    for path in ("/docs", "/docs/openapi.json", "/docs/assets/swagger-ui.css", "/docs/oauth2-redirect.html"):
        assert running.call("GET", path).status == 401
        assert running.call("GET", path, token=running.mint()).status == 200
