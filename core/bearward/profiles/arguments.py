"""What the user of a profile types: checked when the profile is made, with the nearest valid form in the message.

Rule of this file: pure. A mistake is a `ConfigurationError` that names the argument and says what it must be; the
value itself is never shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

from bearward.errors import ConfigurationError

__all__ = ["guid", "host", "identifier", "issuer_url", "label", "origin", "server", "several", "text"]

Names = str | Collection[str]
Check = Callable[[str, object, str], str]

_HOST = re.compile(
    r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*(?::[0-9]{1,5})?"
)
_LABEL = re.compile(r"[A-Za-z0-9][A-Za-z0-9._~-]*")
_GUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_WELL_KNOWN = "/.well-known/"


def text(setting: str, value: object, example: str) -> str:
    """A string with no white space around or in it, and no placeholder that somebody forgot to fill in."""
    if not isinstance(value, str) or not value:
        raise ConfigurationError(setting, f"must be a string such as {example!r}")
    if value != "".join(value.split()):
        raise ConfigurationError(setting, f"must hold no white space, such as {example!r}")
    if any(mark in value for mark in ("{", "}", "<", ">", "$")):
        raise ConfigurationError(setting, f"must be filled in: it still holds a placeholder (such as {example!r})")
    return value


def several(setting: str, values: object, example: str, check: Check = text) -> frozenset[str]:
    """One string or several, each checked; at least one."""
    each = (values,) if isinstance(values, str) else values
    if not isinstance(each, Collection) or isinstance(each, bytes) or not each:
        raise ConfigurationError(setting, f"must be a string such as {example!r}, or several of them")
    return frozenset(check(setting, value, example) for value in each)


def host(setting: str, value: object, example: str) -> str:
    """A host name, with a port if need be; no URL."""
    name = text(setting, value, example)
    if "://" in name:
        raise ConfigurationError(setting, f"must be the host alone, without a scheme: {example!r}")
    if "/" in name:
        raise ConfigurationError(setting, f"must be the host alone, without slash and path: {example!r}")
    if not _HOST.fullmatch(name):
        raise ConfigurationError(setting, f"must be a host name such as {example!r}")
    return name.lower()


def server(setting: str, value: object, example: str) -> str:
    """Where a server is that people run themselves: a host, and a path if it has one, as an https URL without a slash.

    `http://` may be given for a server on loopback; the policy refuses it elsewhere.
    """
    place = text(setting, value, example)
    scheme, mark, rest = place.partition("://")
    if not mark:
        scheme, rest = "https", place
    if scheme.lower() not in ("http", "https"):
        raise ConfigurationError(setting, f"must be a host such as {example!r}")
    if rest.endswith("/"):
        raise ConfigurationError(setting, f"must not end in a slash: {example!r}")
    if _WELL_KNOWN in rest:
        raise ConfigurationError(setting, f"must not be the address of a document: {example!r}")
    name, _, path = rest.partition("/")
    if not _HOST.fullmatch(name) or (path and not all(map(_LABEL.fullmatch, path.split("/")))):
        raise ConfigurationError(setting, f"must be a host such as {example!r}")
    return f"{scheme.lower()}://{name.lower()}{'/' if path else ''}{path}"


def issuer_url(setting: str, value: object, example: str) -> str:
    """The exact `iss` of tokens, an https URL; a slash at its end counts and is left as it is."""
    issuer = text(setting, value, example)
    if "://" not in issuer:
        raise ConfigurationError(setting, f"must be the exact `iss` of the tokens, with its scheme: {example!r}")
    if _WELL_KNOWN in issuer:
        raise ConfigurationError(
            setting, f"must be the `iss` of the tokens, which ends before /.well-known: {example!r}"
        )
    return issuer


def origin(setting: str, value: object, example: str) -> str:
    """A web origin (RFC 6454): scheme and host, as browsers send it in `Origin`; no slash, no path."""
    given = text(setting, value, example)
    scheme, mark, rest = given.partition("://")
    if not mark or scheme not in ("http", "https"):
        raise ConfigurationError(setting, f"must be a web origin with its scheme: {example!r}")
    if "/" in rest:
        raise ConfigurationError(setting, f"must be a web origin, without slash and path: {example!r}")
    if not _HOST.fullmatch(rest):
        raise ConfigurationError(setting, f"must be a web origin such as {example!r}")
    return given


def label(setting: str, value: object, example: str) -> str:
    """One name that stands in a URL: letters, digits, `.`, `_`, `~`, `-`."""
    name = text(setting, value, example)
    if "://" in name or "/" in name:
        raise ConfigurationError(setting, f"must be the name alone, not a URL and no slash: {example!r}")
    if not _LABEL.fullmatch(name) or ".." in name:
        raise ConfigurationError(setting, f"must be a name such as {example!r}")
    return name


def identifier(setting: str, value: object, example: str) -> str:
    """A number that an issuer gave, and sends as text: digits, as a string or an integer."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return str(value)
    digits = value if isinstance(value, str) else ""
    if not (digits.isascii() and digits.isdigit()):
        raise ConfigurationError(setting, f"must be the number, not the name, such as {example!r}")
    return digits


def guid(setting: str, value: object, example: str) -> str:
    """A GUID in lower case, as Entra writes it into tokens."""
    given = text(setting, value, example)
    if "://" in given:
        raise ConfigurationError(setting, f"must be the id alone, not a URL: {example!r}")
    if given.lower() in ("common", "organizations", "consumers"):
        raise ConfigurationError(setting, "must be one tenant's id; for several tenants there is entra_multi_tenant")
    if not _GUID.fullmatch(given.lower()):
        raise ConfigurationError(setting, f"must be the id, not the name or domain: {example!r}")
    return given.lower()
