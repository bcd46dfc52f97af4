"""`RedactingFilter`: keeps credentials out of grpcio's own log.

grpcio logs metadata that is not UTF-8 at ERROR, with the value (`Invalid encoding on b'Bearer …'`, logger
`grpc._cython.cygrpc`), before any interceptor runs. Rule of this file: the line is kept, and what it quotes is removed.
"""

from __future__ import annotations

import logging
import re

__all__ = ["RedactingFilter", "redact_logs"]

_LOGGERS = ("grpc._cython.cygrpc", "grpc")
_QUOTED = re.compile(r"""b?(?P<mark>['"])(?:\\.|(?!(?P=mark)).)*(?P=mark)?""", re.DOTALL)
_BEARER = re.compile(r"(?i)\b(bearer|dpop|basic)(\s+)[A-Za-z0-9._~+/=-]+")
_JWT = re.compile(r"\b[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){1,4}\b")
_HIDDEN = "[redacted]"


class RedactingFilter(logging.Filter):
    """Replaces what a record quotes from the peer by `[redacted]`; attach it to a logger or to a handler.

    >>> record = logging.LogRecord("grpc", 40, "", 0, "Invalid encoding on %s", (b"Bearer eyJhbGciOi.x.y",), None)
    >>> RedactingFilter().filter(record), record.getMessage()
    (True, 'Invalid encoding on [redacted]')
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the line is kept, its text is cleaned."""
        try:
            text = record.getMessage()
        except Exception:  # noqa: BLE001  (a record that cannot be formatted must not raise from here)
            text = str(record.msg)
        record.msg, record.args = _clean(text), ()
        return True


def redact_logs() -> RedactingFilter:
    """Attach a `RedactingFilter` to the loggers through which grpcio reports metadata; returns it.

    >>> redact_logs() in logging.getLogger("grpc._cython.cygrpc").filters
    True
    """
    redacting = RedactingFilter()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(redacting)
    return redacting


def _clean(text: str) -> str:
    marker = "Invalid encoding on "
    if text.startswith(marker):
        return marker + _HIDDEN
    text = _BEARER.sub(rf"\1\2{_HIDDEN}", text)
    return _JWT.sub(lambda found: _HIDDEN if found[0].count(".") >= 2 else found[0], text)
