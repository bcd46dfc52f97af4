"""Revocations as texts in a store: what is packed comes out again, and what is not authentic is nothing."""

from __future__ import annotations

import hmac
import json
import math
from typing import Any

import pytest

from bearward.cache.sealed import NotAuthenticError, open_sealed, seal
from bearward.errors import ConfigurationError
from bearward.revocation.entry import FOREVER, Revocation, validated
from bearward.revocation.wire_format import pack, unpack

SECRET, PLACE = b"0123456789abcdef", "bearward:revocations:default:a:1"
ENTRIES = [
    Revocation("jti", "https://login.example", "é \ud800", FOREVER, 2e9),
    Revocation("sub", "https://login.example", "ada", 1.5, FOREVER),
    Revocation("sid", "", "", 0, 0),
    Revocation("key", "i", "k", 1_700_000_000, 1e14),
]


def test_pack_and_unpack_round_trip() -> None:
    """Each kind, no end, fractions, and names of any characters."""
    assert unpack(pack(ENTRIES)) == ENTRIES
    assert unpack(pack([])) == []
    assert all(type(time) is float for entry in unpack(pack(ENTRIES)) for time in (entry.before, entry.until))


def test_wire_format_is_compact_ascii_json() -> None:
    """What a fleet of two versions shares: its form is a contract."""
    assert pack(ENTRIES[:2]) == (
        '[["jti","https://login.example","\\u00e9 \\ud800",null,2000000000.0],'
        '["sub","https://login.example","ada",1.5,null]]'
    )


def _row(**changes: Any) -> str:
    good: dict[str, Any] = {"kind": "jti", "issuer": "i", "name": "n", "before": None, "until": 1}
    return json.dumps([list((good | changes).values())])


UNKNOWN = {
    "another kind": _row(kind="ip"),
    "a kind that is no text": _row(kind=["jti"]),
    "an issuer that is no text": _row(issuer=1),
    "a name that is no text": _row(name=None),
    "a time that is text": _row(before="1"),
    "a time that is a truth value": _row(until=True),
    "too few members": "[[1]]",
    "too many members": _row(more=1),
    "no list of lists": "[1]",
    "no list": "1",
    "no JSON": "x",
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_entries_are_rejected(name: str) -> None:
    """Whoever reads the store passes them over, by one of two exceptions."""
    with pytest.raises((ValueError, TypeError)):
        unpack(UNKNOWN[name])
    assert unpack(_row()) == [Revocation("jti", "i", "n", math.inf, 1.0)]


@pytest.mark.parametrize("changes", [{"kind": "ip"}, {"issuer": 1}, {"name": None}, {"until": True}, {"until": []}])
def test_rejection_message_is_constant(changes: dict[str, Any]) -> None:
    """Nothing of the entry is in the message."""
    with pytest.raises(ValueError, match=r"\Aan entry of another version\Z"):
        unpack(_row(**changes))


def test_sealed_text_opens_in_its_place() -> None:
    """The seal is HMAC-SHA-256 in hexadecimal over a context, the place and the text."""
    text = pack(ENTRIES)
    sealed = seal(text, purpose="test", place=PLACE, secret=SECRET)
    octets = b"bearward test\x00" + PLACE.encode() + b"\x00" + text.encode()
    assert sealed == hmac.new(SECRET, octets, "sha256").hexdigest() + " " + text
    assert open_sealed(sealed, purpose="test", place=PLACE, secret=SECRET) == text
    assert (
        open_sealed(seal(" a  b ", purpose="test", place="", secret=SECRET), purpose="test", place="", secret=SECRET)
        == " a  b "
    )
    assert (
        open_sealed(seal("\ud800", purpose="test", place="p", secret=SECRET), purpose="test", place="p", secret=SECRET)
        == "\ud800"
    )
    with pytest.raises(NotAuthenticError):
        open_sealed(
            seal("?", purpose="test", place="p", secret=SECRET).replace("?", "\ud800"),
            purpose="test",
            place="p",
            secret=SECRET,
        )


SEALED = seal("[]", purpose="test", place=PLACE, secret=SECRET)
FORGED = {
    "another text": SEALED + " ",
    "another seal": "0" * 64 + " []",
    "a seal in capitals": SEALED.upper(),
    "no seal": "[]",
    "no text": SEALED.split(" ", maxsplit=1)[0],
    "nothing": "",
    "a seal that is no ASCII": "é []",
    "a seal that is no Unicode": "\ud800 []",
}


@pytest.mark.parametrize("name", FORGED)
def test_forged_text_does_not_open(name: str) -> None:
    """The message is a constant."""
    with pytest.raises(NotAuthenticError, match=r"\Anot authentic\Z"):
        open_sealed(FORGED[name], purpose="test", place=PLACE, secret=SECRET)


def test_seal_is_bound_to_place_and_secret() -> None:
    """Whoever can write the store cannot move an entry, nor take it from another fleet."""
    for place, secret in ((PLACE[:-1], SECRET), (PLACE, SECRET[:-1]), ("", SECRET)):
        with pytest.raises(NotAuthenticError):
            open_sealed(SEALED, purpose="test", place=place, secret=secret)


@pytest.mark.parametrize("time", [math.nan, -1, -math.inf, 1e15, True, "1", None])
@pytest.mark.parametrize("setting", ["before", "until"])
def test_invalid_time_raises_configuration_error(setting: str, time: Any) -> None:
    """It would revoke nothing, silently; the error names the setting and no value."""
    entry = ENTRIES[1]._replace(**{setting: time})
    with pytest.raises(ConfigurationError, match=rf"\A{setting}: must be seconds since the epoch, or infinity\Z"):
        validated(entry)


@pytest.mark.parametrize(
    ("changes", "setting"), [({"kind": "ip"}, "kind"), ({"issuer": None}, "issuer"), ({"name": 7}, "name")]
)
def test_invalid_names_raise_configuration_error(changes: dict[str, Any], setting: str) -> None:
    """No token could carry them: the entry would revoke nothing, silently."""
    with pytest.raises(ConfigurationError) as refused:
        validated(ENTRIES[1]._replace(**changes))
    assert refused.value.setting == setting


@pytest.mark.parametrize("time", [0, 0.5, 1e15 - 1, math.inf])
def test_valid_times_are_accepted(time: float) -> None:
    """From the epoch on, and without an end."""
    entry = ENTRIES[1]._replace(before=time, until=time)
    assert validated(entry) is entry
