"""The cache of verified tokens: from the SHA-256 of a token to the result of its verification.

Rule of this file: only good tokens are kept, never the token itself, and bounded in bytes and entries. Whether an entry
is still valid is checked by the verifier on every hit; this is only memory.

Two generations instead of a linked list: a new or used entry goes into the young one; when that is full, it becomes the
old one, and the previous old one is dropped at once. Recently used entries stay, a hit costs one look-up in a dict, and
every step is safe under threads.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import Final, NamedTuple

from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError
from bearward.jwks.entry import HeldKeys
from bearward.principal import Principal
from bearward.refusals import Refusal

__all__ = [
    "NOT_YET",
    "CacheEntry",
    "CountingTokenCache",
    "TokenCache",
    "TokenCacheCounts",
    "estimated_bytes",
    "token_digest",
]


NOT_YET: Final = 0.0
"""In place of the end of an entry that was not asked for again: most never are, and working it out takes a microsecond."""


class CacheEntry(NamedTuple):
    """A verified token: its principal, and until when that is relied on without checking its basis again."""

    principal: Principal
    current: Callable[[], HeldKeys | None]
    """Returns the issuer's current keys."""
    held: HeldKeys
    """The keys by which it was verified."""
    revision: int
    """The revision of the revocations against which it was checked."""
    checked_at: float
    """When it was checked, in seconds since the epoch: if the wall clock is set back before that, it is checked again."""
    recheck_at: float
    """The end of the token or of the recheck interval, whichever comes first; `NOT_YET` before the first hit."""
    bound: bool
    cost: int


class TokenCache:
    """Bounded memory of verified tokens; `max_bytes` counts the entries' estimated size."""

    __slots__ = (
        "_old",
        "_promoted",
        "_young",
        "_young_bytes",
        "_young_limit",
        "_young_max_entries",
        "evictions",
        "hits",
        "max_token",
        "misses",
    )

    def __init__(self, *, max_bytes: int = 16 * 1024 * 1024, max_entries: int = 100_000, max_token: int = 8192) -> None:
        self._young: dict[bytes, CacheEntry] = {}
        self._old: dict[bytes, CacheEntry] = {}
        self._young_bytes = 0
        self._young_limit = max_bytes // 2
        self._young_max_entries = max(1, max_entries // 2)
        self.max_token: int = max_token
        """Longer tokens, in characters, are not kept."""
        self._promoted = 0
        self.evictions: int = 0
        """How many entries made room for newer ones."""
        self.hits: int = 0
        """How many look-ups found an entry; counted by `CountingTokenCache` only."""
        self.misses: int = 0

    def get(self, digest: bytes) -> CacheEntry | None:
        """The entry for the SHA-256 digest of a token."""
        entry = self._young.get(digest)
        if entry is None and (entry := self._old.get(digest)) is not None:
            self._promoted += 1
            self.put(digest, entry)
        return entry

    def put(self, digest: bytes, entry: CacheEntry) -> None:
        """Keep an entry, or replace it."""
        if entry.cost > self._young_limit:
            return
        if self._young_bytes + entry.cost > self._young_limit or len(self._young) >= self._young_max_entries:
            self.evictions += max(0, len(self._old) - self._promoted)
            self._old, self._young, self._young_bytes, self._promoted = self._young, {}, 0, 0
        if digest not in self._young:
            self._young_bytes += entry.cost
        self._young[digest] = entry

    def drop(self, digest: bytes) -> None:
        """Forget an entry."""
        entry = self._young.pop(digest, None)
        if entry is not None:
            self._young_bytes -= entry.cost
        self._old.pop(digest, None)

    def clear(self) -> None:
        """Forget everything."""
        self._young, self._old, self._young_bytes = {}, {}, 0

    def count(self, *, found: bool) -> None:
        """One token was looked up."""
        if found:
            self.hits += 1
        else:
            self.misses += 1

    def __len__(self) -> int:
        return len(self._young) + sum(digest not in self._young for digest in self._old)

    def __repr__(self) -> str:
        return f"<TokenCache: {len(self)} tokens>"


class CountingTokenCache(TokenCache):
    """The same, which counts what is looked up: for a verifier whose requests are observed anyway."""

    __slots__ = ()

    def get(self, digest: bytes) -> CacheEntry | None:
        """The entry for the SHA-256 digest of a token, counted."""
        entry = super().get(digest)
        self.count(found=entry is not None)
        return entry


class TokenCacheCounts(NamedTuple):
    """The cache of verified tokens in numbers, since the process started."""

    hits: int = 0
    """Look-ups that found a token; counted if requests are observed, otherwise 0."""
    misses: int = 0
    evictions: int = 0
    """Tokens that made room for newer ones."""
    size: int = 0
    """Tokens that are in it now."""


_SHA256 = sha256()
"""Copied for each token: OpenSSL looks a hash up by name for every new one, which takes twice as long in a busy server."""


def token_digest(token: str, place: CredentialPlace | None = None) -> bytes:
    """The name of a token in the cache; raises `AuthError` (TOKEN_MALFORMED) for lone surrogates.

    A token is good in its own place only, so what is remembered is remembered by place: its kind and name come first,
    since what follows may be anything that a caller wrote. What is looked up without a place begins with `e`.
    """
    digest = _SHA256.copy()
    try:
        digest.update((token if place is None else f"{_described(place)} {token}").encode())
    except UnicodeEncodeError:
        raise AuthError(Refusal.TOKEN_MALFORMED) from None
    return digest.digest()


def _described(place: CredentialPlace) -> str:
    """Kind and name: a header and a cookie may have the same name, and neither name has a space."""
    return f"header {place.header}" if place.header is not None else f"cookie {place.cookie}"


def estimated_bytes(payload: bytes) -> int:
    """The approximate size in bytes of an entry whose claims were written as `payload`, by its length alone.

    Fitted to the growth of a process (see the benchmarks), in which a string takes some 57 bytes (names are shared) and
    a member or item some 36. For what issuers send it is rather too high than too low, by a quarter at most; for claims
    that are little but punctuation it can be half of what they take.
    """
    return 700 + 6 * len(payload)
