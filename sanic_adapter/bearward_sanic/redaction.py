"""Tokens never reach a log, not even those that a client put into a URL.

Rule of this file: the loggers that print URLs (Sanic's and the ASGI servers') get one filter, once per process, which
replaces the value of `access_token`, however its name is spelled in a URL (RFC 3986 section 2.1), and everything that
has the form of a signed token. The request itself is not changed.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any, Final

__all__ = ["RedactingFilter", "redact_logs"]

_LOGGERS: Final = (
    "sanic.access", "sanic.error", "sanic.root", "sanic.server", "sanic.websockets",
    "uvicorn.access", "uvicorn.error", "hypercorn.access", "hypercorn.error",
)  # fmt: skip
"""Those that print URLs."""

_HIDDEN: Final = "…"


def _spelled(text: str) -> str:
    """A pattern for `text` with any of its characters percent-encoded, once or more."""
    return "".join(f"(?:{re.escape(character)}|%(?:25)*{ord(character):02x})" for character in text)


_PARAMETER: Final = re.compile(
    rf"({_spelled('access')}(?:{_spelled('_')}|{_spelled('-')})?{_spelled('token')}"
    # what frameworks take for a part of the name, or leave out: `[]`, white space, a null character
    r"(?:\[\w*\]|\d|\+|%(?:25)*(?:5b|5d|20|2b|0[09ad])){0,8}[\"']?\s*(?:=|:|%(?:25)*3d)\s*[\"']?)"
    r"[^&;#\s\"'<>)\]]+",
    re.IGNORECASE,
)
_SIGNED: Final = re.compile(
    r"(?<![A-Za-z0-9_-])ey[A-Za-z0-9_-]{6,}(?:(?:\.|%(?:25)*2[eE])[A-Za-z0-9_-]{2,}){2,4}",
)
"""JWS and JWE in compact form (RFC 7515 section 7.1, RFC 7516 section 7.1): `{"` begins as `ey` in base64url."""


class RedactingFilter(logging.Filter):
    """Replaces tokens in a record's message, arguments and traceback.

    >>> record = logging.LogRecord("sanic.root", 20, "", 0, "GET /?access%5Ftoken=abc.def&x=1", (), None)
    >>> RedactingFilter().filter(record), record.getMessage()
    (True, 'GET /?access%5Ftoken=…&x=1')
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass, without tokens."""
        record.msg = _redacted(record.msg)
        if isinstance(record.args, dict):
            record.args = {name: _redacted(value) for name, value in record.args.items()}
        elif record.args:
            record.args = tuple(_redacted(value) for value in record.args)
        if hasattr(record, "request"):  # Sanic's access log
            record.request = _redacted(record.request)
        _redact_traceback(record)
        return True


def redact_logs() -> None:
    """Put the filter on every logger that prints URLs; twice is once."""
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        if not any(isinstance(one, RedactingFilter) for one in logger.filters):
            logger.addFilter(RedactingFilter())


def _redact_traceback(record: logging.LogRecord) -> None:
    """`logging` formats a traceback once and keeps the text in `exc_text`."""
    if not isinstance(record.exc_info, tuple) or record.exc_info[0] is None or record.exc_text:
        return
    text = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n")
    clean = _redacted(text)
    if clean != text:
        record.exc_text = clean


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return _without_tokens(value)
    if value is None or isinstance(value, int | float):
        return value
    try:
        text = str(value)  # an exception or a request, which logging would print by its text
    except Exception:  # noqa: BLE001  (logging says so itself)
        return value
    clean = _without_tokens(text)
    return value if clean == text else clean


def _without_tokens(text: str) -> str:
    if "ey" not in text and "%" not in text and "token" not in text.lower():  # as most lines are
        return text
    text = _PARAMETER.sub(rf"\1{_HIDDEN}", text)
    return _SIGNED.sub(_HIDDEN, text)
