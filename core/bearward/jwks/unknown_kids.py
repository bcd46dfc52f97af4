"""The `kid`s that a refresh did not find: bounded, short-lived, and forgotten when the key set changes.

Rule of this file: a `kid` that a request to the issuer, sent after the `kid` was seen, did not bring is remembered for
the full time; one that was seen while the request was under way for one cooldown. Of a long `kid` the digest is kept,
so that it costs no more memory than a short one. Read from any thread, written on the loop; each operation is one step
of a dict.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["UnknownKids"]

_LONG = 64
"""Characters: what names the digest of a key, and what a flood of forged names does not go beyond for free."""


class UnknownKids:
    """A bounded negative cache. `None` stands for tokens without a `kid`."""

    __slots__ = ("_most", "_until")

    def __init__(self, most: int) -> None:
        self._most = most
        self._until: dict[str | bytes | None, float] = {}

    def add(self, kid: str | None, until: float) -> None:
        """Remember, until then, that a refresh did not bring `kid`."""
        name = _short(kid)
        until = max(until, self._until.pop(name, until))
        self._until[name] = until
        if len(self._until) > self._most:
            del self._until[next(iter(self._until))]

    def holds(self, kid: str | None, now: float) -> bool:
        """Whether `kid` is known to be unknown."""
        return bool(self._until) and now < self._until.get(_short(kid), now)

    def clear(self) -> None:
        """The set changed: any `kid` may be in it."""
        self._until = {}

    def __len__(self) -> int:
        return len(self._until)


def _short(kid: str | None) -> str | bytes | None:
    if kid is None or len(kid) <= _LONG:
        return kid
    return blake2b(kid.encode("utf-8", "surrogatepass"), digest_size=16).digest()
