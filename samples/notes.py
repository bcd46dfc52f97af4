"""Notes in SQLite: the sample's only state.

Rules of this file: it blocks, so an event loop calls it in a thread. One connection, one lock; several processes may
share a file (WAL), and then one sees what another wrote. Notes are numbered in the order in which they were committed.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bearward import ConfigurationError

__all__ = ["MEMORY", "Note", "NoteStore"]

MEMORY = ":memory:"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    text TEXT NOT NULL,
    author TEXT NOT NULL
)
"""


@dataclass(frozen=True, slots=True)
class Note:
    """A note, as it was stored."""

    id: int
    text: str
    author: str

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"id": self.id, "text": self.text, "author": self.author}


class NoteStore:
    """The notes in the SQLite file `path`; raises `ConfigurationError` if it cannot be used.

    >>> store = NoteStore(MEMORY)
    >>> [note.id for note in store.add("ada", ["milk", "bread"])]
    [1, 2]
    >>> store.after(1)
    [Note(id=2, text='bread', author='ada')]
    >>> store.close()
    """

    def __init__(self, path: str) -> None:
        self.shared = path != MEMORY
        """Whether another process may write too."""
        self._lock = threading.Lock()
        self._listeners: set[Callable[[], None]] = set()
        try:
            # Transactions are begun by hand; the lock makes one connection safe for many threads.
            self._connection = sqlite3.connect(path, timeout=10, isolation_level=None, check_same_thread=False)
            self._prepare()
        except sqlite3.Error as error:
            must = f"must be {MEMORY} or a file that SQLite can open and write ({error})"
            raise ConfigurationError("notes", must) from None

    def _prepare(self) -> None:
        try:
            if self.shared:
                self._connection.execute("PRAGMA journal_mode = WAL")
                self._connection.execute("PRAGMA synchronous = NORMAL")
            self._connection.execute(_SCHEMA)
        except sqlite3.Error:
            self._connection.close()
            raise

    def add(self, author: str, texts: Iterable[str]) -> list[Note]:
        """Store all of these, or none if one of them cannot be stored."""
        with self._lock, self._transaction():
            rows = [(text, author) for text in texts]
            insert = "INSERT INTO notes (text, author) VALUES (?, ?) RETURNING id, text, author"
            notes = [Note(*self._connection.execute(insert, row).fetchone()) for row in rows]
        for listener in tuple(self._listeners):
            listener()
        return notes

    def after(self, last: int) -> list[Note]:
        """The notes after number `last`, in order; 0 for all."""
        query = "SELECT id, text, author FROM notes WHERE id > ? ORDER BY id"
        with self._lock:
            return [Note(*row) for row in self._connection.execute(query, (last,)).fetchall()]

    def last(self) -> int:
        """The number of the newest note, 0 if there is none."""
        with self._lock:
            (newest,) = self._connection.execute("SELECT coalesce(max(id), 0) FROM notes").fetchone()
        return int(newest)

    @contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Have `listener` called, in the writing thread, after each write of this process."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
