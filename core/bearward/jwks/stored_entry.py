"""The format of an entry outside the process, in a shared cache or on disk: JSON, authenticated if there is a secret.

Rules of this file: pure; whatever is read back is checked again, as strictly as an issuer's own response. It must be
for the same issuer and source, not from the future, and its keys are parsed again. With a secret the text is
authenticated for the name under which it is stored, so that whoever can write to the cache can neither plant a key nor
swap documents.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final

from bearward.cache.sealed import NotAuthenticError, open_sealed, seal
from bearward.errors import BearwardError
from bearward.fetch.caching import Validators
from bearward.jose.certificates import Authorities
from bearward.jose.jwk_set import JWKSetError, parse_in_steps
from bearward.jose.strict_json import JSONLimits, parse_object
from bearward.jwks.entry import Entry
from bearward.steps import Steps, at_once

__all__ = ["MAX_VERSION", "Stored", "StoredDocumentError", "max_text", "pack", "unpack", "unpack_in_steps"]

_FORMAT = 3
_LIMITS = JSONLimits(depth=4, containers=16)
_PURPOSE: Final = "jwks document 3"
_MAX_SKEW = 30.0
_ENVELOPE: Final = 16_384
MAX_VERSION: Final = 128
"""Octets of a version text: a time and a thumbprint."""


class StoredDocumentError(BearwardError, ValueError):
    """What was stored is not what this process would have stored; the message is a constant."""


@dataclass(frozen=True, slots=True)
class Stored:
    """An entry, and how many permits the fleet had left after it."""

    entry: Entry
    permits: float


def max_text(max_body: int) -> int:
    """Octets of the longest text that `pack` makes of a document of at most `max_body` octets.

    JSON in a JSON string: at worst each octet is a quote, a backslash or a line feed, and so becomes two.

    >>> max_text(65_536)
    147456
    """
    return 2 * max_body + _ENVELOPE


def pack(stored: Stored, *, name: str, issuer: str, secret: bytes | None) -> str:
    """The text to store under `name`."""
    entry = stored.entry
    validators = entry.validators
    payload = json.dumps(
        {
            "format": _FORMAT,
            "issuer": issuer,
            "fetched_at": entry.fetched_at,
            "lifetime": entry.lifetime,
            "permits": stored.permits,
            "url": validators.url if validators is not None else None,
            "etag": validators.etag if validators is not None else None,
            "last_modified": validators.last_modified if validators is not None else None,
            "document": entry.document.decode("utf-8"),
        },
        ensure_ascii=False,
    )
    return payload if secret is None else seal(payload, purpose=_PURPOSE, place=name, secret=secret)


def unpack(text: str, **terms: Any) -> Stored:
    """As `unpack_in_steps`, at once."""
    return at_once(unpack_in_steps(text, **terms))


def unpack_in_steps(
    text: str,
    *,
    name: str,
    issuer: str,
    secret: bytes | None,
    now: float,
    max_age: float,
    max_body: int = 65_536,
    authorities: Authorities | None = None,
) -> Steps[Stored]:
    """Read back what `pack` made of a document of at most `max_body` octets, with a step for each key.

    Raises:
        StoredDocumentError: it is damaged, planted, for something else, or from the future.
    """
    if len(text) > max_text(max_body):
        raise StoredDocumentError("too large")
    members = _object(_authentic(text, name, secret))
    if members.get("format") != _FORMAT or members.get("issuer") != issuer:
        raise StoredDocumentError("for another issuer, or of another format")
    fetched_at = _number(members, "fetched_at")
    if fetched_at > now + _MAX_SKEW:
        raise StoredDocumentError("from the future")
    document = _text(members, "document").encode("utf-8")
    try:
        jwk_set = yield from parse_in_steps(document, authorities=authorities, now=now)
    except JWKSetError as exc:
        raise StoredDocumentError("no usable key set") from exc
    lifetime = min(max(0.0, _number(members, "lifetime")), max_age)
    entry = Entry(jwk_set, document, fetched_at, lifetime, _validators(members))
    return Stored(entry, _number(members, "permits"))


def _authentic(text: str, name: str, secret: bytes | None) -> str:
    if secret is None:
        return text
    try:
        return open_sealed(text, purpose=_PURPOSE, place=name, secret=secret)
    except NotAuthenticError as exc:
        raise StoredDocumentError("not authentic") from exc


def _object(text: str) -> dict[str, Any]:
    try:
        return parse_object(text.encode("utf-8"), _LIMITS)
    except ValueError as exc:  # UnicodeEncodeError too
        raise StoredDocumentError("no JSON object") from exc


def _text(members: dict[str, Any], name: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise StoredDocumentError("a member is missing")
    return value


def _number(members: dict[str, Any], name: str) -> float:
    value = members.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise StoredDocumentError("a member is missing")
    try:
        return float(value)
    except OverflowError:  # hundreds of digits, which JSON can hold
        raise StoredDocumentError("a number beyond bounds") from None


def _validators(members: dict[str, Any]) -> Validators | None:
    found = {name: members.get(name) for name in ("url", "etag", "last_modified")}
    if not isinstance(found["url"], str):
        return None
    safe = {name: value if isinstance(value, str) and value.isprintable() else None for name, value in found.items()}
    return Validators(found["url"], safe["etag"], safe["last_modified"])
