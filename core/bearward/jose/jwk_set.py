"""A JWK Set (RFC 7517 section 5): parsed once, immutable, and asked which keys could have signed a token.

Rule of this file: tolerant of odd keys, strict about sets. A key that cannot be used is rejected and counted with its
reason; a document that is not a set, or has no usable key at all, is refused, so that it never replaces a good one. Each
key is a step: an event loop parses a set in as many turns, since whoever publishes it chooses how many are expensive.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from hashlib import sha256

from bearward.errors import BearwardError
from bearward.jose import base64url
from bearward.jose.certificates import Authorities
from bearward.jose.jwk import KeyRejection, RejectedKeyError, VerificationKey, read_key
from bearward.jose.strict_json import JWKS_LIMITS, parse_object
from bearward.steps import Steps, at_once

__all__ = ["MAX_KEYS", "JWKSet", "JWKSetError", "parse_in_steps"]

MAX_KEYS = 256
"""Of a set that are looked at; issuers publish a few, and hardly ever some dozens."""
_MAX_SAID = 8


class JWKSetError(BearwardError, ValueError):
    """A document that is no usable JWK Set; the message is made of constants and numbers."""


class JWKSet:
    """The usable keys of an issuer, immutable once made.

    >>> JWKSet.parse(b'{"keys": []}')
    Traceback (most recent call last):
        ...
    bearward.jose.jwk_set.JWKSetError: the JWK Set has no usable key
    """

    __slots__ = ("_by_kid", "_without_kid", "keys", "rejected", "thumbprint", "thumbprints")

    keys: tuple[VerificationKey, ...]
    rejected: tuple[KeyRejection, ...]
    thumbprints: frozenset[str]
    thumbprint: str
    """Of the whole set: the same keys in another order have the same one."""

    def __init__(self, keys: Iterable[VerificationKey], rejected: Iterable[KeyRejection] = ()) -> None:
        self.keys, repeated = _deduplicated(keys)
        self.rejected = (*rejected, *repeated)
        self.thumbprints = frozenset(key.thumbprint for key in self.keys)
        self.thumbprint = _digest(f"{key.thumbprint} {key.kid} {sorted(key.algorithms)}" for key in self.keys)
        self._by_kid: dict[str, tuple[VerificationKey, ...]] = {}
        for key in self.keys:
            if key.kid is not None:
                self._by_kid[key.kid] = (*self._by_kid.get(key.kid, ()), key)
        self._without_kid = tuple(key for key in self.keys if key.kid is None)

    @classmethod
    def parse(
        cls, document: bytes, *, max_keys: int = MAX_KEYS, authorities: Authorities | None = None, now: float = 0.0
    ) -> JWKSet:
        """Parse a JWK Set document; raise `JWKSetError` unless at least one key of it can be used.

        With `authorities` a key is rejected unless they vouch for its `x5c` at `now` (seconds since the epoch).
        """
        return at_once(parse_in_steps(document, max_keys=max_keys, authorities=authorities, now=now))

    def holds(self, kid: str) -> bool:
        """Whether a usable key of the set has this `kid`."""
        return kid in self._by_kid

    def candidates(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:
        """The keys that could have made a signature with `algorithm`.

        With a `kid`: the keys of that name, else those that the issuer gave no name. Without: any that fits.
        """
        named = self._by_kid.get(kid, self._without_kid) if kid is not None else self.keys
        if len(named) == 1:
            return named if algorithm in named[0].algorithms else ()
        return tuple(key for key in named if algorithm in key.algorithms)

    @property
    def shown_thumbprint(self) -> str | None:
        """The set's thumbprint for health pages and logs; None for shared secrets (RFC 7638 section 7)."""
        return None if any(key.kty == "oct" for key in self.keys) else self.thumbprint

    def rejection_counts(self) -> dict[str, int]:
        """How many keys were rejected, by reason, for the health page."""
        return {reason.name.lower(): count for reason, count in Counter(self.rejected).items()}

    def __repr__(self) -> str:
        return f"<JWKSet of {len(self.keys)} keys, {len(self.rejected)} rejected, {(self.shown_thumbprint or 'secret')[:8]}>"


def parse_in_steps(
    document: bytes, *, max_keys: int = MAX_KEYS, authorities: Authorities | None = None, now: float = 0.0
) -> Steps[JWKSet]:
    """As `JWKSet.parse`, with a step for each key."""
    try:
        members = parse_object(document, JWKS_LIMITS).get("keys")
    except ValueError:
        raise JWKSetError("the document is not a strict JSON object") from None
    if not isinstance(members, list):
        raise JWKSetError("the document is no JWK Set")
    keys, rejected = yield from _read(members, max_keys, authorities, now)
    if not keys:
        raise JWKSetError(f"the JWK Set has no usable key{_why(rejected)}")
    return JWKSet(keys, rejected)


def _read(
    members: list[object], max_keys: int, authorities: Authorities | None, now: float
) -> Steps[tuple[list[VerificationKey], list[KeyRejection]]]:
    keys: list[VerificationKey] = []
    rejected: list[KeyRejection] = []
    for member in members[:max_keys]:
        try:
            keys.append(_read_one(member, authorities, now))
        except RejectedKeyError as odd:
            rejected.append(odd.reason)
        yield
    rejected += [KeyRejection.SURPLUS] * max(0, len(members) - max_keys)
    return keys, rejected


def _read_one(member: object, authorities: Authorities | None, now: float) -> VerificationKey:
    key = read_key(member, certified=authorities is not None)
    if authorities is None or (isinstance(member, dict) and authorities.trusts(member.get("x5c"), now)):
        return key
    raise RejectedKeyError(KeyRejection.CERTIFICATE_UNTRUSTED)


def _why(rejected: list[KeyRejection]) -> str:
    """The reason for each key, in the order of the set, as far as one line has room; nothing of the keys themselves."""
    said = [f"key {number} {reason.value}" for number, reason in enumerate(rejected[:_MAX_SAID], 1)]
    more = [f"{len(rejected) - _MAX_SAID} more"] if len(rejected) > _MAX_SAID else []
    return f": {', '.join(said + more)}" if said else ""


def _deduplicated(keys: Iterable[VerificationKey]) -> tuple[tuple[VerificationKey, ...], list[KeyRejection]]:
    """Duplicates count once; several keys may share a `kid` (RFC 7517 section 4.5 only advises against)."""
    kept: dict[object, VerificationKey] = {}
    repeated: list[KeyRejection] = []
    for key in keys:
        name = (key.kid, key.thumbprint, key.algorithms)
        if name in kept:
            repeated.append(KeyRejection.DUPLICATE)
        else:
            kept[name] = key
    return tuple(kept.values()), repeated


def _digest(lines: Iterable[str]) -> str:
    return base64url.encode(sha256("\n".join(sorted(lines)).encode()).digest()).decode("ascii")
