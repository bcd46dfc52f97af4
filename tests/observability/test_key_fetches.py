"""A fetch of keys leaves a span, and a collection of metrics looks at the keys once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from bearward import AuthError, TrustedIssuer, Verifier
from bearward.telemetry import Telemetry
from bearward.testing import LocalIssuer, MovableClock, SigningKey
from bearward.testing.exchange import Response

AUDIENCE = "https://api.example"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """A real issuer."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as one:
        yield one


async def _verified(issuer: LocalIssuer, telemetry: Telemetry) -> str:
    """The code of a good token's refusal by a verifier that holds no keys yet; empty if it is accepted."""
    verifier = Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE), observers=[telemetry])
    token = issuer.mint()
    try:
        await verifier.verify(token)
    except AuthError as refused:
        return refused.code
    finally:
        await verifier.aclose()
    return ""


def _spans(issuer: LocalIssuer) -> tuple[str, list[ReadableSpan]]:
    exporter, provider = InMemorySpanExporter(), TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    code = asyncio.run(_verified(issuer, Telemetry(tracer_provider=provider)))
    return code, [span for span in exporter.get_finished_spans() if span.name == "bearward.keys.refresh"]


def test_fetch_of_keys_is_a_span(issuer: LocalIssuer) -> None:
    """It names the configured issuer and why there was a fetch, and lasts as long as that."""
    code, spans = _spans(issuer)
    assert code == ""
    assert [(span.kind, span.status.status_code) for span in spans] == [(SpanKind.CLIENT, StatusCode.UNSET)]
    assert dict(spans[0].attributes or {}) == {"bearward.issuer": issuer.url, "bearward.trigger": "lookup"}
    assert spans[0].start_time is not None
    assert spans[0].end_time is not None
    assert 0 < spans[0].end_time - spans[0].start_time < 60 * 10**9


def test_failed_fetch_is_a_span_with_its_class(issuer: LocalIssuer) -> None:
    """The status is an error, named by the class of the failure and nothing of what the issuer sent."""
    issuer.serve_garbage("an error page")
    code, spans = _spans(issuer)
    assert code == "keys_unavailable"
    assert spans
    for span in spans:
        attributes: dict[str, Any] = dict(span.attributes or {})
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == attributes["error.type"] != "none"
        assert attributes.keys() == {"bearward.issuer", "bearward.trigger", "error.type"}


def test_metrics_of_an_issuer_are_those_of_the_key_in_use() -> None:
    """Where each key has its own URL, one that was withdrawn long ago does not say that the issuer's keys fail."""
    clock, reader, identifier = MovableClock(), InMemoryMetricReader(), "https://login.example"
    telemetry = Telemetry(meter_provider=MeterProvider(metric_readers=[reader], shutdown_on_exit=False))
    old, new = SigningKey.generate("ES256"), SigningKey.generate("ES256")

    async def rotate(publisher: LocalIssuer) -> None:
        trusted = TrustedIssuer(identifier, audience=AUDIENCE, pem_uri=f"{publisher.origin}/keys/{{kid}}")
        async with Verifier(trusted, clock=clock, observers=[telemetry]) as verifier:
            await verifier.verify(publisher.mint(key=old, kid=old.kid))
            publisher.serve(f"/keys/{old.kid}", Response(b"", 404, {}))
            clock.advance(86_400)
            with pytest.raises(AuthError):
                await verifier.verify(publisher.mint(key=old, kid=old.kid))
            await verifier.verify(publisher.mint(key=new, kid=new.kid))
            found = {
                metric.name: [getattr(point, "value", None) for point in metric.data.data_points]
                for resource in reader.get_metrics_data().resource_metrics  # type: ignore[union-attr]
                for scope in resource.scope_metrics
                for metric in scope.metrics
            }
        assert found["bearward.keys.ready"] == [1.0]
        assert found["bearward.keys.age"] == [0.0]

    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier=identifier, clock=clock) as publisher:
        for key in (old, new):
            publisher.serve(f"/keys/{key.kid}", Response(key.public_pem(), 200, {}))
        asyncio.run(rotate(publisher))


def test_collection_looks_at_the_keys_once() -> None:
    """The gauges of one collection are of one moment; the next collection looks again."""
    looks: list[None] = []

    class Watched(Verifier):
        def health(self) -> Any:
            looks.append(None)
            return super().health()

    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    telemetry = Telemetry(meter_provider=provider)
    verifier = Watched(TrustedIssuer("https://login.example", audience=AUDIENCE), observers=[telemetry])
    for collections in (1, 2):
        reader.collect()
        assert len(looks) == 2 * collections  # once for the gauges of issuers, once for readiness
    assert verifier.health().issuers
    provider.shutdown()
