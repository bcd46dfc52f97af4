"""Tokens that are bound to the caller's certificate (RFC 8705 section 3), read from the TLS peer.

Rule of this file: an interceptor is told nothing of the peer, so the check stands in the wrapped handler, before the
handler's own first line. The comparison itself is the core's.
"""

from __future__ import annotations

import ssl
from typing import Any

from bearward.confirmation import check_certificate, is_bound
from bearward_grpc.call import Call

__all__ = ["check_binding"]


def check_binding(call: Call | None, context: Any) -> None:
    """Raise `AuthError` if the call's token is bound to another certificate than the peer's."""
    if call is not None and is_bound(call.principal):
        check_certificate(call.principal, _peer_certificate(context))


def _peer_certificate(context: Any) -> bytes | None:
    """The peer's certificate in DER, or None without mutual TLS."""
    pems = context.auth_context().get("x509_pem_cert")
    if not pems:
        return None
    try:
        return ssl.PEM_cert_to_DER_cert(next(iter(pems)).decode("ascii"))
    except ValueError:
        return None
