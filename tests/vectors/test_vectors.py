"""Every vector has the right verdict, and none goes missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from bearward.jose.jwk import RejectedKeyError, read_key
from tests.signature_libraries import LIBRARIES, signatures_by
from tests.vectors.__main__ import main
from tests.vectors.suites import ACCEPTED_ON_PURPOSE, REFUSED_ON_PURPOSE, RFC, SUITES, Suite, rfc, rfc_files


@pytest.fixture(params=LIBRARIES, autouse=True)
def _each_library(request: pytest.FixtureRequest) -> Iterator[None]:
    """A vector has one right verdict, whichever library verifies."""
    with signatures_by(request.param):
        yield


def _rows(file: str, member: str) -> list[Any]:
    rows = json.loads((RFC / file).read_text(encoding="utf-8"))[member]
    return [pytest.param(row, id=row["source"]) for row in rows]


@pytest.mark.parametrize("vector", [pytest.param(v, id=v.name) for file in rfc_files() for v in rfc(file)])
def test_rfc_vector(vector: Any) -> None:
    """What an RFC's token signs comes out, or the refusal that its kind of object gets."""
    assert vector.verdict() == vector.expected


@pytest.mark.parametrize("row", _rows("thumbprints.json", "thumbprints"))
def test_thumbprint(row: Mapping[str, Any]) -> None:
    """A key's thumbprint is that of RFC 7638, whatever optional members it has."""
    assert read_key(row["key"]).thumbprint == row["thumbprint"]


@pytest.mark.parametrize("row", _rows("keys.json", "keys"))
def test_key_of_an_rfc(row: Mapping[str, Any]) -> None:
    """A key serves, or is rejected for the reason given."""
    if row["set_aside"] is None:
        assert read_key(row["key"]).algorithms
        return
    with pytest.raises(RejectedKeyError) as odd:
        read_key(row["key"])
    assert odd.value.reason.name.lower() == row["set_aside"]


@pytest.mark.parametrize("suite", [pytest.param(suite, id=suite.name) for suite in SUITES])
def test_suite(suite: Suite) -> None:
    """Of a whole set no verdict is wrong."""
    if suite.path is None:
        pytest.skip(f"{suite.name} is not here: BEARWARD_VECTORS names no folder that holds it")
    vectors = suite.vectors()
    assert len(vectors) == suite.count
    assert [vector.name for vector in vectors if not vector.right()] == []


def test_exceptions_are_few() -> None:
    """Six of Wycheproof's valid tokens are refused; two of its invalid ones are the octets of a valid one."""
    assert len(REFUSED_ON_PURPOSE) == 6
    assert sorted(ACCEPTED_ON_PURPOSE) == [367, 370]


def test_vectors_accepted_though_marked_invalid_equal_a_valid_token() -> None:
    """Wycheproof's 367 and 370 are its 357, token and key: to refuse them is to refuse that."""
    (suite,) = (suite for suite in SUITES if suite.name == "Wycheproof, signatures")
    if suite.path is None:
        pytest.skip("BEARWARD_VECTORS names no folder that holds Wycheproof")
    groups = json.loads(suite.path.read_bytes())["testGroups"]
    rows = {test["tcId"]: (test, group) for group in groups for test in group["tests"]}
    valid, its_group = rows[357]
    assert valid["result"] == "valid"
    for number in ACCEPTED_ON_PURPOSE:
        test, group = rows[number]
        assert (test["result"], test["jws"]) == ("invalid", valid["jws"])
        assert group is its_group


def test_vectors_command_prints_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """`make vectors` prints each set with its counts and exits with 0 where all verdicts are right."""
    assert main() == 0
    printed = capsys.readouterr().out
    assert all(suite.name in printed for suite in SUITES)
    assert "WRONG" not in printed
