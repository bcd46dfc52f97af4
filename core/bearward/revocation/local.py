"""What was revoked before it expired: tokens by `jti`, subjects and sessions by a cut-off time, keys by thumbprint.

Rule of this file: in process and bounded. `revision` grows with each revocation, so that a cached verification knows at
the cost of one comparison that nothing was revoked since: an entry is in place before the revision says so. Entries go
some minutes after the tokens that they concern have expired. Reading takes no lock; writing takes one.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from hashlib import sha256

from bearward.clock import Clock, SystemClock
from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.principal import Principal
from bearward.revocation.entry import FOREVER, Revocation, checked

__all__ = ["Revocations", "short_name"]

_MAX_ENTRIES = 1_000_000
_LONGEST_NAME = 128
_GRACE = 600.0
"""Seconds that an entry outlives `until`: a policy's leeway (300 at most), and a wall clock that is set back."""
_TIDY_FROM = 1024


class Revocations:
    """A list of revoked tokens, subjects, sessions and keys; may be used from any thread.

    >>> revoked = Revocations()
    >>> revoked.revoke_token("https://login.example", "7f3a", until=2e9)
    >>> revoked
    <Revocations: 1 entries, revision 1>
    """

    def __init__(self, *, clock: Clock | None = None, max_entries: int = _MAX_ENTRIES) -> None:
        self.revision: int = 0
        self._clock = clock or SystemClock()
        self._most = max_entries
        self._entries: dict[tuple[str, str, str], tuple[float, float]] = {}
        self._tidy_at = _TIDY_FROM
        self._listeners: list[Callable[[], None]] = []
        self._lock = threading.Lock()

    def revoke_token(self, issuer: str, token_id: str, *, until: float) -> None:
        """Revoke the token with this `jti`; the entry is kept `until` the token's `exp` (seconds since the epoch)."""
        self.add((Revocation("jti", issuer, token_id, FOREVER, until),))

    def revoke_key(self, issuer: str, thumbprint: str, *, until: float = FOREVER) -> None:
        """Revoke a key by its RFC 7638 thumbprint, and with it every token that it signed."""
        self.add((Revocation("key", issuer, thumbprint, FOREVER, until),))

    def revoke_subject(self, issuer: str, subject: str, *, before: float, until: float = FOREVER) -> None:
        """Revoke the subject's tokens that were issued before `before` (seconds since the epoch)."""
        self.add((Revocation("sub", issuer, subject, before, until),))

    def revoke_session(self, issuer: str, session: str, *, before: float, until: float = FOREVER) -> None:
        """Revoke the tokens of a session (`sid`) that were issued before `before`."""
        self.add((Revocation("sid", issuer, session, before, until),))

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Put entries in force. An entry that is known already is only ever made stricter.

        Raises `ConfigurationError` where the list is full of entries that may still matter, or a time is no number.
        """
        changed = False
        try:
            with self._lock:
                for revocation in revocations:
                    changed = self._put(checked(revocation)) or changed
        finally:
            if changed:
                self.turn()

    def check(self, principal: Principal) -> None:
        """Raise `AuthError` (TOKEN_REVOKED) if the principal's token was revoked."""
        if self._entries and self._revoked(principal):
            raise AuthError(Refusal.TOKEN_REVOKED)

    def forget(self, now: float) -> None:
        """Drop the entries that no living token can match any more; done without being asked as the list grows."""
        with self._lock:
            self._forget(now)

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each revocation, in the thread that revoked; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def turn(self) -> None:
        """Have every remembered verification judged anew, and every listener look."""
        with self._lock:
            self.revision += 1
        for listener in tuple(self._listeners):
            listener()

    def living(self) -> list[Revocation]:
        """All entries, for those that keep them elsewhere."""
        with self._lock:
            return self._listed()

    @property
    def available(self) -> bool:
        """Whether tokens can be checked against this list: always, in process."""
        return True

    async def start(self) -> None:
        """Nothing to start: the list is there as soon as it is made."""

    async def aclose(self) -> None:
        """Nothing to close: what was revoked stays revoked."""

    def health(self) -> str:
        """For the health page."""
        return f"{len(self)} entries, in this process only"

    def _listed(self) -> list[Revocation]:
        return [Revocation(*entry, *times) for entry, times in self._entries.items()]

    def _revoked(self, principal: Principal) -> bool:
        issuer, claims, issued = principal.issuer, principal.claims, principal.issued_at
        held = (
            ("key", principal.key_thumbprint),
            ("jti", claims.get("jti")),
            ("sub", claims.get("sub")),
            ("sid", claims.get("sid")),
        )
        return any(isinstance(name, str) and self._cut((kind, issuer, short_name(name)), issued) for kind, name in held)

    def _cut(self, entry: tuple[str, str, str], issued_at: float | None) -> bool:
        times = self._entries.get(entry)
        # A token that does not say when it was issued cannot prove that it is newer.
        return times is not None and (issued_at is None or issued_at < times[0])

    def _put(self, revocation: Revocation) -> bool:
        """Whether the entry says more than was known."""
        kind, issuer, name, before, until = revocation
        entry = (kind, issuer, short_name(name))
        known = self._entries.get(entry)
        if known is None and len(self._entries) >= min(self._tidy_at, self._most):
            self._forget(self._clock.now())
            if len(self._entries) >= self._most:
                raise ConfigurationError("revocations", f"must stay below {self._most} entries that may still matter")
        stricter = (before, until) if known is None else (max(before, known[0]), max(until, known[1]))
        self._entries[entry] = stricter
        return stricter != known

    def _forget(self, now: float) -> None:
        gone = [entry for entry, (_, until) in self._entries.items() if until + _GRACE <= now]
        for entry in gone:
            del self._entries[entry]
        self._tidy_at = max(_TIDY_FROM, 2 * len(self._entries))

    def __len__(self) -> int:
        return len(self._entries)

    def __bool__(self) -> bool:
        return True  # an empty list is a list all the same

    def __repr__(self) -> str:
        return f"<Revocations: {len(self)} entries, revision {self.revision}>"


def short_name(name: str) -> str:
    """The name, or its digest where it is long: what an issuer puts into a claim is not to set the size of an entry."""
    if len(name) <= _LONGEST_NAME:
        return name
    return "sha256:" + sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
