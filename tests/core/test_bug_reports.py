"""Reports of what is broken: where and of which type, never the text, and not at every request."""

from __future__ import annotations

import logging

import pytest

from bearward import bug_reports
from bearward.bug_reports import report_bug

LOGGER = logging.getLogger("bearward.test")


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock of the test's own, and no reports before."""
    now = [1000.0]
    monkeypatch.setattr(bug_reports, "_written", {})
    monkeypatch.setattr(bug_reports, "_monotonic", lambda: now[0])
    return now


def fail(text: str = "eyJ.a.token") -> Exception:
    """An exception that was raised somewhere."""
    try:
        raise ValueError(text)
    except ValueError as error:
        return error


def test_report_says_type_and_place_and_never_the_text(caplog: pytest.LogCaptureFixture) -> None:
    """The text may hold a token."""
    report_bug(LOGGER, "something failed", fail())
    (record,) = caplog.records
    assert record.levelno == logging.ERROR
    assert record.getMessage().startswith("something failed: ValueError at ")
    assert "test_bug_reports.py" in record.getMessage()
    assert "eyJ" not in caplog.text


def test_report_of_an_exception_that_was_never_raised(caplog: pytest.LogCaptureFixture) -> None:
    """It has no place."""
    report_bug(LOGGER, "something failed", ValueError())
    assert caplog.records[0].getMessage() == "something failed: ValueError at an unknown place"


def test_same_report_is_limited(caplog: pytest.LogCaptureFixture, clock: list[float]) -> None:
    """Ten a minute; the first one of the next minute says how many were left out."""
    for _ in range(1000):
        report_bug(LOGGER, "something failed", fail())
    assert len(caplog.records) == 10
    clock[0] += 59.9
    report_bug(LOGGER, "something failed", fail())
    assert len(caplog.records) == 10
    clock[0] += 0.1
    report_bug(LOGGER, "something failed", fail())
    assert len(caplog.records) == 11
    assert caplog.records[-1].getMessage().endswith("(991 more like it were not logged)")


def test_other_reports_are_not_affected(caplog: pytest.LogCaptureFixture) -> None:
    """Another place, another type, another logger."""
    for _ in range(100):
        report_bug(LOGGER, "something failed", fail())
    before = len(caplog.records)
    report_bug(LOGGER, "something failed", KeyError())
    report_bug(logging.getLogger("bearward.other"), "something failed", fail())
    assert len(caplog.records) == before + 2


def test_places_that_are_remembered_are_bounded() -> None:
    """The oldest is dropped first."""
    for number in range(1000):
        report_bug(logging.getLogger(f"bearward.test.{number}"), "something failed", fail())
    assert len(bug_reports._written) == 256
