"""Tokens that are bound to the caller's certificate (RFC 8705 section 3), read from the TLS peer or where we are told.

Rule of this file: an interceptor is told nothing of the peer, so the check stands in the wrapped handler, before the
handler's own first line. The comparison itself is the core's.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import Any, Final

from bearward.bug_reports import report_bug
from bearward.confirmation import check_certificate, is_bound
from bearward.errors import AuthError, Refusal
from bearward.principal import Principal

__all__ = ["ClientCertificate", "check_binding", "peer_certificate"]

_LOG: Final = logging.getLogger("bearward.grpc")

ClientCertificate = Callable[[Any], bytes | None]
"""From the call's `ServicerContext` to the client's certificate (DER), once its key was proven; None for no proof."""


def check_binding(principal: Principal, find: ClientCertificate, context: Any) -> None:
    """Raise `AuthError` if the token is bound to another certificate than the one that `find` returns."""
    if is_bound(principal):
        check_certificate(principal, _certificate(find, context))


def _certificate(find: ClientCertificate, context: Any) -> bytes | None:
    """What `find` returns; its own bugs are an internal error, since grpc would send their text to the caller."""
    try:
        certificate = find(context)
    except Exception as error:  # noqa: BLE001  (the caller's own function)
        report_bug(_LOG, "a bug while the client's certificate was looked for", error)
        raise AuthError(Refusal.INTERNAL_ERROR) from None
    return certificate if isinstance(certificate, bytes) else None


def peer_certificate(context: Any) -> bytes | None:
    """The peer's certificate in DER, or None without mutual TLS."""
    pems = context.auth_context().get("x509_pem_cert")
    if not pems:
        return None
    try:
        return ssl.PEM_cert_to_DER_cert(next(iter(pems)).decode("ascii"))
    except ValueError:
        return None
