"""Protected resource metadata (RFC 9728): the document that tells a client whose tokens this API takes.

Rules of this file: the document is made of settings and policies, says nothing about callers, and is public. Its path
is that of the resource, behind the well-known name (section 3.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from sanic import HTTPResponse, Request
from sanic.response import json

from bearward_sanic.context import App
from bearward_sanic.marks import public
from bearward_sanic.settings import AdapterSettings

if TYPE_CHECKING:
    from bearward_sanic.extension import Bearward

__all__ = ["Metadata", "metadata_of"]

WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where the document is: its `url` for the challenges, its `path` for the route."""

    resource: str
    url: str
    path: str

    def add_route(self, app: App, extension: Bearward) -> None:
        """Serve the document, to anyone."""

        @public
        async def oauth_protected_resource(_: Request) -> HTTPResponse:
            return json(self.document(extension), headers={"cache-control": "public, max-age=300"})

        app.add_route(oauth_protected_resource, self.path, methods=["GET"], name="oauth_protected_resource")

    def document(self, extension: Bearward) -> dict[str, Any]:
        """The document (RFC 9728 section 2)."""
        settings = extension.settings
        document: dict[str, Any] = {
            "resource": self.resource,
            "authorization_servers": [issuer.issuer for issuer in extension.verifier.health().issuers],
            "bearer_methods_supported": _methods(settings),
            "scopes_supported": list(extension.scopes()),
        }
        if settings.resource_name is not None:
            document["resource_name"] = settings.resource_name
        if settings.resource_documentation is not None:
            document["resource_documentation"] = settings.resource_documentation
        if settings.client_certificate is not None:
            document["tls_client_certificate_bound_access_tokens"] = True
        # Section 2: a member without a value is left out.
        return {name: value for name, value in document.items() if value not in ([], "")}


def metadata_of(settings: AdapterSettings) -> Metadata | None:
    """Where the metadata of the configured resource are; None without a resource."""
    if settings.resource is None:
        return None
    parts = urlsplit(settings.resource)
    path = WELL_KNOWN + parts.path.rstrip("/")
    query = f"?{parts.query}" if parts.query else ""
    return Metadata(settings.resource, f"{parts.scheme}://{parts.netloc}{path}{query}", path)


def _methods(settings: AdapterSettings) -> list[str]:
    """RFC 9728 names three ways; a cookie and a subprotocol are none of them."""
    return ["header", *(["body"] if settings.form else []), *(["query"] if settings.query else [])]
