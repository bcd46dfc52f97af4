"""The OpenAPI document says what the rules say; its page works without the world."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV30SpecValidator

from bearward import ConfigurationError
from bearward_sanic import AdapterSettings
from tests.adapters.sanic.servers import Server

pytestmark = pytest.mark.thorough


def faults(document: dict[str, Any]) -> list[str]:
    """What OpenAPI's own schema and rules say against the document, but for names that sanic-ext gives twice.

    It names operations after handlers, so two routes of one handler (a copied blueprint's) have one `operationId`.
    """
    found = OpenAPIV30SpecValidator(document).iter_errors()
    return [str(one) for one in found if not str(one).startswith("Operation ID ")]


def test_openapi_document_names_security(serve: Any) -> None:
    """Security, 401, 403 and 503 are there where a token is needed, and not where it is not."""
    running: Server = serve(ext=True, settings={"rules": {"openapi.*": "public"}})
    document = json.loads(running.call("GET", "/docs/openapi.json").body)
    assert faults(document) == []
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


TOKEN_URL = "https://login.example/token"
AUTHORIZATION_URL = "https://login.example/authorize"
FLOWS = {
    "client credentials": ({"oauth_token_url": TOKEN_URL}, "clientCredentials", {"tokenUrl": TOKEN_URL}),
    "authorization code": (
        {"oauth_token_url": TOKEN_URL, "oauth_authorization_url": AUTHORIZATION_URL},
        "authorizationCode",
        {"tokenUrl": TOKEN_URL, "authorizationUrl": AUTHORIZATION_URL},
    ),
}


@pytest.mark.parametrize("flow", FLOWS)
def test_each_operation_lists_its_scopes_if_the_flow_is_named(serve: Any, flow: str) -> None:
    """With the issuer's endpoints named, the scheme is an OAuth flow that has every scope that some operation lists."""
    settings, kind, endpoints = FLOWS[flow]
    running: Server = serve(ext=True, settings={"rules": {"openapi.*": "public"}, **settings})
    document = json.loads(running.call("GET", "/docs/openapi.json").body)
    assert faults(document) == []
    scheme = document["components"]["securitySchemes"]["oauth2"]
    assert scheme["type"] == "oauth2"
    assert scheme["flows"].keys() == {kind}
    scopes = scheme["flows"][kind].pop("scopes")
    assert scheme["flows"][kind] == endpoints
    paths = document["paths"]
    assert paths["/scoped"]["get"]["security"] == [{"oauth2": ["notes:read"]}]
    assert paths["/private"]["get"]["security"] == [{"oauth2": []}]
    assert paths["/optional"]["get"]["security"] == [{}, {"oauth2": []}]
    assert not paths["/public"]["get"].get("security")
    operations = [operation for path in paths.values() for operation in path.values()]
    listed = {name for one in operations for needs in one.get("security", []) for name in needs.get("oauth2", [])}
    assert listed == set(scopes)


def test_authorization_endpoint_needs_the_token_endpoint() -> None:
    """Half a flow is none."""
    with pytest.raises(ConfigurationError, match="oauth_token_url"):
        AdapterSettings(oauth_authorization_url=AUTHORIZATION_URL)


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
