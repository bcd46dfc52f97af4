"""What an operator sees of the samples: the log, as text or as JSON.

Rule of this file: `BEARWARD_LOG_FORMAT` and `BEARWARD_LOG_LEVEL` say how; everything goes to stderr.
"""

from __future__ import annotations

import logging
import sys
from typing import Final

from bearward import ConfigurationError
from bearward.logs import JSONFormatter
from bearward.settings import Settings

__all__ = ["SETTINGS", "log_as", "log_until_configured"]

SETTINGS: Final = ("log_format", "log_level")
"""Settings of the samples that are about the log."""
_FORMATTERS: Final = {
    "text": logging.Formatter("%(levelname)s %(name)s: %(message)s"),
    "json": JSONFormatter(),
}
_LEVELS: Final = ("debug", "info", "warning", "error")


def log_until_configured() -> None:
    """Until the settings are read: warnings, as text."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_FORMATTERS["text"])


def log_as(settings: Settings) -> None:
    """Log as `log_format` (`text`, `json`) and `log_level` say; raises `ConfigurationError`."""
    chosen = _one_of(settings, "log_format", tuple(_FORMATTERS), "text")
    level = _one_of(settings, "log_level", _LEVELS, "info")
    logging.getLogger("bearward").setLevel(level.upper())
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_FORMATTERS[chosen])


def _one_of(settings: Settings, name: str, values: tuple[str, ...], default: str) -> str:
    value = settings.extra.get(name, default)
    if value not in values:
        raise ConfigurationError(name, f"must be one of {', '.join(values)}")
    return str(value)
