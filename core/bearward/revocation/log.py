"""The revocations of a fleet in a shared store: a log that every process appends to, and reads from its last position.

    <name>           the head: the current log's id, and when it was begun
    <name>:<id>:<n>  its n-th entry, n from 1 without gaps: some revocations

Rules of this file: an entry is only ever added (an `add` that fails if the key exists), so that two processes that
write at once write two entries. A log is never changed: a new one is started if the store was emptied, if entries were
lost or overwritten, and if the log is long or old. Every process that knows more than a new log appends what is missing
(see `missing`). A position advances only after the entry there has been applied.
"""

from __future__ import annotations

import json
import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.sealed import NotAuthenticError, open_sealed, seal
from bearward.clock import Clock
from bearward.revocation.entry import Name, Revocation
from bearward.revocation.wire_format import PURPOSE, pack, unpack

__all__ = ["RevocationLog"]

KEPT_FOR = 30 * 86_400.0
_ROTATE_AFTER = 7 * 86_400.0
_ROTATE_ABOVE = 2048
_REPAIR_PAUSE = 5.0
_READ_AT_ONCE = 64
_READ_AHEAD = 8
_BATCH = 200
_LEASE = 30.0

Times = tuple[float, float]


@dataclass(slots=True)
class _Cursor:
    """Where we are in one log."""

    log: str = ""
    begun: float = 0.0
    next: int = 1
    last: str | None = None
    """The text of the entry before `next`, as we read or wrote it."""
    gap_at: int | None = None
    """Here an entry was missing when we looked, and others stood behind it."""
    damaged: bool = False
    """Entries of this log were lost or overwritten."""
    lease_denied_at: float | None = None
    """Since when another process has been about to begin a new log."""


