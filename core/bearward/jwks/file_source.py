"""Keys from a file, watched for change (size, time and inode, so that a rename into place is seen too)."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

from bearward.jwks.errors import FetchError, FetchFailure
from bearward.jwks.http import HTTPClient
from bearward.jwks.sources import Loaded, Validators

__all__ = ["File"]

Mark = tuple[int, int, int]


class File:
    """A JWK Set document in a file; at most `max_body` bytes of it are read."""

    local = True  # the same path may be another file elsewhere

    def __init__(self, path: str | Path, *, max_body: int = 65_536) -> None:
        self._path = Path(path)
        self._max_body = max_body
        self._loaded: Mark | None = None

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Read the file."""
        try:
            document, self._loaded = await asyncio.to_thread(self._read)
        except OSError as exc:
            self._loaded = await asyncio.to_thread(self._mark)  # looked at: no news until it changes
            raise FetchError(FetchFailure.FILE) from exc
        if len(document) > self._max_body:
            raise FetchError(FetchFailure.TOO_LARGE)
        return Loaded(document)

    async def changed(self) -> bool:
        """Whether the file is another one than was loaded; a file that is gone is no news."""
        mark = await asyncio.to_thread(self._mark)
        return mark is not None and mark != self._loaded

    def _read(self) -> tuple[bytes, Mark]:
        with self._path.open("rb") as file:
            mark = _mark(os.fstat(file.fileno()))
            return file.read(self._max_body + 1), mark

    def _mark(self) -> Mark | None:
        try:
            return _mark(self._path.stat())
        except OSError:
            return None

    def __repr__(self) -> str:
        return f"File({str(self._path)!r})"


def _mark(status: os.stat_result) -> Mark:
    return status.st_mtime_ns, status.st_size, status.st_ino
