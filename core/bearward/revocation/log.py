"""The revocations of a fleet in a shared store: a log that everyone appends to and reads on from where they were.

    <name>           the current log's id, and when it was begun
    <name>:<id>:<n>  its n-th entry, n from 1 without gaps: some revocations

Rules of this file: an entry is only ever added (an `add` that fails where one stands already), so that two who write
at once write two entries. A log is never changed: a new one is begun where the store was emptied, where entries went
missing, and where the old one is long or old. All that know more than a new log append what it lacks (see `missing`).
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Sequence

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.sealed import NotAuthenticError, open_sealed, seal
from bearward.clock import Clock
from bearward.revocation.entry import Revocation
from bearward.revocation.wire_format import PURPOSE, pack, unpack

__all__ = ["RevocationLog"]

KEPT_FOR = 30 * 86_400.0
_BEGIN_ANEW_AFTER = 7 * 86_400.0
_BEGIN_ANEW_BEYOND = 2048
_AT_ONCE = 64
_AHEAD = 8
_BATCH = 200
_LEASE = 30.0

Times = tuple[float, float]


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
        self._id = ""
        self._begun = 0.0
        self._next = 1
        self._gap_at = 0
        self._seen: dict[tuple[str, str, str], Times] | None = None
        self._owner = secrets.token_hex(8)
        self.refused: int = 0
        """Entries that were not authentic, or of another version."""

    async def read(self) -> None:
        """Learn what is new. Raises `CacheError`."""
        log, *texts = await self._cache.get([self._name, *self._places(_AHEAD)])
        if log is None:
            log = await self._begin()
        current, begun = self._opened_log(log)
        await self._read_on(texts)
        if current != self._id:
            self._id, self._begun, self._next, self._gap_at, self._seen = current, begun, 1, 0, {}
            await self._read_on([])

    def missing(self, known: Sequence[Revocation]) -> list[Revocation]:
        """Which of `known` a log that is new to us lacks: to be appended. Answers once for each new log."""
        seen, self._seen = self._seen, None
        if seen is None:
            return []
        return [entry for entry in known if not _covers(seen.get(entry[:3]), entry)]

    async def append(self, revocations: Sequence[Revocation]) -> None:
        """Add entries. Returns when they stand in the log that the fleet reads. Raises `CacheError`."""
        for start in range(0, len(revocations), _BATCH):
            await self._append(pack(revocations[start : start + _BATCH]))
        if await self._current() != self._id:
            raise CacheError("a new log was begun meanwhile")

    def is_due_anew(self, living: int) -> bool:
        """Whether the log is so long or so old that a new one is better."""
        longest = _BEGIN_ANEW_BEYOND + 2 * living // _BATCH
        return self._next > longest or self._clock.now() > self._begun + _BEGIN_ANEW_AFTER or self._gap_at < 0

    async def begin_anew(self, living: Sequence[Revocation]) -> None:
        """Begin a new log with what is alive, unless another process is doing so. Raises `CacheError`."""
        if not await self._cache.acquire_lease(f"{self._name}:lease", self._owner, _LEASE):
            return
        try:
            if await self._current() == self._id:
                await self._replace(living)
        finally:
            await self._cache.release_lease(f"{self._name}:lease", self._owner)

    async def _replace(self, living: Sequence[Revocation]) -> None:
        new, begun = secrets.token_hex(8), self._clock.now()
        batches = [pack(living[start : start + _BATCH]) for start in range(0, len(living), _BATCH)]
        for index, text in enumerate(batches, 1):
            place = self._place(new, index)
            await self._cache.put(place, seal(text, purpose=PURPOSE, place=place, secret=self._secret), KEPT_FOR)
        await self._cache.put(self._name, self._sealed_log(new, begun), KEPT_FOR)
        # Who appended to the old log until this moment may have been told that it is done: we take that along.
        late = await self._rest()
        self._id, self._begun, self._next, self._gap_at, self._seen = new, begun, len(batches) + 1, 0, None
        for start in range(0, len(late), _BATCH):
            await self._append(pack(late[start : start + _BATCH]))

    async def _rest(self) -> list[Revocation]:
        """What stands in our log from where we are, also behind a gap."""
        rest: list[Revocation] = []
        while True:
            places = self._places(_AT_ONCE)
            texts = await self._cache.get(places)
            self._next += _AT_ONCE
            for place, text in zip(places, texts, strict=True):
                rest += self._opened(place, text) if text is not None else []
            if texts[-1] is None:
                self._learn(rest)
                return rest

    async def _begin(self) -> str:
        """The store is empty: begin a log, or read the one that another process began at the same moment."""
        text = self._sealed_log(secrets.token_hex(8), self._clock.now())
        if await self._cache.add_if_absent(self._name, text, KEPT_FOR):
            return text
        (found,) = await self._cache.get([self._name])
        if found is None:
            raise CacheError("the store keeps nothing")
        return found

    async def _current(self) -> str:
        (log,) = await self._cache.get([self._name])
        return "" if log is None else self._opened_log(log)[0]

    async def _append(self, text: str) -> None:
        while True:
            place = self._place(self._id, self._next)
            if await self._cache.add_if_absent(
                place, seal(text, purpose=PURPOSE, place=place, secret=self._secret), KEPT_FOR
            ):
                self._next += 1
                return
            before = self._next
            await self._read_on([])
            if self._next == before:
                raise CacheError("an entry can neither be written nor read")

    async def _read_on(self, texts: Sequence[str | None]) -> None:
        """Learn from `texts`, the next entries of our log, and from what stands behind them."""
        if not self._id:
            return
        known = list(texts)
        while True:
            if None not in known:  # nothing looked at, or all there: look further
                self._take([text for text in known if text is not None])
                known = list(await self._cache.get(self._places(_AT_ONCE)))
                continue
            end = known.index(None)
            self._take([text for text in known[:end] if text is not None])
            self._note_gap(gap=any(text is not None for text in known[end:]))
            return

    def _take(self, sealed: Sequence[str]) -> None:
        learned: list[Revocation] = []
        for text in sealed:
            learned += self._opened(self._place(self._id, self._next), text)
            self._next += 1
        if self._seen is not None:
            for entry in learned:
                known = self._seen.get(entry[:3], (entry.before, entry.until))
                self._seen[entry[:3]] = (max(entry.before, known[0]), max(entry.until, known[1]))
        if learned:
            self._learn(learned)

    def _note_gap(self, *, gap: bool) -> None:
        """Entries behind a missing one, seen twice: the store lost some. Seen once it may be a write in between."""
        if not gap:
            self._gap_at = 0
        else:
            self._gap_at = -1 if self._gap_at in (self._next, -1) else self._next

    def _opened(self, place: str, sealed: str) -> list[Revocation]:
        try:
            return unpack(open_sealed(sealed, purpose=PURPOSE, place=place, secret=self._secret))
        except (ValueError, TypeError):  # not authentic, or of another version
            self.refused += 1
            return []

    def _opened_log(self, sealed: str) -> tuple[str, float]:
        try:
            current, begun = json.loads(open_sealed(sealed, purpose=PURPOSE, place=self._name, secret=self._secret))
        except NotAuthenticError:
            raise CacheError("the list in the store is not authentic") from None
        return str(current), float(begun)

    def _sealed_log(self, current: str, begun: float) -> str:
        return seal(json.dumps([current, begun]), purpose=PURPOSE, place=self._name, secret=self._secret)

    def _places(self, number: int) -> list[str]:
        return [self._place(self._id, index) for index in range(self._next, self._next + number)] if self._id else []

    def _place(self, log: str, index: int) -> str:
        return f"{self._name}:{log}:{index}"


def _covers(seen: Times | None, entry: Revocation) -> bool:
    return seen is not None and seen[0] >= entry.before and seen[1] >= entry.until
