"""The optional proxy in front of the sample servers, which hands on the certificate of a client (RFC 8705, RFC 9440).

Rule of this file: off unless the setting `proxy_secret` says what that proxy alone knows; from any other sender the field is
ignored.
"""

from __future__ import annotations

from typing import Any

from bearward import ConfigurationError
from bearward.client_certificates import ForwardedCertificate, from_secret
from bearward.settings import Settings

__all__ = ["certificate_by", "forwarded_certificate"]


def forwarded_certificate(settings: Settings) -> ForwardedCertificate | None:
    """Where the proxy hands a client's certificate on; None if there is no such proxy. Raises `ConfigurationError`."""
    secret: Any = settings.extra.get("proxy_secret")
    return None if secret is None else certificate_by(secret)


def certificate_by(secret: Any) -> ForwardedCertificate:
    """Where a proxy that knows `secret` hands a client's certificate on; raises `ConfigurationError`."""
    try:
        return ForwardedCertificate("client-cert", only_from=from_secret("x-proxy-secret", secret))
    except ConfigurationError as error:
        raise ConfigurationError("proxy_secret", error.requirement) from None
