"""The `kid`s that a refresh did not find: bounded, short-lived, and forgotten when the key set changes.

Rule of this file: a `kid` that a request to the issuer, sent after the `kid` was seen, did not bring is remembered for
the full time; one that was seen while the request was under way for one cooldown. Kept are digests, so that a long `kid` costs no more memory than a short one. Read from any thread, written on the
loop; each operation is one step of a dict.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["UnknownKids"]


class UnknownKids:
    """A bounded negative cache. `None` stands for tokens without a `kid`."""

    __slots__ = ("_most", "_until")

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: dict[bytes, float] = {}

    def add(self, kid: str | None, until: float) -> None:
        """Remember, until then, that a refresh did not bring `kid`."""
        digest = _digest(kid)
        until = max(until, self._until.pop(digest, until))
        self._until[digest] = until
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    def holds(self, kid: str | None, now: float) -> bool:
        """Whether `kid` is known to be unknown."""
        return bool(self._until) and now < self._until.get(_digest(kid), now)

    def clear(self) -> None:
        """The set changed: any `kid` may be in it."""
        self._until = {}

    def __len__(self) -> int:
        return len(self._until)


def _digest(kid: str | None) -> bytes:
    text = b"" if kid is None else b"k" + kid.encode("utf-8", "surrogatepass")
    return blake2b(text, digest_size=16).digest()
