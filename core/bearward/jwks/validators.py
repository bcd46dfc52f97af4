"""What the next request needs to be a conditional one (pure)."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Validators"]


@dataclass(frozen=True, slots=True)
class Validators:
    """What lets the next request be a conditional one (RFC 9110 section 8.8), good for one URL."""

    url: str
    etag: str | None = None
    last_modified: str | None = None

    def conditions(self, url: str) -> dict[str, str]:
        """The headers of a conditional request for `url`; none where these validators are not for it."""
        if url != self.url:
            return {}
        if self.etag is not None:
            return {"if-none-match": self.etag}
        return {} if self.last_modified is None else {"if-modified-since": self.last_modified}
