"""The keys of an issuer: which it publishes, and which signs for each algorithm.

Rule of this file: publishing and signing are separate. A correct rollover publishes first and signs later
(`publish_next`, then `rotate`); a wrong one can be simulated too (`withdraw` a key that still signs).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import Any

from bearward.testing.keys import SigningKey

__all__ = ["KeyRing"]


class KeyRing:
    """Keys by algorithm; the first algorithm is the default. Safe to use from several threads."""

    def __init__(self, algorithms: Iterable[str]) -> None:
        self._lock = threading.Lock()
        self._signing: dict[str, SigningKey] = {}
        self._next: dict[str, SigningKey] = {}
        self._published: list[SigningKey] = []
        for alg in algorithms:
            self.rotate(alg)
        if not self._signing:
            raise ValueError("an issuer needs at least one algorithm")

    @property
    def default(self) -> str:
        """The default algorithm."""
        return next(iter(self._signing))

    @property
    def algorithms(self) -> tuple[str, ...]:
        """The algorithms that it signs by; the default is the first."""
        return tuple(self._signing)

    def key(self, alg: str | None = None) -> SigningKey:
        """The key that signs for `alg`; raises `LookupError` if there is none."""
        wanted = self.default if alg is None else alg
        try:
            return self._signing[wanted]
        except KeyError:
            raise LookupError(f"this issuer has no key for {wanted}: rotate({wanted!r}) makes one") from None

    def publish_next(self, alg: str | None = None, *, kid: str | None = None) -> SigningKey:
        """Publish a new key that does not sign before `rotate`."""
        wanted = self.default if alg is None else alg
        key = SigningKey.generate(wanted, kid=kid)
        with self._lock:
            self._next[wanted] = key
            self._published.append(key)
        return key

    def rotate(self, alg: str | None = None, *, kid: str | None = None, publish: bool = True) -> SigningKey:
        """Sign with the key published by `publish_next`, or with a new one; the old one stays published."""
        wanted = self.default if alg is None else alg
        with self._lock:
            key = self._next.pop(wanted, None) if kid is None and publish else None
        if key is None:
            key = SigningKey.generate(wanted, kid=kid)
            if publish:
                self.publish(key)
        self._signing[wanted] = key
        return key

    def publish(self, key: SigningKey) -> None:
        """Publish a key created elsewhere; it does not sign."""
        with self._lock:
            self._published.append(key)

    def withdraw(self, key: SigningKey | str) -> None:
        """Stop publishing this key (or this `kid`); raises `LookupError` if it was not published."""
        kid = key if isinstance(key, str) else key.kid
        with self._lock:
            kept = [published for published in self._published if published.kid != kid]
            if len(kept) == len(self._published):
                raise LookupError("this key is not published")
            self._published = kept

    @property
    def published(self) -> tuple[SigningKey, ...]:
        """The published keys, oldest first."""
        with self._lock:
            return tuple(self._published)

    def jwks(self) -> dict[str, Any]:
        """The JWK Set (RFC 7517 section 5) of the published keys."""
        return {"keys": [key.public_jwk() for key in self.published]}
