"""URLs that name this service to clients: its resource identifier, and where its metadata is (RFC 9728).

Rule of this file: pure; one definition for all adapters.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from bearward.errors import ConfigurationError
from bearward.fetch.urls import is_loopback_host

__all__ = ["checked_resource_url"]

_MUST = "must be an https URL without a fragment (http on loopback), such as https://api.example/v1"


def checked_resource_url(setting: str, url: str) -> str:
    """Return `url` if RFC 9728 sections 1.2 and 3 allow it; http only on loopback, for development.

    Raises `ConfigurationError`, which names `setting`.

    >>> checked_resource_url("resource", "https://api.example/v1")
    'https://api.example/v1'
    """
    try:
        parts = urlsplit(url)
        loopback = is_loopback_host(parts.hostname or "")
    except (ValueError, AttributeError, TypeError):
        raise ConfigurationError(setting, _MUST) from None
    good = parts.scheme == "https" or (parts.scheme == "http" and loopback)
    if not good or not parts.netloc or parts.fragment or not url.isascii() or " " in url or '"' in url:
        raise ConfigurationError(setting, _MUST)
    return url
