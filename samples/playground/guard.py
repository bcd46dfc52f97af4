"""Who may look: the page's own tokens, and which requests come from the page itself.

Rules of this file: the page is served on loopback alone. A request must be addressed to the page by its own name (`Host`),
so that no other name that leads to this machine (DNS rebinding) is served, and one with an `Origin` must come from the
page itself. The page's token lives a minute, is asked for by the page, and is kept in its memory: it is in no cookie, so
that a page of another origin cannot make a browser send it. Like the local issuer's, it is for anyone who can run a
program on this machine.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from sanic import HTTPResponse, Request
from sanic.response import json as json_response

from bearward import TrustedIssuer, Verifier, scope
from bearward.testing import LocalIssuer

__all__ = ["USE", "PageTokens", "refused_origin"]

USE = scope("playground:use")
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class PageTokens:
    """The issuer of the page's own tokens: its key never leaves the process, and no button can take it down."""

    def __init__(self, origin: str, lifetime: int) -> None:
        self._issuer = LocalIssuer(algorithms=["ES256"], audience=origin, lifetime=lifetime, identifier=origin)
        self.lifetime = lifetime
        self.verifier = Verifier(TrustedIssuer(origin, audience=origin, jwks=self._issuer.keys.jwks()))

    def grant(self) -> dict[str, Any]:
        """A token for the page, as a token endpoint answers (RFC 6749 section 5.1)."""
        token = self._issuer.mint(sub="page", client_id="playground", scope="playground:use")
        return {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}


def refused_origin(request: Request, hosts: frozenset[str]) -> HTTPResponse | None:
    """The refusal of a request that another page, or another name for this machine, has caused; None for a good one."""
    if request.headers.getall("host", []) not in [[host] for host in hosts]:
        return _refusal(HTTPStatus.MISDIRECTED_REQUEST, "open the playground by the address that it printed")
    origin, site = request.headers.get("origin"), request.headers.get("sec-fetch-site", "same-origin")
    foreign = origin is not None and origin.removeprefix("http://") != request.headers["host"]
    navigation = request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate"
    if foreign or (site not in ("same-origin", "none") and not navigation):
        return _refusal(HTTPStatus.FORBIDDEN, "only the playground's own page may ask for this")
    if request.method != "GET" and origin is None:
        return _refusal(HTTPStatus.FORBIDDEN, "the request must say that it comes from the playground's page: Origin")
    return None


def _refusal(status: HTTPStatus, detail: str) -> HTTPResponse:
    problem = {"title": status.phrase, "status": status.value, "detail": detail}
    return json_response(problem, status=status.value, content_type="application/problem+json")
