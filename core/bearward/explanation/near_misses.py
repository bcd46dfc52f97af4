"""The nearest configured value: how what a token says differs from what is configured, where it differs by little.

Rules of this file: pure. Nothing here accepts anything: values are compared exactly elsewhere, and this says only which
usual mistake lies between two that differ. What it says names configured values alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from urllib.parse import SplitResult, urlsplit

__all__ = ["audience_hint", "difference", "issuer_hint", "scope_hint"]

_LONGEST = 1024
"""Characters of a value of a token that is compared; no issuer and no audience is longer."""
_PORTS = {"http": 80, "https": 443}
_ENTRA_V1, _ENTRA_V2 = "sts.windows.net", "login.microsoftonline.com"
_WELL_KNOWN = ("/.well-known/openid-configuration", "/.well-known/oauth-authorization-server")


def issuer_hint(issuer: str, configured: Iterable[str]) -> str:
    """Which configured issuer is meant, and how the token's `iss` differs from it; empty where none is near.

    >>> issuer_hint("https://login.example/", ["https://login.example"])
    "near miss: the token's issuer is https://login.example with a slash at its end; an issuer is compared exactly"
    """
    near = _nearest(issuer, configured)
    return "" if near is None else f"near miss: the token's issuer is {near}; an issuer is compared exactly"


def audience_hint(audiences: Iterable[str], configured: Iterable[str], client_ids: Iterable[str] = ()) -> str:
    """Which configured audience is near one of the token's; empty where none is."""
    ours = list(configured)
    for audience in audiences:
        if audience in client_ids:
            return "the token is meant for a client: it may be an ID token; send the access token"
        near = _nearest(audience, ours)
        if near is not None:
            return f"near miss: the token's audience is {near}; an audience is compared exactly"
    return ""


def scope_hint(granted: Iterable[str], needed: Iterable[str]) -> str:
    """Which needed scope the token grants under another spelling; empty where none is near."""
    held = list(granted)
    for name in needed:
        for other in held:
            if other == name:
                continue
            if other.lower() == name.lower():
                return f"near miss: the token grants {name} with different capitalization"
            if other.endswith((f"/{name}", f":{name}")) or name.endswith((f"/{other}", f":{other}")):
                return f"near miss: the token grants {name} with another prefix"
    return ""


def _nearest(value: str, configured: Iterable[str]) -> str | None:
    if len(value) > _LONGEST:
        return None
    known = sorted(configured)
    for rule in _RULES:  # the smallest difference first, whichever value it is from
        for candidate in known:
            how = rule(value, candidate)
            if how:
                return f"{candidate} {how}"
    return None


def difference(value: str, configured: str) -> str:
    """How `value` differs from `configured`; empty where it is another thing altogether.

    >>> difference("HTTPS://Login.example", "https://login.example")
    'with different capitalization'
    """
    return next(filter(None, (rule(value, configured) for rule in _RULES)), "")


def _space(value: str, configured: str) -> str:
    return "with white space around it" if value != configured and value.strip() == configured else ""


def _slash(value: str, configured: str) -> str:
    if value == f"{configured}/":
        return "with a slash at its end"
    return "without the slash at its end" if configured == f"{value}/" else ""


def _case(value: str, configured: str) -> str:
    same = value != configured and value.lower() == configured.lower()
    return "with different capitalization" if same else ""


def _well_known(value: str, configured: str) -> str:
    longer = any(value.rstrip("/") == configured.rstrip("/") + path for path in _WELL_KNOWN)
    return "with the path of its metadata" if longer else ""


def _scheme(value: str, configured: str) -> str:
    (one, one_rest), (other, other_rest) = _split_scheme(value), _split_scheme(configured)
    if one == other or not _alike(one_rest, other_rest):
        return ""
    return (
        f"without {other}" if not one else f"with {one} before it" if not other else f"with {one} in place of {other}"
    )


def _split_scheme(value: str) -> tuple[str, str]:
    scheme, mark, rest = value.partition("://")
    # What is no registered scheme is text of the token, which is not repeated.
    known = scheme.lower() if scheme.lower() in ("http", "https", "api") else ("another scheme" if mark else "")
    return (f"{known}://" if mark and known != "another scheme" else known, rest) if mark else ("", value)


def _alike(one: str, other: str) -> bool:
    return one.rstrip("/").lower() == other.rstrip("/").lower()


def _port(value: str, configured: str) -> str:
    one, other = _parts(value), _parts(configured)
    if one is None or other is None or one.hostname != other.hostname or not _alike(one.path, other.path):
        return ""
    ports = _port_of(one), _port_of(other)
    if one.scheme == other.scheme and ports[0] == ports[1] and one.netloc != other.netloc:
        return "with its port written out or left out"
    return "on another port" if ports[0] != ports[1] else ""


def _version(value: str, configured: str) -> str:
    """Microsoft Entra issues tokens of two versions, each with its own form of `iss`."""
    one, other = _parts(value), _parts(configured)
    if one is None or other is None:
        return ""
    hosts = one.hostname, other.hostname
    if hosts == (_ENTRA_V1, _ENTRA_V2):
        return "in its v1 form: the token is of version 1, the configured issuer of version 2"
    if hosts == (_ENTRA_V2, _ENTRA_V1):
        return "in its v2 form: the token is of version 2, the configured issuer of version 1"
    if one.hostname == other.hostname and {_version_of(one), _version_of(other)} in ({"v2.0", ""}, {"v1.0", "v2.0"}):
        bare = [parts.path.rstrip("/").removesuffix(f"/{_version_of(parts)}") for parts in (one, other)]
        return "with another version in its path" if _alike(*bare) else ""
    return ""


def _version_of(parts: SplitResult) -> str:
    last = parts.path.rstrip("/").rpartition("/")[2]
    return last if last in ("v1.0", "v2.0") else ""


def _tenant(value: str, configured: str) -> str:
    one, other = _parts(value), _parts(configured)
    if one is None or other is None or one.scheme != other.scheme:
        return ""
    paths = one.path.strip("/").split("/"), other.path.strip("/").split("/")
    if one.netloc == other.netloc and len(paths[0]) == len(paths[1]):
        return "with another tenant (or realm) in its path" if _differ_once(*paths) else ""
    labels = (one.hostname or "").split("."), (other.hostname or "").split(".")
    if _alike(one.path, other.path) and len(labels[0]) == len(labels[1]) > 2 and labels[0][1:] == labels[1][1:]:
        return "with another first label in its host (another tenant?)"
    return ""


def _path(value: str, configured: str) -> str:
    one, other = _parts(value), _parts(configured)
    if one is None or other is None or one.netloc != other.netloc or one.scheme != other.scheme:
        return ""
    return "with another path"


def _differ_once(one: list[str], other: list[str]) -> bool:
    return sum(left != right for left, right in zip(one, other, strict=True)) == 1


def _parts(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        _ = parts.port  # raises where it is none
    except ValueError:
        return None
    return parts if parts.scheme in _PORTS and parts.hostname else None


def _port_of(parts: SplitResult) -> int | None:
    return parts.port or _PORTS[parts.scheme]


_RULES: tuple[Callable[[str, str], str], ...] = (
    _space,
    _slash,
    _case,
    _well_known,
    _scheme,
    _port,
    _version,
    _tenant,
    _path,
)
