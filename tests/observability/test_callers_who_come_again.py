"""Callers who are let in again: counted like any other, though no event is made of them where nobody needs one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider

from bearward import TrustedIssuer, Verifier
from bearward.events import Event, Observer, Verified
from bearward.telemetry import Telemetry
from bearward.testing import LocalIssuer
from tests.observability.scene import over_http

pytestmark = pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning")  # Sanic imports it
AUDIENCE = "https://api.example"
CALLS = 5


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """Who is trusted."""
    with LocalIssuer(audience=AUDIENCE) as running:
        yield running


@pytest.fixture
def reader() -> InMemoryMetricReader:
    """Collects when it is asked."""
    return InMemoryMetricReader()


def observed(issuer: LocalIssuer, reader: InMemoryMetricReader, *others: Observer) -> Verifier:
    """With metrics, and what else observes; keys are held from the beginning."""
    telemetry = Telemetry(meter_provider=MeterProvider(metric_readers=[reader], shutdown_on_exit=False))
    policy = TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())
    return Verifier(policy, observers=[telemetry, *others])


def told(reader: InMemoryMetricReader) -> Counter[str]:
    """How many verifications were counted, and of how many the duration was measured."""
    data, counts = reader.get_metrics_data(), Counter[str]()
    metrics = (
        [one for of in data.resource_metrics for scope in of.scope_metrics for one in scope.metrics] if data else []
    )
    for metric in metrics:
        for point in metric.data.data_points:
            if metric.name == "bearward.verifications" and (point.attributes or {})["bearward.outcome"] == "verified":
                counts["verified"] += int(getattr(point, "value", 0))
            elif metric.name == "bearward.verification.duration":
                counts["measured"] += int(getattr(point, "count", 0))
    return counts


@pytest.mark.parametrize("observes", ["metrics alone", "metrics and another"])
def test_each_request_of_a_kept_connection_is_counted_once(
    observes: str, issuer: LocalIssuer, reader: InMemoryMetricReader
) -> None:
    """Of the later ones nothing is measured; another observer sees an event of each."""
    seen: list[Event] = []
    verifier = observed(issuer, reader, *([seen.append] if "another" in observes else []))
    headers = [("Authorization", f"Bearer {issuer.mint()}")]
    with over_http("http", verifier, trace.NoOpTracerProvider(), {}) as (_, call):
        assert [call("UUPlain", headers) for _ in range(CALLS)] == [None] * CALLS
    counts = told(reader)
    assert counts["verified"] == CALLS
    assert 1 <= counts["measured"] < CALLS
    assert sum(type(event) is Verified for event in seen) == (CALLS if "another" in observes else 0)


def test_span_is_annotated_of_each(issuer: LocalIssuer, reader: InMemoryMetricReader) -> None:
    """A span that is recorded says whom it served, however often they came before."""
    verifier, token = observed(issuer, reader), issuer.mint()
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer(__name__)
    for _ in range(CALLS):
        with tracer.start_as_current_span("call") as span:
            verifier.verify_now(token)
        assert getattr(span, "attributes", {})["bearward.outcome"] == "verified"
    assert told(reader)["verified"] == CALLS


class BrokenSpan(trace.NonRecordingSpan):
    """Of somebody else."""

    def is_recording(self) -> bool:
        """Fail."""
        raise ZeroDivisionError


def test_span_that_raises_breaks_nothing(
    issuer: LocalIssuer, reader: InMemoryMetricReader, caplog: pytest.LogCaptureFixture
) -> None:
    """The caller is let in and counted, and the failure is in the log."""
    verifier = observed(issuer, reader)
    with trace.use_span(BrokenSpan(trace.INVALID_SPAN_CONTEXT)):
        assert verifier.verify_now(issuer.mint(sub="ada")).subject == "ada"
    assert told(reader)["verified"] == 1
    assert "an observer failed with Verified" in caplog.text
