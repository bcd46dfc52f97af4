"""The explanation of a refused request, as a member of its problem document; for development, on loopback.

Rules of this file: a server that listens beyond loopback, or whose address is not known (under ASGI), does not start with
a verifier that explains, unless that was told `unsafe_explain_remote`; a connection that came otherwise gets none.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sanic import Request

from bearward import AuthError, Verifier
from bearward.access import Access
from bearward.fetch.urls import is_loopback_host
from bearward.request_explanation import check_explain_address, explain_request
from bearward_sanic.context import App

__all__ = ["check_addresses", "explain"]


def check_addresses(app: App, verifier: Verifier) -> None:
    """Raise `ConfigurationError` if the verifier explains refusals and the server listens beyond loopback."""
    if verifier.explains and not verifier.unsafe_explain_remote:
        for host in [None] if app.asgi else _hosts(app):
            check_explain_address(host)


def explain(
    request: Request, error: AuthError, verifier: Verifier, access: Access | None, *, certificates: bool
) -> None:
    """Attach its explanation to a refusal, where the connection is one that may see it."""
    if not verifier.unsafe_explain_remote and not _is_local(request):
        return
    headers = request.headers
    error.explanation = explain_request(
        verifier,
        error,
        headers.getall("authorization", []),
        proofs=headers.getall("dpop", []),
        htm=request.method,
        path=request.path,
        access=access,
        certificates=certificates,
    )


def _hosts(app: App) -> Iterator[str | None]:
    """What each server of the application listens on; a unix socket is this machine."""
    for info in app.state.server_info:
        settings: dict[str, Any] = info.settings
        sock = settings.get("sock")
        name = settings.get("host") if sock is None else sock.getsockname()
        if settings.get("unix") is None and not (sock is not None and isinstance(name, str | bytes)):
            yield name[0] if isinstance(name, tuple) else name


def _is_local(request: Request) -> bool:
    """Whether the connection came in at loopback, or at a unix socket."""
    name = None if request.conn_info is None else request.conn_info.sockname
    return isinstance(name, str) or (isinstance(name, tuple) and is_loopback_host(str(name[0])))
