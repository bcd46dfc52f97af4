"""No record of any logger, at any level, holds a token, a key or the value of a claim."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest

from bearward import TrustedIssuer, Verifier
from bearward.dpop import DPoP
from bearward.logs import JSONFormatter
from bearward.testing import LocalIssuer
from tests.cases import ALGORITHMS, AUDIENCE, CASES, Fixtures
from tests.dpop_cases import DPOP_CASES, OTHER_ORIGIN, DPoPWorld
from tests.observability.scene import TRANSPORTS, Headers, Scene, scene

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning"),  # Sanic imports it
]

ORIGIN = "https://orders.example"
MARK = f"secret{uuid4().hex}"
"""The value of claims, and of what else a caller chose."""


class Everything(logging.Handler):
    """Keeps the whole of each record, and its lines in both formats."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep one: the message, its arguments, its fields."""
        fields = {name: value for name, value in vars(record).items() if name not in ("msg", "args")}
        lines = (record.getMessage(), JSONFormatter().format(record), logging.Formatter().format(record))
        self.texts.append(" ".join((record.name, *lines, repr(record.msg), repr(record.args), repr(fields))))


@pytest.fixture
def everything() -> Iterator[Everything]:
    """All loggers at DEBUG."""
    root, keeper = logging.getLogger(), Everything()
    level = root.level
    changed = {
        name: logger.level for name, logger in root.manager.loggerDict.items() if isinstance(logger, logging.Logger)
    }
    root.addHandler(keeper)
    root.setLevel(logging.DEBUG)
    for name in changed:
        logging.getLogger(name).setLevel(logging.DEBUG)
    try:
        yield keeper
    finally:
        root.removeHandler(keeper)
        root.setLevel(level)
        for name, before in changed.items():
            logging.getLogger(name).setLevel(before)


@pytest.fixture(scope="module")
def fixtures() -> Iterator[Fixtures]:
    """A trusted issuer, and one that is not."""
    with (
        LocalIssuer(algorithms=ALGORITHMS, audience=AUDIENCE) as issuer,
        LocalIssuer(audience=AUDIENCE) as untrusted_issuer,
    ):
        yield Fixtures(issuer, untrusted_issuer)


def _hostile(fixtures: Fixtures, where: Scene) -> Iterator[Headers]:
    """Every row of both tables, and what a caller may write into any place that might be logged."""
    for case in CASES:
        yield [("authorization", value) for value in case.present(fixtures)]
    world = DPoPWorld(fixtures.issuer, where.htm, ORIGIN, where.path("UUPlain"), time.time)
    for dpop_case in (case for case in DPOP_CASES if case.on_the_wire):
        authorization, proofs = dpop_case.send(world)
        yield [*(("authorization", one) for one in authorization), *(("dpop", one) for one in proofs)]
    marked: tuple[dict[str, Any], ...] = (
        {"sub": MARK, "jti": MARK, "scope": MARK},
        {"sub": MARK, "aud": MARK},
        {"iss": f"https://{MARK}.example"},
        {"iss": f"{fixtures.issuer.url}/{MARK}"},
        {"exp": MARK},
        {"headers": {"kid": MARK}},
        {"headers": {"alg": MARK}},
        {"headers": {"typ": MARK}},
        {"sub": f"{MARK}\r\nINFO forged"},
    )
    for options in marked:
        yield [("authorization", f"Bearer {fixtures.honest(**options)}"), ("x-request-id", f"{MARK} {MARK}")]
    yield [("authorization", f"{MARK} {MARK}"), ("x-request-id", fixtures.honest())]
    yield [("authorization", f"Bearer {fixtures.honest()}"), ("traceparent", MARK)]


def _parts(headers: Headers) -> Iterator[str]:
    """What must not be found: what stands in credentials, in whole and in parts that are long enough to mean something."""
    for name, value in headers:
        if name in ("authorization", "dpop"):
            token = value.rpartition(" ")[2]
            yield from (part for part in (token, *token.split(".")[1:]) if len(part) >= 16)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_log_records_hold_no_token_key_or_claim(fixtures: Fixtures, transport: str, everything: Everything) -> None:
    """Every row of both tables of hostile credentials, with all loggers at DEBUG, in text and in JSON."""

    def make(**more: Any) -> Verifier:
        policy = TrustedIssuer(fixtures.issuer.url, audience=AUDIENCE)
        return Verifier(policy, dpop=DPoP(origins=[ORIGIN, OTHER_ORIGIN]), **more)

    sent: set[str] = {MARK}
    with scene(transport, make) as where:
        calls = 0
        for headers in _hostile(fixtures, where):
            where.call("UUPlain", headers)
            sent.update(_parts(headers))
            calls += 1
        events = repr(where.seen)
    keys = [key.public_jwk() for key in fixtures.issuer.keys.published]
    sent |= {str(member) for jwk in keys for name, member in jwk.items() if name in ("n", "x", "y")}
    assert calls > 200
    assert any("code=" in text for text in everything.texts)
    logged = "\n".join([*everything.texts, events])
    assert not [secret for secret in sent if secret in logged]
