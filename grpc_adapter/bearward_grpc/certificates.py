"""Tokens bound to the caller's certificate (RFC 8705 section 3), read from the TLS peer or from where we are told.

Rule of this file: grpc tells an interceptor nothing about the peer, so the check is in the wrapped handler, before the
handler's own first line. The comparison itself is the core's.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import unquote

from bearward.bug_reports import report_bug
from bearward.client_certificates import ForwardedCertificate
from bearward.confirmation import certificate_thumbprint, check_certificate_thumbprint, is_bound
from bearward.errors import AuthError, Refusal
from bearward.principal import Principal

__all__ = ["ClientCertificate", "check_binding", "forwarded_certificate", "peer_certificate"]

_LOG: Final = logging.getLogger("bearward.grpc")

ClientCertificate = Callable[[Any], bytes | str | None]
"""From the call's `ServicerContext` to the client's certificate (DER), or its `x5t#S256`, once its key was proven; None for
no proof."""


def check_binding(principal: Principal, find: ClientCertificate, context: Any) -> None:
    """Raise `AuthError` if the token is bound to another certificate than the one that `find` returns."""
    if is_bound(principal):
        check_certificate_thumbprint(principal, _thumbprint(find, context))


def forwarded_certificate(proxy: ForwardedCertificate) -> ClientCertificate:
    """What finds the certificate that a proxy hands on as metadata, from the call's peer and its metadata."""

    def find(context: Any) -> str | None:
        metadata = context.invocation_metadata()
        return proxy.read(
            _peer_address(context.peer()), lambda name: [_as_text(value) for key, value in metadata if key == name]
        )

    return find


def _peer_address(peer: str) -> str | None:
    """The address in what grpc calls a peer: `ipv4:127.0.0.1:1`, `ipv6:[::1]:1` (percent-encoded), `unix:…`.

    `unix-abstract:` is not one of them: no file's permissions say who may connect there.
    """
    kind, _, rest = peer.partition(":")
    if kind == "unix":
        return "unix"
    host = unquote(rest).rpartition(":")[0]
    return host.strip("[]").partition("%")[0] or None if kind in ("ipv4", "ipv6") else None


def _as_text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.decode("latin-1")


def _thumbprint(find: ClientCertificate, context: Any) -> str | None:
    """What `find` returns; its own bugs are an internal error, since grpc would send their text to the caller."""
    try:
        certificate = find(context)
    except AuthError:
        raise
    except Exception as error:  # noqa: BLE001  (the caller's own function)
        report_bug(_LOG, "a bug while the client's certificate was looked up", error)
        raise AuthError(Refusal.INTERNAL_ERROR) from None
    if isinstance(certificate, bytes):
        return certificate_thumbprint(certificate)
    return certificate if isinstance(certificate, str) else None


def peer_certificate(context: Any) -> bytes | None:
    """The peer's certificate in DER, or None without mutual TLS."""
    pems = context.auth_context().get("x509_pem_cert")
    if not pems:
        return None
    try:
        return ssl.PEM_cert_to_DER_cert(next(iter(pems)).decode("ascii"))
    except ValueError:
        return None
