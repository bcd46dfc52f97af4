"""The `kid`s that a refresh did not find: bounded, short-lived, and forgotten when the key set changes.

Rule of this file: a `kid` that a request to the issuer, sent after the `kid` was seen, did not bring is remembered for one
cooldown at first (an issuer may sign with a key a moment before it publishes it), and each time that it comes again for
twice as long; one that was seen while the request was under way for one cooldown. Of a long `kid` the digest is kept, so
that it costs no more memory than a short one. Read from any thread, written on the loop.
"""

from __future__ import annotations

from hashlib import blake2b

__all__ = ["UnknownKids"]

_MAX_PLAIN_LENGTH = 64
"""Characters; a longer `kid` is kept as its digest."""


class UnknownKids:
    """A bounded negative cache. `None` stands for tokens without a `kid`."""

    __slots__ = ("_known", "_max_kids")

    def __init__(self, max_kids: int) -> None:
        self._max_kids = max_kids
        # until when, and for how long it was remembered last
        self._known: dict[str | bytes | None, tuple[float, float]] = {}

    def remember_until(self, kid: str | None, until: float) -> None:
        """Remember, until then, that a refresh did not bring `kid`."""
        name = _bounded(kid)
        before, span = self._known.get(name, (until, 0.0))
        self._put(name, max(until, before), span)

    def remember_with_backoff(self, kid: str | None, since: float, *, first: float, most: float) -> None:
        """A refresh for its sake, begun at `since`, did not bring `kid`: for `first` seconds, `most` in the end."""
        name = _bounded(kid)
        before, span = self._known.get(name, (since, 0.0))
        span = min(most, max(first, 2.0 * span))
        self._put(name, max(since + span, before), span)

    def _put(self, name: str | bytes | None, until: float, span: float) -> None:
        self._known.pop(name, None)
        self._known[name] = until, span
        if len(self._known) > self._max_kids:
            del self._known[next(iter(self._known))]

    def holds(self, kid: str | None, now: float) -> bool:
        """Whether `kid` is known to be unknown."""
        return bool(self._known) and now < self._known.get(_bounded(kid), (now, 0.0))[0]

    def clear(self) -> None:
        """The set changed: any `kid` may be in it."""
        self._known = {}

    def __len__(self) -> int:
        return len(self._known)


def _bounded(kid: str | None) -> str | bytes | None:
    if kid is None or len(kid) <= _MAX_PLAIN_LENGTH:
        return kid
    return blake2b(kid.encode("utf-8", "surrogatepass"), digest_size=16).digest()