class RevocationLog:
    """A process's view of the log; on one event loop, one call at a time. `learn` takes what others revoked."""

    def __init__(
        self, cache: SharedCache, clock: Clock, *, name: str, secret: bytes, learn: Callable[[list[Revocation]], None]
    ) -> None:
        self._cache = cache
        self._clock = clock
        self._name = name
        self._secret = secret
        self._learn = learn
        self._cursor = _Cursor()
        self._seen: dict[Name, Times] | None = None
        self._owner = secrets.token_hex(8)
        self._repaired_at = -math.inf
        self.rejected: int = 0
        """Entries that were not authentic, or of another version."""

    async def read(self) -> None:
        """Learn what is new. Raises `CacheError`; `ConfigurationError` where there is no room for it."""
        cursor = self._cursor
        last = self._place(cursor.log, cursor.next - 1)
        head, last_now, *texts = await self._cache.get([self._name, last, *self._places(_READ_AHEAD)])
        if head is None:
            head = await self._begin()
        log, begun = self._opened_head(head)
        if last_now != cursor.last:
            cursor.damaged = True
        await self._read_on(texts)
        if log != cursor.log:
            self._cursor, self._seen = _Cursor(log, begun), {}
            await self._read_on([])

    def missing(self, known: Sequence[Revocation]) -> list[Revocation]:
        """Which of `known` a log that is new to us lacks: to be appended. Returns them once for each new log."""
        seen, self._seen = self._seen, None
        if seen is None:
            return []
        return [entry for entry in known if not _covers(seen.get(entry.key), entry)]

    async def append(self, revocations: Sequence[Revocation]) -> bool:
        """Add entries. Whether they stand in the log that the fleet reads: else a new one was begun. Raises `CacheError`."""
        for start in range(0, len(revocations), _BATCH):
            await self._append(pack(revocations[start : start + _BATCH]))
        return await self._current() == self._cursor.log

    @property
    def damaged(self) -> bool:
        """Whether entries of the current log were lost or overwritten, so that their content is unknown."""
        return self._cursor.damaged

    def needs_rotation(self, entries: int) -> bool:
        """Whether the log is so long, so old or so damaged that a new one is better."""
        cursor = self._cursor
        if cursor.damaged:  # a writer who damages each new log does not have us write them all day
            return self._clock.monotonic() >= self._repaired_at + _REPAIR_PAUSE
        return cursor.next > _ROTATE_ABOVE + 2 * entries // _BATCH or self._clock.now() > cursor.begun + _ROTATE_AFTER

    async def rotate(self, entries: Sequence[Revocation]) -> None:
        """Begin a new log with these entries, unless another process is doing so. Raises `CacheError`.

        The lease saves work and protects nothing: two processes that rotate at once lose no entry. So it is waited for
        no longer than it lasts, by our clock; whoever can write to the store could hold it forever.
        """
        lease = f"{self._name}:lease"
        if not await self._cache.acquire_lease(lease, self._owner, _LEASE) and not self._waited_long_enough():
            return
        try:
            if await self._current() == self._cursor.log:
                await self._replace(entries)
        finally:
            await self._cache.release_lease(lease, self._owner)

    def _waited_long_enough(self) -> bool:
        now, cursor = self._clock.monotonic(), self._cursor
        if cursor.lease_denied_at is None:
            cursor.lease_denied_at = now
        return now >= cursor.lease_denied_at + _LEASE

    async def _replace(self, entries: Sequence[Revocation]) -> None:
        old, new = self._cursor, _Cursor(secrets.token_hex(8), self._clock.now())
        for start in range(0, len(entries), _BATCH):
            place = self._place(new.log, new.next)
            new.last = self._sealed(pack(entries[start : start + _BATCH]), place)
            await self._cache.put(place, new.last, KEPT_FOR)
            new.next += 1
        await self._cache.put(self._name, self._sealed_head(new), KEPT_FOR)
        # Whoever appended to the old log until this moment may have been told that it is done: we take that along.
        late = await self._rest_of(old)
        if old.damaged:
            self._repaired_at = self._clock.monotonic()
        self._cursor, self._seen = new, None
        for start in range(0, len(late), _BATCH):
            await self._append(pack(late[start : start + _BATCH]))

    async def _rest_of(self, cursor: _Cursor) -> list[Revocation]:
        """What stands in our log from where we are, also behind a gap."""
        rest: list[Revocation] = []
        while True:
            places = self._places(_READ_AT_ONCE)
            texts = await self._cache.get(places)
            cursor.next += _READ_AT_ONCE
            for place, text in zip(places, texts, strict=True):
                rest += self._opened(place, text) if text is not None else []
            if texts[-1] is None:
                self._learn(rest)
                return rest

    async def _begin(self) -> str:
        """The store is empty: begin a log, or read the one that another process began at the same moment."""
        text = self._sealed_head(_Cursor(secrets.token_hex(8), self._clock.now()))
        await self._cache.add_if_absent(self._name, text, KEPT_FOR)
        (found,) = await self._cache.get([self._name])  # what the store says that it did is no proof that it did
        if found is None:
            raise CacheError("it keeps nothing")
        return found

    async def _current(self) -> str:
        (head,) = await self._cache.get([self._name])
        return "" if head is None else self._opened_head(head)[0]

    async def _append(self, text: str) -> None:
        while True:
            cursor = self._cursor
            place = self._place(cursor.log, cursor.next)
            sealed = self._sealed(text, place)
            if await self._cache.add_if_absent(place, sealed, KEPT_FOR):
                cursor.next, cursor.last = cursor.next + 1, sealed
                return
            before = cursor.next
            await self._read_on([])
            if cursor.next == before:
                raise CacheError("an entry can neither be written nor read")

    async def _read_on(self, texts: Sequence[str | None]) -> None:
        """Learn from `texts`, the next entries of our log, and from what stands behind them."""
        if not self._cursor.log:
            return
        known = list(texts)
        while True:
            if None not in known:  # nothing looked at, or all there: look further
                self._take([text for text in known if text is not None])
                known = list(await self._cache.get(self._places(_READ_AT_ONCE)))
                continue
            end = known.index(None)
            self._take([text for text in known[:end] if text is not None])
            self._note_gap(is_gap=any(text is not None for text in known[end:]))
            return

    def _take(self, sealed: Sequence[str]) -> None:
        cursor, learned = self._cursor, list[Revocation]()
        for index, text in enumerate(sealed, cursor.next):
            learned += self._opened(self._place(cursor.log, index), text)
        self._learn(learned)
        if self._seen is not None:
            for entry in learned:
                known = self._seen.get(entry.key, (entry.before, entry.until))
                self._seen[entry.key] = (max(entry.before, known[0]), max(entry.until, known[1]))
        if sealed:
            cursor.next, cursor.last = cursor.next + len(sealed), sealed[-1]

    def _note_gap(self, *, is_gap: bool) -> None:
        """Entries behind a missing one, seen twice: the store lost some. Seen once it may be a write in between."""
        cursor = self._cursor
        if is_gap and cursor.gap_at == cursor.next:
            cursor.damaged = True
        cursor.gap_at = cursor.next if is_gap else None

    def _opened(self, place: str, sealed: str) -> list[Revocation]:
        try:
            return unpack(open_sealed(sealed, purpose=PURPOSE, place=place, secret=self._secret))
        except NotAuthenticError:  # what this fleet wrote here, if anything, was overwritten
            self.rejected += 1
            self._cursor.damaged = True
        except (ValueError, TypeError):  # of another version
            self.rejected += 1
        return []

    def _sealed(self, text: str, place: str) -> str:
        return seal(text, purpose=PURPOSE, place=place, secret=self._secret)

    def _opened_head(self, sealed: str) -> tuple[str, float]:
        try:
            current, begun = json.loads(open_sealed(sealed, purpose=PURPOSE, place=self._name, secret=self._secret))
        except NotAuthenticError:
            raise CacheError("the list in the store is not authentic") from None
        return str(current), float(begun)

    def _sealed_head(self, cursor: _Cursor) -> str:
        return self._sealed(json.dumps([cursor.log, cursor.begun]), self._name)

    def _places(self, number: int) -> list[str]:
        cursor = self._cursor
        return [self._place(cursor.log, cursor.next + index) for index in range(number)]

    def _place(self, log: str, index: int) -> str:
        return f"{self._name}:{log}:{index}"


def _covers(seen: Times | None, entry: Revocation) -> bool:
    return seen is not None and seen[0] >= entry.before and seen[1] >= entry.until
