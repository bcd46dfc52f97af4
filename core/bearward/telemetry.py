"""Metrics and traces by OpenTelemetry's API: an observer like any other (extra `otel`).

    verifier = Verifier(..., observers=[Telemetry()])

Without an SDK everything here is a no-op. Rules of this file: what is counted on the way of a request is counted in a
dict, and read when somebody collects, since an instrument of the SDK takes longer than a verification. The values of
attributes come from fixed lists and from the configuration: no caller can make a time series up. Names and units are
those of OpenTelemetry's semantic conventions, where there are any (`error.type`, seconds, counts in braces).
"""

from __future__ import annotations

import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

try:
    from opentelemetry import metrics, trace
except ImportError:  # pragma: no cover  (tried in a process of its own)
    raise ImportError("bearward.telemetry needs opentelemetry-api: pip install 'bearward[otel]'") from None

from bearward.clock import SystemClock
from bearward.errors import ConfigurationError
from bearward.events import Event, KeysRefreshed, RefreshFailed, Refused, StreamEnded, Transport, Verified
from bearward.forks import fork_safe
from bearward.observers import Counting

if TYPE_CHECKING:
    from bearward.jwks import IssuerHealth
    from bearward.verifier import Verifier

__all__ = ["OTHER", "Telemetry"]

OTHER: Final = "other"
"""The issuer of a time series when there are more issuers than `max_issuers`."""
_NAME: Final = "bearward"
_NONE: Final = "none"
_NANO: Final = 1_000_000_000
_BUCKETS: Final = (0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0)
"""Seconds: a cached token takes some microseconds, a signature some hundred, a fetch of keys up to seconds."""

_Series = tuple[str, ...]


