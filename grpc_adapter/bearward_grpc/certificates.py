"""Tokens bound to the caller's certificate (RFC 8705 section 3), read from the TLS peer or from where we are told.

Rule of this file: grpc tells an interceptor nothing about the peer, so the check is in the wrapped handler, before the
handler's own first line. The comparison itself is the core's.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from bearward.bug_reports import report_bug
from bearward.client_certificates import ForwardedCertificate, ProvingProxy
from bearward.confirmation import certificate_thumbprint, check_certificate_thumbprint, is_bound
from bearward.errors import AuthError
from bearward.principal import Principal
from bearward.refusals import Refusal

__all__ = [
    "ClientCertificate",
    "Vouched",
    "check_binding",
    "forwarded_certificate",
    "peer_certificate",
    "vouched_certificate",
]

_LOG: Final = logging.getLogger("bearward.grpc")


class Vouched(NamedTuple):
    """In place of a certificate: the name of a proxy that has checked it."""

    by: str


ClientCertificate = Callable[[Any], bytes | str | Vouched | None]
"""From the call's `ServicerContext` to the client's certificate (DER), or its `x5t#S256`, once its key was proven; None for
no proof."""


def check_binding(principal: Principal, find: ClientCertificate, context: Any) -> Principal:
    """The principal, as it is proven by what `find` returns; raise `AuthError` if its certificate is another one."""
    if not is_bound(principal):
        return principal
    found = _found(find, context)
    thumbprint, vouched_by = (None, found.by) if isinstance(found, Vouched) else (found, None)
    proof = check_certificate_thumbprint(principal, thumbprint, vouched_by=vouched_by)
    return principal if proof == principal.proof else principal.proven_by(proof)


def forwarded_certificate(proxy: ForwardedCertificate) -> ClientCertificate:
    """What finds the certificate that a proxy hands on as metadata, from the call's peer and its metadata."""
    return lambda context: proxy.read(_peer_address(context.peer()), _values_of(context))


def vouched_certificate(proxy: ProvingProxy) -> ClientCertificate:
    """What says whether a call comes from a proxy that has checked the certificate itself."""
    return lambda context: (
        Vouched(proxy.name) if proxy.proves(_peer_address(context.peer()), _values_of(context)) else None
    )


def _values_of(context: Any) -> Callable[[str], list[str]]:
    metadata = context.invocation_metadata()
    return lambda name: [_as_text(value) for key, value in metadata if key == name]


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


def _found(find: ClientCertificate, context: Any) -> str | Vouched | None:
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
    return certificate if isinstance(certificate, str | Vouched) else None


def peer_certificate(context: Any) -> bytes | None:
    """The peer's certificate in DER, or None without mutual TLS."""
    pems = context.auth_context().get("x509_pem_cert")
    if not pems:
        return None
    try:
        return ssl.PEM_cert_to_DER_cert(next(iter(pems)).decode("ascii"))
    except ValueError:
        return None
