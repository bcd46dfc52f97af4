"""What an operator sees of the samples: the log, as text or as JSON, and metrics in the text format of Prometheus.

Rules of this file: `BEARWARD_LOG_FORMAT` and `BEARWARD_LOG_LEVEL` say how to log; everything goes to stderr. Metrics name
issuers, so they are not among the routes: `BEARWARD_METRICS` gives them a port of their own, of loopback unless it names
another address.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Final

from bearward import ConfigurationError
from bearward.events import Observer
from bearward.logs import JSONFormatter
from bearward.settings import Settings

__all__ = ["SETTINGS", "log_as", "log_until_configured", "metrics_observers"]

_FORMATTERS: Final = {
    "text": logging.Formatter("%(levelname)s %(name)s: %(message)s"),
    "json": JSONFormatter(),
}
_MAX_WORKERS: Final = 256
_LEVELS: Final = ("debug", "info", "warning", "error")


def log_until_configured() -> None:
    """Until the settings are read: warnings, as text."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_FORMATTERS["text"])


def log_as(settings: Settings) -> None:
    """Log as `log_format` (`text`, `json`) and `log_level` say; raises `ConfigurationError`."""
    chosen = _log_format(settings.extra.get("log_format", "text"))
    level = _log_level(settings.extra.get("log_level", "info"))
    logging.getLogger("bearward").setLevel(level.upper())
    for handler in logging.getLogger().handlers:
        handler.setFormatter(_FORMATTERS[chosen])


def metrics_observers(settings: Settings) -> list[Observer]:
    """The observer behind `http://<metrics>/metrics`, which is served from now on; none without that setting.

    `metrics` is a port, or an address and a port. Each worker of a server takes the next port that is free. Raises
    `ConfigurationError`.
    """
    given = settings.extra.get("metrics")
    if given is None:
        return []
    host, port = _address(given)
    from opentelemetry.exporter.prometheus import PrometheusMetricReader
    from opentelemetry.sdk.metrics import MeterProvider
    from prometheus_client import start_http_server

    from bearward.telemetry import Telemetry

    provider = MeterProvider(metric_readers=[PrometheusMetricReader()], shutdown_on_exit=False)
    for candidate in range(port, min(port + _MAX_WORKERS, 65_536)):
        with suppress(OSError):  # another worker's
            start_http_server(candidate, host)
            return [Telemetry(meter_provider=provider)]
    raise ConfigurationError("metrics", "must be a port, or an address and a port, that is free here")


def _address(given: object) -> tuple[str, int]:
    host, _, port = str(given).rpartition(":")
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        raise ConfigurationError("metrics", "must be a port, or an address and a port: 9464, 127.0.0.1:9464")
    return host.strip("[]") or "127.0.0.1", int(port)


def _log_format(value: object) -> str:
    return _one_of("log_format", tuple(_FORMATTERS), value)


def _log_level(value: object) -> str:
    return _one_of("log_level", _LEVELS, value)


def _one_of(name: str, values: tuple[str, ...], value: object) -> str:
    if value not in values:
        raise ConfigurationError(name, f"must be one of {', '.join(values)}")
    return str(value)


SETTINGS: Final[Mapping[str, Callable[[Any], object]]] = {
    "log_format": _log_format,
    "log_level": _log_level,
    "metrics": _address,
}
"""Settings of the samples that are about this, each with what checks it."""
