"""Protected resource metadata (RFC 9728): the document from which clients learn whose tokens this API accepts.

Rules of this file: the document is made from settings and rules, names no tenant and no caller, and is public. Its path
is that of the resource, after the well-known name (section 3.1).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from sanic import HTTPResponse, Request
from sanic.response import json

from bearward.access import public
from bearward.resource_metadata import resource_metadata_document
from bearward.verifier import Verifier
from bearward_sanic.context import App
from bearward_sanic.settings import AdapterSettings

__all__ = ["ResourceMetadata", "metadata_of"]

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """Where the document is: its `url` for the challenges, its `path` for the route."""

    resource: str
    url: str
    path: str

    def add_route(self, app: App, make: Callable[[], dict[str, Any]]) -> None:
        """Serve the document that `make` returns, to anyone."""

        @public
        async def oauth_protected_resource(_: Request) -> HTTPResponse:
            return json(make(), headers={"cache-control": "public, max-age=300"})

        app.add_route(oauth_protected_resource, self.path, methods=["GET"], name="oauth_protected_resource")

    def document(self, settings: AdapterSettings, verifier: Verifier, scopes: tuple[str, ...]) -> dict[str, Any]:
        """The document (RFC 9728 section 2); `scopes` are those of the rules."""
        return resource_metadata_document(
            self.resource,
            issuers=verifier.issuers,
            scopes=scopes,
            methods=_methods(settings),
            name=settings.resource_name,
            documentation=settings.resource_documentation,
            dpop=verifier.dpop,
            client_certificates=settings.accepts_certificates,
        )


def metadata_of(settings: AdapterSettings) -> ResourceMetadata | None:
    """Where the metadata of the configured resource are; None without a resource."""
    if settings.resource is None:
        return None
    parts = urlsplit(settings.resource)
    path = WELL_KNOWN + parts.path.rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    url = settings.resource_metadata or f"{parts.scheme}://{parts.netloc}{path}{query}"
    return ResourceMetadata(settings.resource, url, path)


def _methods(settings: AdapterSettings) -> list[str]:
    """RFC 9728 names three ways; a cookie and a subprotocol are none of them."""
    return ["header", *(["body"] if settings.form else []), *(["query"] if settings.query else [])]
