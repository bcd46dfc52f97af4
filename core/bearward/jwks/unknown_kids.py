"""The `kid`s that a refresh did not find: bounded, short-lived, and forgotten when the key set changes.

Rule of this file: a `kid` that a request to the issuer did not return is remembered for one cooldown from the start of
that request (at least a second from its end), however often it comes and whoever sends it: an issuer may publish that
very key a moment later, and a guessed `kid` must not delay a rotation for longer than the rate limit does. Of a long
`kid` only the digest is kept, so that it takes no more memory than a short one. Read from any thread, written on the
loop.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["UnknownKids"]

_MAX_PLAIN_LENGTH = 64
"""Characters; a longer `kid` is kept as its digest."""


class UnknownKids:
    """A bounded negative cache. `None` represents tokens without a `kid`."""

    __slots__ = ("_known", "_max_kids")

    def __init__(self, max_kids: int) -> None:
        self._max_kids = max_kids
        self._known: dict[str | bytes | None, float] = {}  # until when

    def remember_until(self, kid: str | None, until: float) -> None:
        """Remember, until then, that a refresh did not return `kid`."""
        name = _bounded(kid)
        until = max(until, self._known.pop(name, until))
        self._known[name] = until
        if len(self._known) > self._max_kids:
            del self._known[next(iter(self._known))]

    def holds(self, kid: str | None, now: float) -> bool:
        """Whether `kid` is known to be unknown."""
        return bool(self._known) and now < self._known.get(_bounded(kid), now)

    def clear(self) -> None:
        """The set changed: any `kid` may be in it."""
        self._known = {}

    def __len__(self) -> int:
        return len(self._known)


def _bounded(kid: str | None) -> str | bytes | None:
    if kid is None or len(kid) <= _MAX_PLAIN_LENGTH:
        return kid
    return blake2b(kid.encode("utf-8", "surrogatepass"), digest_size=16).digest()
