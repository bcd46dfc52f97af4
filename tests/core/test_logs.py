"""The log: what is written of each event, how often, and where it appears without any configuration."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from bearward import Refusal
from bearward.events import (
    Event,
    KeySetChanged,
    KeysRefreshed,
    KeysStateChanged,
    RefreshFailed,
    Refused,
    RevocationStoreDown,
    RevocationStoreUp,
    RulesDecided,
    StreamEnded,
    Verified,
)
from bearward.logs import JSONFormatter, LogObserver
from bearward.observers import Observers

ISSUER = "https://login.example"
SUMMARY = f"{ISSUER}: fresh, generation 2, 3 keys"

LINES: dict[str, tuple[Event, str, int, str, dict[str, Any]]] = {
    "a refusal": (
        Refused(Refusal.TOKEN_EXPIRED, ISSUER, "http", "/notes/<id:int>", "key-1", "7f3a"),
        "bearward.http",
        logging.INFO,
        (
            f"refused: the token has expired; code=token_expired issuer={ISSUER} transport=http operation=/notes/<id:int> "
            "kid=key-1 correlation_id=7f3a"
        ),
        {"code": "token_expired", "kid": "key-1", "correlation_id": "7f3a", "omitted": 0},
    ),
    "the end of a stream": (
        StreamEnded(Refusal.TOKEN_REVOKED, ISSUER, "grpc", "/notes.v1.Notes/Watch"),
        "bearward.grpc",
        logging.INFO,
        (
            f"a stream was ended: the token was revoked; code=token_revoked issuer={ISSUER} transport=grpc "
            "operation=/notes.v1.Notes/Watch"
        ),
        {"code": "token_revoked", "operation": "/notes.v1.Notes/Watch"},
    ),
    "bare use": (
        Refused(Refusal.ISSUER_UNTRUSTED),
        "bearward.verifier",
        logging.INFO,
        "refused: the token's issuer is not trusted; code=issuer_untrusted issuer=unknown",
        {"issuer": "unknown"},
    ),
    "a refresh": (
        KeysRefreshed(ISSUER, "lookup", 2, 3, 0, 0.1, summary=SUMMARY),
        "bearward.jwks",
        logging.DEBUG,
        f"keys were refreshed: {SUMMARY}",
        {"trigger": "lookup", "generation": 2},
    ),
    "a recovery": (
        KeysRefreshed(ISSUER, "lookup", 2, 3, 0, 0.1, recovered=True, summary=SUMMARY),
        "bearward.jwks",
        logging.WARNING,
        f"keys were refreshed again: {SUMMARY}",
        {"issuer": ISSUER},
    ),
    "a failure": (
        RefreshFailed(ISSUER, "unknown_kid", "timeout", 5.0, summary=SUMMARY),
        "bearward.jwks",
        logging.WARNING,
        f"keys cannot be refreshed: {SUMMARY}",
        {"cause": "timeout", "trigger": "unknown_kid"},
    ),
    "the same failure again": (
        RefreshFailed(ISSUER, "lookup", "timeout", 5.0, is_new=False, summary=SUMMARY),
        "bearward.jwks",
        logging.DEBUG,
        f"keys cannot be refreshed: {SUMMARY}",
        {},
    ),
    "other keys": (
        KeySetChanged(ISSUER, 2, 1, 0, SUMMARY),
        "bearward.jwks",
        logging.INFO,
        f"the key set changed: {SUMMARY}",
        {"added": 1, "removed": 0},
    ),
    "keys that go stale": (
        KeysStateChanged(ISSUER, "stale", is_problem=True, summary=SUMMARY),
        "bearward.jwks",
        logging.WARNING,
        f"keys are stale: {SUMMARY}",
        {"state": "stale"},
    ),
    "keys that are fresh again": (
        KeysStateChanged(ISSUER, "fresh", is_problem=False, recovered=True, summary=SUMMARY),
        "bearward.jwks",
        logging.WARNING,
        f"keys are fresh: {SUMMARY}",
        {"state": "fresh"},
    ),
    "keys at the start": (
        KeysStateChanged(ISSUER, "fresh", is_problem=False, summary=SUMMARY),
        "bearward.jwks",
        logging.INFO,
        f"keys are fresh: {SUMMARY}",
        {},
    ),
    "a store that fails": (
        RevocationStoreDown("ConnectionError", "after 2 s refusing all tokens"),
        "bearward.revocation",
        logging.WARNING,
        "the revocation store is failing: ConnectionError; after 2 s refusing all tokens",
        {"cause": "ConnectionError"},
    ),
    "a store that responds again": (
        RevocationStoreUp(),
        "bearward.revocation",
        logging.WARNING,
        "the revocation store responds again",
        {},
    ),
    "rules": (
        RulesDecided("grpc", {"/notes.v1.Notes/List": "authenticated", "default": "deny"}),
        "bearward.grpc",
        logging.INFO,
        "2 rules decide who may call what",
        {"transport": "grpc"},
    ),
}


@pytest.mark.parametrize("name", LINES)
def test_each_event_is_one_line(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """With its logger, its level and its fields; what needs a person, and its end, is a warning."""
    event, logger, level, message, fields = LINES[name]
    with caplog.at_level(logging.DEBUG, logger="bearward"):
        LogObserver()(event)
    (record,) = caplog.records
    assert (record.name, record.levelno, record.getMessage()) == (logger, level, message)
    assert {name: vars(record)[f"bearward.{name}"] for name in fields} == fields


def test_requests_that_pass_are_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """The log observer does not ask for them, so that it costs the hot path nothing."""
    with caplog.at_level(logging.DEBUG, logger="bearward"):
        Observers((LogObserver(),)).emit(Verified(ISSUER))
    assert caplog.records == []


def test_flood_of_refusals_is_ten_lines_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    """By code and issuer; the first line of the next minute says how many were left out."""
    now = 1000.0
    log = LogObserver(lambda: now)
    with caplog.at_level(logging.INFO, logger="bearward"):
        for _ in range(1000):
            log(Refused(Refusal.SIGNATURE_INVALID, ISSUER))
        log(Refused(Refusal.SIGNATURE_INVALID, "https://other.example"))
        log(Refused(Refusal.TOKEN_EXPIRED, ISSUER))
        assert len(caplog.records) == 12
        now += 59.9
        log(Refused(Refusal.SIGNATURE_INVALID, ISSUER))
        assert len(caplog.records) == 12
        now += 0.2
        log(Refused(Refusal.SIGNATURE_INVALID, ISSUER))
    last = caplog.records[-1]
    assert last.getMessage().endswith("(991 more like it were not logged)")
    assert vars(last)["bearward.omitted"] == 991


def test_memory_of_what_was_logged_is_bounded() -> None:
    """However many issuers a verifier has."""
    log = LogObserver()
    logging.getLogger("bearward.verifier").setLevel(logging.INFO)
    try:
        for number in range(5000):
            log(Refused(Refusal.TOKEN_EXPIRED, f"https://{number}.example"))
    finally:
        logging.getLogger("bearward.verifier").setLevel(logging.NOTSET)
    assert len(log._written) == 4096


def test_name_of_a_key_stays_on_its_line(caplog: pytest.LogCaptureFixture) -> None:
    """An issuer may call its keys what it likes; no line of the log can be made up by it."""
    with caplog.at_level(logging.INFO, logger="bearward"):
        LogObserver()(Refused(Refusal.TOKEN_EXPIRED, ISSUER, kid="a\nINFO forged " + "x" * 500))
    message = caplog.messages[0]
    assert "\n" not in message
    assert len(message) < 400


def test_json_lines_have_the_fields_of_the_event(caplog: pytest.LogCaptureFixture) -> None:
    """One object per line, with an RFC 3339 time in UTC, for whatever collects logs."""
    with caplog.at_level(logging.INFO, logger="bearward"):
        LogObserver()(Refused(Refusal.NO_RULE, ISSUER, "grpc", "/notes.v1.Notes/List", correlation_id="7f3a"))
    line = JSONFormatter().format(caplog.records[0])
    read = json.loads(line)
    assert "\n" not in line
    assert read["time"].endswith("Z")
    assert {name: read[name] for name in ("level", "logger", "bearward.code", "bearward.correlation_id")} == {
        "level": "INFO",
        "logger": "bearward.grpc",
        "bearward.code": "no_rule",
        "bearward.correlation_id": "7f3a",
    }


def test_json_line_of_an_exception_has_its_traceback() -> None:
    """As one string, on the same line."""
    try:
        raise ValueError("wrong")
    except ValueError:
        record = logging.LogRecord("bearward.grpc", logging.ERROR, "", 0, "a handler failed", (), sys.exc_info())
    read = json.loads(JSONFormatter().format(record))
    assert read["exception"].endswith("ValueError: wrong")


_PROGRAM = """
import logging, sys
from bearward import Refusal
from bearward.events import Refused
from bearward.logs import log_events, show_unless_configured
{before}
show_unless_configured()
show_unless_configured()
{between}
log_events(Refused(Refusal.TOKEN_EXPIRED, transport="grpc"))
log_events(Refused(Refusal.TOKEN_REVOKED, transport="grpc"))
"""
_CONFIGURE = "logging.basicConfig(level=logging.{level}, format='theirs %(message)s')"


@pytest.mark.parametrize(
    ("before", "between", "expected"),
    [
        ("", "", ["INFO bearward.grpc: refused: the token has expired", "INFO bearward.grpc: refused: the token was"]),
        (_CONFIGURE.format(level="WARNING"), "", []),
        (_CONFIGURE.format(level="INFO"), "", ["theirs refused: the token has", "theirs refused: the token was"]),
        ("logging.getLogger('bearward').setLevel(logging.ERROR)", "", []),
        ("", _CONFIGURE.format(level="INFO"), ["theirs refused: the token has", "theirs refused: the token was"]),
    ],
    ids=["nothing configured", "warnings only", "info", "bearward's own level", "configured later"],
)
def test_lines_appear_without_configuration(before: str, between: str, expected: list[str]) -> None:
    """On stderr, once; and where a program configures logging, it alone says what appears."""
    program = _PROGRAM.format(before=before, between=between)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    lines = done.stderr.splitlines()
    assert len(lines) == len(expected)
    assert all(part in line for part, line in zip(expected, lines, strict=True))
