"""Tokens that are revoked before they expire: by `jti`, by subject or session up to a cut-off time, by signing key.

Rules of this file: in process and bounded. `revision` grows with each revocation, so that one comparison shows whether
anything was revoked since a verification was cached: an entry takes effect before the revision changes. An entry only
ever becomes stricter, and is dropped some minutes after the tokens it concerns have expired. A cut-off is in the
issuer's time: if the issuer's clock was seen to be ahead of ours, it is moved by as much. Reading takes no lock;
writing takes one.
"""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable, Iterable

from bearward.bug_reports import report_bug
from bearward.clock import Clock, SystemClock
from bearward.errors import AuthError, ConfigurationError
from bearward.forks import fork_safe
from bearward.observers import Observers
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.revocation.entry import CLOCK, FOREVER, Name, Revocation, names_of, validated

__all__ = ["Listener", "Revocations"]

_log = logging.getLogger("bearward.revocation")

Listener = Callable[[tuple[Revocation, ...] | None], None]
"""Called with the entries that changed, or with None if any verification may have another result now."""

_MAX_ENTRIES = 1_000_000
_GRACE = 600.0
"""Seconds that an entry outlives `until`: an issuer's leeway (300 at most), and a wall clock that is set back."""
_PRUNE_ABOVE = 1024
_MAX_CLOCK_LEAD = 300.0
"""More than any leeway lets in: then it is our own clock that was set back."""
_CLOCK_LEAD_KEPT_FOR = 86_400.0
"""Longer than tokens live; while the issuer's clock is ahead, each new token says so again."""