class Telemetry(Counting):
    """The observer: instruments under the name `bearward`, attributes of the current span, a span per key fetch.

    `max_issuers` bounds the time series: so many issuers have their own, the configured ones first; tenants beyond that
    are `other`. The providers are OpenTelemetry's global ones unless they are given. Raises `ConfigurationError`.
    """

    kinds: frozenset[type] = frozenset({Verified, Refused, StreamEnded, KeysRefreshed, RefreshFailed})
    identifies: bool = False
    """No metric has an identifier of a request."""

    def __init__(
        self,
        *,
        meter_provider: metrics.MeterProvider | None = None,
        tracer_provider: trace.TracerProvider | None = None,
        max_issuers: int = 100,
    ) -> None:
        if isinstance(max_issuers, bool) or not isinstance(max_issuers, int) or max_issuers < 1:
            raise ConfigurationError("max_issuers", "must be a whole number from 1")
        self._max_issuers = max_issuers
        self._issuers: set[str] = set()
        self._decided: Counter[_Series] = Counter()
        self._ended: Counter[_Series] = Counter()
        self._refreshes: Counter[_Series] = Counter()
        self._lock = fork_safe(threading.Lock())
        self._verifiers: weakref.WeakSet[Verifier] = weakref.WeakSet()
        self._healths: tuple[IssuerHealth, ...] = ()
        self._told: set[str] = set()
        self._tracer = trace.get_tracer(_NAME, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_NAME, meter_provider=meter_provider)
        self._durations = meter.create_histogram(
            "bearward.verification.duration",
            unit="s",
            description="How long deciding took, waiting for keys included; not for remembered tokens.",
            explicit_bucket_boundaries_advisory=_BUCKETS,
        )
        self._refresh_durations = meter.create_histogram(
            "bearward.keys.refresh.duration", unit="s", description="How long fetching an issuer's keys took."
        )
        self._observe_counts(meter)
        self._observe_state(meter)

    def attach(self, verifier: Verifier) -> None:
        """Called by each `Verifier` that this observes: its state is read when somebody collects."""
        self._verifiers.add(verifier)
        for issuer in verifier.issuers:
            self._named(issuer)

    def __call__(self, event: Event) -> None:
        """Count one event."""
        if type(event) is Verified:
            self._decision(event, "verified", _NONE)
        elif isinstance(event, Refused):
            self._decision(event, "refused", event.code)
        elif isinstance(event, StreamEnded):
            self._count(self._ended, event.code, self._named(event.issuer), event.transport or _NONE)
        elif isinstance(event, KeysRefreshed | RefreshFailed):
            self._refresh(event)

    def counts(self, issuer: str, transport: Transport | None) -> bool:
        """Count a caller who is let in again, unless a span has to be annotated: in gRPC it may begin later."""
        try:
            if transport == "grpc" or trace.get_current_span().is_recording():
                return False
        except Exception:  # noqa: BLE001  (somebody's span: with an event, it is guarded and reported)
            return False
        self._count(self._decided, "verified", _NONE, self._named(issuer), transport or _NONE)
        return True

    def __repr__(self) -> str:
        return f"<Telemetry: {len(self._decided)} series of decisions, {len(self._issuers)} issuers>"

    def _decision(self, event: Verified | Refused, outcome: str, code: str) -> None:
        issuer, transport = self._named(event.issuer), event.transport or _NONE
        self._count(self._decided, outcome, code, issuer, transport)
        if event.duration is not None:
            attributes = {"bearward.outcome": outcome, "bearward.transport": transport}
            self._durations.record(event.duration, attributes if code == _NONE else {**attributes, "error.type": code})
        self.annotate(event)

    def annotate(self, event: Event) -> None:
        """Say on the current span what was decided: `bearward.issuer`, `bearward.outcome`, `bearward.code`.

        An adapter calls it again where the span of a call begins only after the decision, as it does in gRPC.
        """
        span = trace.get_current_span()
        if not isinstance(event, Verified | Refused) or not span.is_recording():
            return
        span.set_attribute("bearward.issuer", self._named(event.issuer))
        span.set_attribute("bearward.outcome", "verified" if isinstance(event, Verified) else "refused")
        if isinstance(event, Refused):
            span.set_attribute("bearward.code", event.code)

    def _refresh(self, event: KeysRefreshed | RefreshFailed) -> None:
        issuer = self._named(event.issuer)
        cause = event.cause if isinstance(event, RefreshFailed) else _NONE
        self._count(self._refreshes, event.trigger, "failed" if cause != _NONE else "refreshed", cause, issuer)
        attributes = {"bearward.issuer": issuer, "bearward.trigger": event.trigger}
        if cause != _NONE:
            attributes["error.type"] = cause
        self._refresh_durations.record(event.duration, attributes)
        ended = SystemClock.now()
        span = self._tracer.start_span(
            "bearward.keys.refresh",
            kind=trace.SpanKind.CLIENT,
            attributes=attributes,
            start_time=int((ended - event.duration) * _NANO),
        )
        if cause != _NONE:
            span.set_status(trace.StatusCode.ERROR, cause)
        span.end(int(ended * _NANO))

    def _count(self, counter: Counter[_Series], *series: str) -> None:
        with self._lock:
            counter[series] += 1

    def _named(self, issuer: str) -> str:
        """The issuer, if it has time series of its own."""
        if issuer in self._issuers:
            return issuer
        with self._lock:
            if len(self._issuers) >= self._max_issuers:
                return OTHER
            self._issuers.add(issuer)
        return issuer

    def _observe_counts(self, meter: metrics.Meter) -> None:
        counted = (
            (
                "bearward.verifications",
                "{verification}",
                "Requests, calls and tokens that were decided on.",
                self._decided,
                ("bearward.outcome", "error.type", "bearward.issuer", "bearward.transport"),
            ),
            (
                "bearward.streams.ended",
                "{stream}",
                "Streams that were ended because their token ended.",
                self._ended,
                ("error.type", "bearward.issuer", "bearward.transport"),
            ),
            (
                "bearward.keys.refreshes",
                "{refresh}",
                "Attempts to fetch keys.",
                self._refreshes,
                ("bearward.trigger", "bearward.outcome", "error.type", "bearward.issuer"),
            ),
        )
        for name, unit, description, counter, names in counted:
            meter.create_observable_counter(name, [self._counts_of(counter, names)], unit=unit, description=description)

    def _counts_of(
        self, counter: Counter[_Series], names: tuple[str, ...]
    ) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
        def observe(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
            with self._lock:
                counted = list(counter.items())
            return [metrics.Observation(count, dict(zip(names, series, strict=True))) for series, count in counted]

        return observe

    def _observe_state(self, meter: metrics.Meter) -> None:
        for name, unit, description, read in _OF_A_VERIFIER:
            kind = meter.create_observable_counter if name in _GROWING else meter.create_observable_gauge
            kind(name, [self._state_of(read)], unit=unit, description=description)
        for name, unit, description, field in _OF_AN_ISSUER:
            meter.create_observable_gauge(name, [self._keys_of(name, field)], unit=unit, description=description)

    def _state_of(
        self, read: Callable[[Verifier], float | None]
    ) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
        def observe(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
            values = [value for verifier in tuple(self._verifiers) if (value := read(verifier)) is not None]
            return [metrics.Observation(sum(values))] if values else []

        return observe

    def _keys_of(
        self, metric: str, read: Callable[[Any], float | None]
    ) -> Callable[[metrics.CallbackOptions], Iterable[metrics.Observation]]:
        def observe(_: metrics.CallbackOptions) -> Iterable[metrics.Observation]:
            # Of an issuer that publishes its keys one by one, the most recently used one counts, which comes first.
            found: Mapping[str, float] = {
                name: value
                for health in reversed(self._issuers_for(metric))
                if (value := read(health)) is not None and (name := self._named(health.issuer)) != OTHER
            }
            return [metrics.Observation(value, {"bearward.issuer": name}) for name, value in found.items()]

        return observe

    def _issuers_for(self, metric: str) -> tuple[IssuerHealth, ...]:
        """The state of all issuers, looked at once for a collection: it is over when a metric is asked for again."""
        if not self._told or metric in self._told:
            self._told = set()
            self._healths = tuple(one for verifier in tuple(self._verifiers) for one in verifier.health().issuers)
        self._told.add(metric)
        return self._healths


_GROWING: Final = frozenset(
    {"bearward.token_cache.hits", "bearward.token_cache.misses", "bearward.token_cache.evictions"}
)
_OF_A_VERIFIER: Final[tuple[tuple[str, str, str, Callable[[Verifier], float | None]], ...]] = (
    ("bearward.token_cache.hits", "{token}", "Tokens found in the cache.", lambda one: one.token_cache.hits),
    ("bearward.token_cache.misses", "{token}", "Tokens not found there.", lambda one: one.token_cache.misses),
    ("bearward.token_cache.evictions", "{token}", "Tokens that made room.", lambda one: one.token_cache.evictions),
    ("bearward.token_cache.size", "{token}", "Tokens in the cache.", lambda one: one.token_cache.size),
    ("bearward.streams.live", "{stream}", "Calls, streams and sockets under watch.", lambda one: one.live_streams),
    ("bearward.ready", "", "1 if tokens of some issuer can be verified, else 0.", lambda one: float(one.ready)),
    ("bearward.revocation.lag", "s", "Since the revocation store was last read.", lambda one: one.revocations.lag),
    (
        "bearward.revocation.available",
        "",
        "1 if revocation can be checked, else 0.",
        lambda one: float(one.revocations.available),
    ),
)
_OF_AN_ISSUER: Final[tuple[tuple[str, str, str, Callable[[Any], float | None]], ...]] = (
    ("bearward.keys.age", "s", "Since the held keys were requested.", lambda keys: keys.age),
    ("bearward.keys.generation", "", "Counts the key sets that were held.", lambda keys: keys.generation),
    ("bearward.keys.usable", "{key}", "Keys that tokens can be verified with.", lambda keys: keys.keys),
    (
        "bearward.keys.rejected",
        "{key}",
        "Published keys that are not used.",
        lambda keys: sum(keys.rejected_keys.values()),
    ),
    ("bearward.keys.ready", "", "1 if its tokens can be verified, else 0.", lambda keys: float(keys.ready)),
    ("bearward.keys.stale_left", "s", "How long the keys last if it goes on failing.", lambda keys: keys.stale_left),
    ("bearward.keys.failures", "{refresh}", "Attempts in a row that failed.", lambda keys: keys.failures),
    ("bearward.keys.waiters", "{request}", "Callers that wait for a fetch.", lambda keys: keys.waiters),
)
