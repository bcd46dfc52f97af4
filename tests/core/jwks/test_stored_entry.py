"""Documents outside the process: what comes back is what was put there by one of us, or is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward.fetch.caching import Validators
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.entry import Entry
from bearward.jwks.stored_entry import Stored, StoredDocumentError, max_text, pack, unpack
from bearward.testing import LocalIssuer

NOW, SECRET = 1_800_000_000.0, b"a secret that the fleet shares"
DOCUMENT = json.dumps(LocalIssuer(algorithms=["ES256"]).keys.jwks()).encode()
ENTRY = Entry(JWKSet.parse(DOCUMENT), DOCUMENT, NOW - 100, 300.0, Validators("https://a.example/jwks", '"tag"', None))
NAMES = {"name": "bearward:1:set", "issuer": "https://a.example"}


def packed(secret: bytes | None = SECRET) -> str:
    """The entry as it would be stored."""
    return pack(Stored(ENTRY, 1.5), secret=secret, **NAMES)


def read(text: str, secret: bytes | None = SECRET, **more: Any) -> Stored:
    """Read it back as a process would."""
    return unpack(text, **{**NAMES, "secret": secret, "now": NOW, "max_age": 600.0, **more})


@pytest.mark.parametrize("secret", [SECRET, None])
def test_stored_entry_round_trips(secret: bytes | None) -> None:
    """The keys, the validators, and the time of the fetch: the age counts from there."""
    stored = read(packed(secret), secret)
    assert stored.permits == 1.5
    assert stored.entry.jwk_set.thumbprint == ENTRY.jwk_set.thumbprint
    assert (stored.entry.fetched_at, stored.entry.lifetime) == (ENTRY.fetched_at, ENTRY.lifetime)
    assert stored.entry.validators == ENTRY.validators


FILLINGS = ["\\n" * 30_000, '\\"' * 30_000, "é" * 30_000, "😀" * 15_000]


@pytest.mark.parametrize("filling", FILLINGS, ids=["line feeds", "quotes", "two octets each", "four octets each"])
def test_document_of_any_text_fits_when_it_is_stored(filling: str) -> None:
    """What grows when it is written as a JSON string takes no more room than is read of it."""
    document = (f'{{"note": "{filling}", ' + DOCUMENT.decode()[1:]).encode()
    text = pack(Stored(Entry(JWKSet.parse(document), document, NOW, 300.0), 1.0), secret=SECRET, **NAMES)
    assert len(text.encode()) <= max_text(len(document))
    assert read(text).entry.document == document


def changed(text: str, **members: Any) -> str:
    """With members replaced, and the MAC, where there is one, left as it was."""
    mac, brace, rest = text.partition("{")
    return mac + json.dumps({**json.loads(brace + rest), **members})


REFUSED: list[tuple[str, Callable[[], Stored]]] = [
    ("a planted set", lambda: read(changed(packed(), document='{"keys": []}'))),
    ("a younger date", lambda: read(changed(packed(), fetched_at=NOW))),
    ("no MAC", lambda: read(packed(None))),
    ("another secret", lambda: read(packed(b"another secret of the same kind"))),
    ("no MAC before the space", lambda: read(" " + packed(None))),
    ("a MAC beyond ASCII", lambda: read("é " + packed(None))),
    ("swapped from another name", lambda: read(packed(), name="bearward:2:set")),
    ("for another issuer", lambda: read(packed(None), None, issuer="https://b.example")),
    ("from the future", lambda: read(packed(None), None, now=NOW - 1000)),
    ("another format", lambda: read(changed(packed(None), format=2), None)),
    ("an empty set", lambda: read(changed(packed(None), document='{"keys": []}'), None)),
    ("no document", lambda: read(changed(packed(None), document=None), None)),
    ("a date that is no number", lambda: read(changed(packed(None), fetched_at="now"), None)),
    ("a date of four hundred digits", lambda: read(changed(packed(None), fetched_at=10**400), None)),
    ("huge", lambda: read(packed(None) + " " * 300_000, None)),
    ("duplicate members", lambda: read('{"format": 3, ' + packed(None)[1:], None)),
]


@pytest.mark.parametrize(("why", "attempt"), REFUSED, ids=[case[0] for case in REFUSED])
def test_altered_stored_entry_is_rejected(why: str, attempt: Callable[[], Stored]) -> None:
    """Whoever can write the cache can neither plant a key nor swap, rejuvenate or damage a document unseen."""
    with pytest.raises(StoredDocumentError):
        attempt()


def test_lifetime_is_bounded_by_the_reader() -> None:
    """What a peer with other settings calls fresh is fresh here for `max_age` at most."""
    assert read(packed(), max_age=50.0).entry.lifetime == 50.0
    assert read(changed(packed(None), lifetime=-5), None).entry.lifetime == 0.0


def test_clocks_may_differ_a_little() -> None:
    """A peer whose clock is half a minute ahead is accepted, and its time is kept unchanged."""
    assert read(packed(), now=ENTRY.fetched_at - 30).entry.fetched_at == ENTRY.fetched_at
    with pytest.raises(StoredDocumentError):
        read(packed(), now=ENTRY.fetched_at - 31)


def test_validators_with_control_characters_are_dropped() -> None:
    """They would go into a request header."""
    validators = read(changed(packed(None), etag="x\r\nEvil: 1"), None).entry.validators
    assert validators is not None
    assert validators.etag is None


@pytest.mark.thorough
@given(st.one_of(st.text(), st.recursive(st.none() | st.floats() | st.text(), st.lists).map(json.dumps)))
def test_any_text_is_an_entry_or_rejected(text: str) -> None:
    """Nothing but StoredDocumentError gets out, and no text of anybody's is a document of ours."""
    for secret in (None, SECRET):
        with pytest.raises(StoredDocumentError):
            read(text, secret)


@given(st.dictionaries(st.sampled_from(["format", "issuer", "fetched_at", "lifetime", "permits", "url", "etag",
                                        "last_modified", "document"]),
                       st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)))  # fmt: skip
def test_any_members_are_an_entry_or_rejected(members: dict[str, Any]) -> None:
    """Whatever stands in the members: an entry with usable numbers, or StoredDocumentError."""
    try:
        stored = read(changed(packed(None), **members), None)
    except StoredDocumentError:
        return
    assert 0 <= stored.entry.lifetime <= 600
    assert stored.entry.fetched_at <= NOW + 60