class Revocations:
    """A list of revoked tokens, subjects, sessions and keys; may be used from any thread.

    >>> revoked = Revocations()
    >>> revoked.revoke_token("https://login.example", "7f3a", until=2e9)
    >>> revoked
    <Revocations: 1 entries, revision 1>
    """

    def __init__(self, *, clock: Clock | None = None, max_entries: int = _MAX_ENTRIES) -> None:
        self._clock = clock or SystemClock()
        self._max_entries = max_entries
        self._entries: dict[Name, tuple[float, float]] = {}
        self._prune_at = _PRUNE_ABOVE
        self._revision = 0
        self._listeners: list[Listener] = []
        self._lock = fork_safe(threading.Lock())

    def revoke_token(self, issuer: str, token_id: str, *, until: float) -> None:
        """Revoke the token with this `jti`; the entry is kept `until` the token's `exp` (seconds since the epoch)."""
        self.add((Revocation("jti", issuer, token_id, FOREVER, until),))

    def revoke_key(self, issuer: str, thumbprint: str, *, until: float = FOREVER) -> None:
        """Revoke a key by its RFC 7638 thumbprint, and with it every token that it signed."""
        self.add((Revocation("key", issuer, thumbprint, FOREVER, until),))

    def revoke_subject(self, issuer: str, subject: str, *, before: float, until: float = FOREVER) -> None:
        """Revoke the subject's tokens that were issued before `before` (seconds since the epoch, by our clock)."""
        self.add((Revocation("sub", issuer, subject, before, until),))

    def revoke_session(self, issuer: str, session: str, *, before: float, until: float = FOREVER) -> None:
        """Revoke the tokens of a session (`sid`) that were issued before `before` (seconds since the epoch)."""
        self.add((Revocation("sid", issuer, session, before, until),))

    def add(self, revocations: Iterable[Revocation]) -> None:
        """Put entries in force. An entry that is known already is only ever made stricter.

        Raises `ConfigurationError` if the list is full of entries that may still matter, or a field cannot be meant;
        the entries before that one are in force then.
        """
        changed: list[Revocation] = []
        try:
            with self._lock:
                for revocation in revocations:
                    if self._put(validated(revocation)):
                        changed.append(revocation)  # noqa: PERF401  (one by one: those before an error count)
        finally:
            if changed:
                self._announce(self._concerned(changed))

    def check(self, principal: Principal) -> None:
        """Raise `AuthError` (TOKEN_REVOKED) if the principal's token was revoked."""
        self._learn_clock_lead(principal)
        if self._entries and self._is_revoked(principal):
            raise AuthError(Refusal.TOKEN_REVOKED)

    def prune(self, now: float) -> None:
        """Drop the entries that no live token can match any more; happens by itself as the list grows."""
        with self._lock:
            self._prune(now)

    def on_change(self, listener: Listener) -> Callable[[], None]:
        """Call `listener` after each revocation, in the thread that revoked; returns a function that ends that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def observe(self, observers: Observers) -> Callable[[], None]:
        """Have `observers` called with what becomes of a store that is shared; returns a function that ends that."""
        return lambda: None

    def invalidate_caches(self) -> None:
        """Have every cached verification and every listener check again."""
        self._announce(None)

    def entries(self) -> list[Revocation]:
        """All entries, for those that keep them elsewhere."""
        with self._lock:
            return self._listed()

    @property
    def revision(self) -> int:
        """Grows with each change; a verification that was made under another one has to be checked again."""
        return self._revision

    @property
    def available(self) -> bool:
        """Whether tokens can be checked against this list: always, in process."""
        return True

    @property
    def lag(self) -> float | None:
        """Seconds since what others revoked was last read; None in process, where there are no others."""
        return None

    async def start(self) -> None:
        """Nothing to start: the list is there as soon as it is made."""

    async def aclose(self) -> None:
        """Nothing to close: what was revoked stays revoked."""

    def health(self) -> str:
        """For the health page."""
        return f"{len(self)} entries, in this process only"

    def _announce(self, changed: tuple[Revocation, ...] | None) -> None:
        with self._lock:
            self._revision += 1
        for listener in tuple(self._listeners):
            try:
                listener(changed)
            except Exception as error:  # noqa: BLE001  (neither the others nor who reads the store may fail with one)
                report_bug(_log, "a listener to revocations failed", error)

    def _listed(self) -> list[Revocation]:
        return [Revocation(*name, *times) for name, times in self._entries.items()]

    def _is_revoked(self, principal: Principal) -> bool:
        issued_at = principal.issued_at
        return any(self._is_cut_off(name, issued_at) for name in names_of(principal))

    def _is_cut_off(self, name: Name, issued_at: float | None) -> bool:
        times = self._entries.get(name)
        if times is None:
            return False
        if issued_at is None:  # a token that does not say when it was issued cannot prove that it is newer
            return True
        return issued_at < times[0] + self._clock_lead(name[1])

    def _clock_lead(self, issuer: str) -> float:
        """By how many seconds the issuer's clock is ahead of ours, as far as we have seen."""
        lead = self._entries.get((CLOCK, issuer, ""))
        return lead[0] if lead is not None else 0.0

    def _learn_clock_lead(self, principal: Principal) -> None:
        """A token from our future, let in by the leeway: cut-offs must cover the others that this issuer has issued.

        Only verified tokens come here, so that no unauthenticated caller moves a cut-off; in whole seconds, so that it
        is seldom moved, and beyond what was seen, so that this very token is covered.
        """
        issued_at = principal.issued_at
        if issued_at is None or issued_at <= (now := self._clock.now()):
            return
        lead = math.floor(issued_at - now) + 1.0
        if lead > _MAX_CLOCK_LEAD:
            return
        seconds, until = self._entries.get((CLOCK, principal.issuer, ""), (0.0, 0.0))
        if lead > seconds or until < now + _CLOCK_LEAD_KEPT_FOR / 2:
            self.add((Revocation(CLOCK, principal.issuer, "", lead, now + _CLOCK_LEAD_KEPT_FOR),))

    def _concerned(self, changed: Iterable[Revocation]) -> tuple[Revocation, ...]:
        """The entries whose tokens must be looked at: an issuer's clock concerns all of its entries with a cut-off."""
        ahead = {entry.issuer for entry in changed if entry.kind == CLOCK}
        if not ahead:
            return tuple(changed)
        moved = [entry for entry in self.entries() if entry.issuer in ahead and entry.before < FOREVER]
        return tuple(entry for entry in (*changed, *moved) if entry.kind != CLOCK)

    def _put(self, revocation: Revocation) -> bool:
        """Whether the entry says more than was known."""
        name, before, until = revocation.key, revocation.before, revocation.until
        known = self._entries.get(name)
        if known is None and revocation.kind != CLOCK:  # there are no more clocks than trusted issuers
            self._make_room()
        stricter = (before, until) if known is None else (max(before, known[0]), max(until, known[1]))
        self._entries[name] = stricter
        return stricter != known

    def _make_room(self) -> None:
        if len(self._entries) < min(self._prune_at, self._max_entries):
            return
        self._prune(self._clock.now())
        if len(self._entries) >= self._max_entries:
            raise ConfigurationError(
                "revocations", f"must stay below {self._max_entries} entries that may still matter"
            )

    def _prune(self, now: float) -> None:
        expired = [name for name, (_, until) in self._entries.items() if until + _GRACE <= now]
        for name in expired:
            del self._entries[name]
        self._prune_at = max(_PRUNE_ABOVE, 2 * len(self._entries))

    def __len__(self) -> int:
        """How many entries there are."""
        return len(self._entries)

    def __bool__(self) -> bool:
        return True  # an empty list is a list all the same

    def __repr__(self) -> str:
        return f"<Revocations: {len(self)} entries, revision {self._revision}>"
