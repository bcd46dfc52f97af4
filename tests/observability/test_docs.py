"""What `docs/observability.md` shows runs, and its tables name what there is."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import bearward.events
from bearward import AuthError, Refusal, TrustedIssuer, Verifier
from bearward.events import KeysRefreshed, RefreshFailed, Refused, StreamEnded, Verified
from bearward.logs import log_events
from bearward.telemetry import OTHER, Telemetry

PAGE = (Path(__file__).parents[2] / "docs" / "observability.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
(LINE,) = re.findall(r"^```text\n(INFO .*)\n```$", PAGE, re.MULTILINE)
ISSUER = "https://login.example"


def test_examples_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """As they stand, one after the other; the observer of the page sees a refusal."""
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)  # the test's own logging stays
    names: dict[str, Any] = {}
    for block in BLOCKS[:2]:
        exec(compile(block, "docs/observability.md", "exec"), names)
    with pytest.raises(AuthError):
        names["verifier"].verify_now("e30.e30.e30")
    assert names["refused_codes"] == ["header_malformed"]
    for block in BLOCKS[2:]:
        exec(compile(block, "docs/observability.md", "exec"), names)
    assert len(BLOCKS) == 3


def test_line_of_the_log_is_the_one_that_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """For a refusal with the fields of the page."""
    fields = dict(re.findall(r"(\w+)=(\S+)", LINE))
    refusal = Refusal[fields.pop("code").upper()]
    event = Refused(refusal, fields.pop("issuer"), fields.pop("transport"), **fields)
    with caplog.at_level(logging.INFO, "bearward"):
        log_events(event)
    (record,) = caplog.records
    assert f"{record.levelname} {record.name}: {record.getMessage()}" == LINE


def test_table_of_events_is_complete() -> None:
    """Each class of events is in it."""
    table = PAGE.partition("| event | when |")[2].partition("\n\n")[0]
    kinds = {name for name in bearward.events.__all__ if isinstance(getattr(bearward.events, name), type)}
    assert set(re.findall(r"`(\w+)`", table)) - {"Verifier"} == kinds


def _metrics(telemetry_reader: InMemoryMetricReader) -> dict[str, list[dict[str, Any]]]:
    data = telemetry_reader.get_metrics_data()
    assert data is not None
    found = [metric for one in data.resource_metrics for scope in one.scope_metrics for metric in scope.metrics]
    return {metric.name: [dict(point.attributes or {}) for point in metric.data.data_points] for metric in found}


@pytest.fixture
def observed() -> Any:
    """A verifier with metrics, and what reads them."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    telemetry = Telemetry(meter_provider=provider, max_issuers=2)
    verifier = Verifier(TrustedIssuer(ISSUER, audience="api"), observers=[telemetry])
    yield verifier, telemetry, reader
    provider.shutdown()


def test_table_of_metrics_is_complete(observed: Any) -> None:
    """Each metric that is exported is named there, and the other way round; but for what only a shared store has."""
    verifier, telemetry, reader = observed
    refusal = Refused(next(iter(bearward.Refusal)), ISSUER, "http", duration=0.1)
    for event in (
        Verified(ISSUER, "grpc", duration=0.001),
        refusal,
        StreamEnded(refusal.refusal, ISSUER, "http"),
        KeysRefreshed(ISSUER, "lookup", 1, 2, 0, 0.1),
        RefreshFailed(ISSUER, "lookup", "timeout", 5.0),
    ):
        telemetry(event)
    exported = set(_metrics(reader))
    table = PAGE.partition("| metric | attributes |")[2].partition("\n\n")[0]
    named: set[str] = set()
    for row in table.splitlines():
        stem = ""
        for name in re.findall(r"`([\w.]+)`", row.split("|")[1] if "|" in row else ""):
            stem = name.rpartition(".")[0] if not name.startswith(".") else stem
            named.add(name if not name.startswith(".") else stem + name)
    assert exported - named == set()
    # nothing is held of keys whose issuer was never asked, and nothing is shared here
    assert named - exported <= {"bearward.revocation.lag", "bearward.keys.age", "bearward.keys.stale_left"}
    assert verifier.live_streams == 0


def test_time_series_are_bounded_by_configuration(observed: Any) -> None:
    """However many tenants there are: the configured issuers first, then as many as are allowed, then `other`."""
    _, telemetry, reader = observed
    for number in range(100):
        telemetry(Verified(f"https://{number}.example", "http"))
    telemetry(Verified(ISSUER, "http"))
    issuers = {series["bearward.issuer"] for series in _metrics(reader)["bearward.verifications"]}
    assert issuers == {ISSUER, "https://0.example", OTHER}
    telemetry(Refused(bearward.Refusal.ISSUER_UNTRUSTED))
    assert len({series["bearward.issuer"] for series in _metrics(reader)["bearward.verifications"]}) == 3
