"""Where the log goes and what it looks like: the JSON formatter, and lines that appear without any configuration.

Rules of this file: a program that has configured logging is left alone. Where none has, bearward's lines from INFO on go
to stderr, since a refusal that nobody can see helps nobody; as soon as the program does configure logging, they go where
it says.
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any, Final, TextIO

from bearward.clock import timestamp

__all__ = ["JSONFormatter", "show_unless_configured"]

_TOP: Final = "bearward"
_TEXT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_PREFIX: Final = "bearward."


class JSONFormatter(logging.Formatter):
    """One JSON object per line: `time` (RFC 3339), `level`, `logger`, `message`, and the fields of an event.

    >>> record = logging.LogRecord("bearward.grpc", 20, "", 0, "refused", (), None)
    >>> record.created, record.__dict__["bearward.code"] = 1_700_000_000.0, "token_expired"
    >>> print(JSONFormatter().format(record))
    {"time": "2023-11-14T22:13:20.000Z", "level": "INFO", "logger": "bearward.grpc", "message": "refused", "bearward.code": "token_expired"}
    """

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        members: dict[str, Any] = {
            "time": timestamp(record.created),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        members |= {name: value for name, value in vars(record).items() if name.startswith(_PREFIX)}
        if record.exc_info:
            members["exception"] = record.exc_text or self.formatException(record.exc_info)
        return json.dumps(members, default=str)


class _Fallback(logging.StreamHandler[TextIO]):
    """Writes to what `sys.stderr` is now, until the program has configured logging by itself."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)
        self.setFormatter(logging.Formatter(_TEXT))

    def emit(self, record: logging.LogRecord) -> None:
        """Write the line, unless somebody else does."""
        if logging.getLogger().handlers:
            withdraw()
            return
        self.setStream(sys.stderr)
        super().emit(record)


def show_unless_configured() -> None:
    """Have bearward's lines from INFO on appear on stderr if the program has configured no logging; twice is once."""
    logger = logging.getLogger(_TOP)
    if logger.level == logging.NOTSET and not logger.handlers and not logging.getLogger().handlers:
        logger.setLevel(logging.INFO)
        logger.addHandler(_Fallback())


def withdraw() -> None:
    """Undo `show_unless_configured`."""
    logger = logging.getLogger(_TOP)
    for handler in [handler for handler in logger.handlers if isinstance(handler, _Fallback)]:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
