"""The last good key set on disk, so that a restart does not need the issuer.

Rules of this file: written in full or not at all (a temporary file, synced, then renamed); checked as strictly as a
shared cache; its age counts from the fetch, not from the start. A disk that fails costs a line in the log, never a
refresh.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import tempfile
import threading
from hashlib import sha256
from pathlib import Path

from bearward.clock import Clock
from bearward.forks import fork_safe
from bearward.jwks.entry import Entry
from bearward.jwks.options import FilePath, JWKSOptions
from bearward.jwks.stored_entry import Stored, StoredDocumentError, max_text, pack, unpack_in_steps
from bearward.loop import in_turns

__all__ = ["Snapshot"]

_log = logging.getLogger("bearward.jwks")


class Snapshot:
    """One issuer's file in `directory`. What blocks runs in a thread."""

    def __init__(
        self,
        directory: str | FilePath,
        issuer: str,
        *,
        source: str,
        options: JWKSOptions,
        clock: Clock,
        secret: bytes | None,
    ) -> None:
        self._name = sha256(f"{issuer}\x00{source}".encode()).hexdigest()[:32]
        self.path: Path = Path(directory) / f"{self._name}.json"
        self._issuer = issuer
        self._options = options
        self._clock = clock
        self._secret = secret
        self._newest: Entry | None = None
        self._writing = fork_safe(threading.Lock())

    async def load(self) -> Entry | None:
        """The entry, if there is one that this process may use."""
        try:
            text = await asyncio.to_thread(self._read)
            steps = unpack_in_steps(
                text,
                name=self._name,
                issuer=self._issuer,
                secret=self._secret,
                now=self._clock.now(),
                max_age=self._options.max_age,
                max_body=self._options.max_body,
                authorities=self._options.authorities,
            )
            return (await in_turns(steps)).entry
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as exc:  # StoredDocumentError and UnicodeDecodeError are ValueErrors
            reason = str(exc) if isinstance(exc, StoredDocumentError) else type(exc).__name__
            _log.warning("the snapshot of %s is not used: %s", self._issuer, reason)
            return None

    async def save(self, entry: Entry) -> None:
        """Replace the file; of several calls at the same time the last wins."""
        self._newest = entry
        try:
            await asyncio.to_thread(self._write_newest, entry)
        except OSError as exc:
            _log.warning("the snapshot of %s cannot be written: %s", self._issuer, type(exc).__name__)

    def _read(self) -> str:
        with self.path.open("rb") as file:
            return file.read(max_text(self._options.max_body) + 1).decode("utf-8")

    def _write_newest(self, entry: Entry) -> None:
        with self._writing:  # a slow disk must not put an older one over a newer one
            if entry is self._newest:
                self._write(pack(Stored(entry, 0.0), name=self._name, issuer=self._issuer, secret=self._secret))

    def _write(self, text: str) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{self._name}.", dir=self.path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(text.encode("utf-8"))
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).replace(self.path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
            raise
