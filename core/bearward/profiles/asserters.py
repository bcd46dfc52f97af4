"""Profiles of proxies in front that assert who calls."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Unpack

from bearward.errors import ConfigurationError
from bearward.profiles.arguments import label, several, text
from bearward.profiles.build import Options, policy
from bearward.profiles.rows.asserters import CLOUDFLARE_ACCESS, IAP
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["cloudflare_access", "iap"]

_IAP_AUDIENCE = re.compile(r"/projects/[0-9]+/(?:global/backendServices/[0-9]+|apps/[a-z0-9.:-]+)")
_IAP_EXAMPLE = "/projects/1234567890/global/backendServices/9876543210"
_AUD_TAG = re.compile(r"[0-9a-f]{64}")
_AUD_EXAMPLE = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"


def iap(*, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """What Google's Identity-Aware Proxy asserts, in `x-goog-iap-jwt-assertion`. Raises `ConfigurationError`.

    >>> iap(audience="/projects/1234567890/apps/notes-1a2b3").place.header
    'x-goog-iap-jwt-assertion'
    """
    services = several("audience", audience, _IAP_EXAMPLE, _iap_audience)
    given: Options = {"leeway": 30.0, "max_token_age": 600.0, **options}
    return policy(IAP, {}, given, audience=services)


def cloudflare_access(*, team: str, applications: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """What Cloudflare Access asserts, in `Cf-Access-Jwt-Assertion`, for applications by their AUD tags.

    Raises `ConfigurationError`.

    >>> cloudflare_access(
    ...     team="notes", applications="32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
    ... ).issuer
    'https://notes.cloudflareaccess.com'
    """
    name = label("team", team, "notes")
    if "." in name:
        raise ConfigurationError("team", "must be the team's name alone, without a domain: 'notes'")
    tags = several("applications", applications, _AUD_EXAMPLE, _aud_tag)
    return policy(CLOUDFLARE_ACCESS, {"team": name.lower()}, options, audience=tags)


def _iap_audience(setting: str, value: object, example: str) -> str:
    audience = text(setting, value, example)
    if not _IAP_AUDIENCE.fullmatch(audience):
        raise ConfigurationError(setting, f"must be a backend service or application by number, such as {example!r}")
    return audience


def _aud_tag(setting: str, value: object, example: str) -> str:
    tag = text(setting, value, example)
    if not _AUD_TAG.fullmatch(tag):
        raise ConfigurationError(setting, f"must be the application's AUD tag, 64 hexadecimal digits: {example!r}")
    return tag
