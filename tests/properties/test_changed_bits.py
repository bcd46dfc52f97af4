"""A good token is one text and no other: whatever is changed in it, it is refused (RFC 7515 section 5.2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pybase64
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bearward import AuthError
from bearward.jose import base64url
from tests.properties import fixtures
from tests.properties.profiles import PROFILE, examples

_URL_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def accepted(alg: str, token: str) -> bool:
    """Whether the verifier takes the token; anything but an AuthError fails the test."""
    try:
        fixtures.verifier(alg).verify_now(token)
    except AuthError:
        return False
    return True


def places(length: int) -> Iterator[int]:
    """All of them; of the thousands in a post-quantum signature the ends and each 41st, unless the run is a long one."""
    for place in range(length):
        if PROFILE.factor > 1 or place < 1200 or place >= length - 16 or place % 41 == 0:
            yield place


@pytest.mark.parametrize("alg", fixtures.ALGORITHM_NAMES)
def test_unchanged_token_is_accepted(alg: str) -> None:
    """Without this, the refusals below would prove nothing."""
    assert accepted(alg, fixtures.mint(alg))


@pytest.mark.thorough
@pytest.mark.parametrize("alg", fixtures.ALGORITHM_NAMES)
def test_every_changed_bit_of_the_text_is_refused(alg: str) -> None:
    """Each of the eight bits of each character of the token, one after the other: none of these texts verifies."""
    token = fixtures.mint(alg)
    for place in places(len(token)):
        for bit in range(8):
            changed = token[:place] + chr(ord(token[place]) ^ (1 << bit)) + token[place + 1 :]
            assert not accepted(alg, changed), (alg, place, bit)


@pytest.mark.parametrize("alg", ["ES256", "RS256"])
def test_every_other_last_character_of_a_segment_is_refused(alg: str) -> None:
    """The last character of a segment carries bits that a lenient decoder drops: only the canonical one is taken."""
    segments = fixtures.mint(alg).split(".")
    for index, segment in enumerate(segments):
        for character in set(_URL_ALPHABET) - {segment[-1]}:
            changed = [*segments]
            changed[index] = segment[:-1] + character
            assert not accepted(alg, ".".join(changed)), (index, character)


@pytest.mark.parametrize("alg", fixtures.ALGORITHM_NAMES)
def test_every_changed_bit_of_the_signature_is_refused(alg: str) -> None:
    """Each bit of the decoded signature, in canonical spelling."""
    signing_input, _, signature = fixtures.mint(alg).rpartition(".")
    octets = base64url.decode(signature.encode())
    for bit in places(len(octets) * 8):
        changed = bytearray(octets)
        changed[bit // 8] ^= 1 << bit % 8
        assert not accepted(alg, f"{signing_input}.{base64url.encode(bytes(changed)).decode()}"), (alg, bit)


@examples(150)
@given(st.sampled_from(["ES256", "EdDSA", "PS256", "HS256"]), st.data())
def test_every_edit_of_a_good_token_is_refused(alg: str, data: st.DataObject) -> None:
    """Characters put in, taken out, doubled, moved or replaced, at any place and of any kind."""
    token = fixtures.mint(alg)
    start = data.draw(st.integers(0, len(token)))
    end = data.draw(st.integers(start, min(len(token), start + 8)))
    put_in = data.draw(st.text(max_size=4) | st.text(alphabet=_URL_ALPHABET + ".=+/ \n\x00", max_size=4))
    changed = token[:start] + put_in + token[end:]
    assert accepted(alg, changed) == (changed == token)


@examples(150)
@given(st.binary(max_size=80))
def test_base64url_has_one_text_for_each_octets(octets: bytes) -> None:
    """What was encoded decodes to what it was."""
    assert base64url.decode(base64url.encode(octets)) == octets


@examples(300)
@given(st.binary(max_size=12) | st.text(alphabet=_URL_ALPHABET + "=+/. \n", max_size=12).map(str.encode))
def test_base64url_has_one_octets_for_each_text(text: bytes) -> None:
    """What can be decoded is what encoding writes: no second spelling is taken."""
    try:
        octets = base64url.decode(text)
    except ValueError:
        return
    assert base64url.encode(octets) == text


@pytest.mark.thorough
@examples(500)
@given(st.text(alphabet=_URL_ALPHABET + "=+/. \n", max_size=80) | st.text(max_size=12))
@example("ab=")
@example("ab+/")
@example("Zm9=")
def test_base64url_is_as_strict_as_the_strict_mode_of_the_library(text: str) -> None:
    """What is looked at here, in half the time, is what pybase64 looks at when it is asked for all its checks."""
    assert _octets_or_none(base64url.decode, text) == _octets_or_none(_strictly, text)


def _strictly(text: str) -> bytes:
    return pybase64.b64decode(text, b"-_", True, padded=False, canonical=True)


def _octets_or_none(decode: Callable[[str], bytes], text: str) -> bytes | None:
    try:
        return decode(text)
    except ValueError:
        return None
