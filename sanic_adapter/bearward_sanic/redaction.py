"""Tokens never reach a log, not even those that a client put into a URL.

Rule of this file: the loggers that print URLs (Sanic's and the ASGI servers') get one filter, once per process, which
replaces the value of `access_token`. The request itself is left as it came.
"""

from __future__ import annotations

import logging
import re
from typing import Any, Final

__all__ = ["RedactingFilter", "redact_logs"]

_LOGGERS: Final = (
    "sanic.access", "sanic.error", "sanic.root", "sanic.server", "sanic.websockets",
    "uvicorn.access", "uvicorn.error", "hypercorn.access", "hypercorn.error",
)  # fmt: skip
"""Those that print URLs."""

_PARAMETER: Final = re.compile(r"(access_token(?:=|%3D))[^&#\s\"'<>)\]]*", re.IGNORECASE)


class RedactingFilter(logging.Filter):
    """Replaces what follows `access_token=` in a record's message and arguments."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without tokens."""
        record.msg = _redacted(record.msg)
        if isinstance(record.args, dict):
            record.args = {name: _redacted(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(_redacted(value) for value in record.args)
        if hasattr(record, "request"):  # Sanic's access log
            record.request = _redacted(record.request)
        return True


def redact_logs() -> None:
    """Put the filter on every logger that prints URLs; twice is once."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, RedactingFilter) for one in logger.filters):
            logger.addFilter(RedactingFilter())


def _redacted(value: Any) -> Any:
    if isinstance(value, str) and "access_token" in value.lower():
        return _PARAMETER.sub(r"\1…", value)
    return value
