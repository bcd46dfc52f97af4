"""Base64url: one spelling for each sequence of octets (RFC 7515 section 2, RFC 4648 sections 3.5 and 5)."""

from __future__ import annotations

import base64
import itertools

import pytest

from bearward.jose import base64url

ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
# RFC 4648 section 10, and what tells the URL alphabet from the ordinary one.
KNOWN = {
    b"": b"",
    b"f": b"Zg",
    b"fo": b"Zm8",
    b"foo": b"Zm9v",
    b"foob": b"Zm9vYg",
    b"fooba": b"Zm9vYmE",
    b"foobar": b"Zm9vYmFy",
    b"\xfb\xff\xbf": b"-_-_",
    bytes([3, 236, 255, 224, 193]): b"A-z_4ME",  # RFC 7515 appendix C
}


@pytest.mark.parametrize("octets", KNOWN)
def test_known_pairs(octets: bytes) -> None:
    """What the RFCs give encodes and decodes as they say."""
    assert base64url.encode(octets) == KNOWN[octets]
    assert base64url.decode(KNOWN[octets]) == octets


def test_every_final_character() -> None:
    """Of two and of three characters exactly those decode that an encoder produces: unused bits are zero."""
    for first, last in itertools.product(ALPHABET, ALPHABET):
        text = bytes([first, last])
        canonical = base64.urlsafe_b64decode(text + b"==")
        _decodes_only_if(text, canonical)
    for last in ALPHABET:
        text = b"Zm" + bytes([last])
        _decodes_only_if(text, base64.urlsafe_b64decode(text + b"="))


def _decodes_only_if(text: bytes, octets: bytes) -> None:
    if base64.urlsafe_b64encode(octets).rstrip(b"=") == text:
        assert base64url.decode(text) == octets
    else:
        with pytest.raises(ValueError, match="not canonical base64url"):
            base64url.decode(text)


@pytest.mark.parametrize("octet", [octet for octet in range(256) if octet not in ALPHABET])
@pytest.mark.parametrize("at", [0, 2, 3, 7, 8])
def test_characters_outside_the_alphabet_are_rejected(octet: int, at: int) -> None:
    """Whatever is not of the alphabet is refused, wherever it stands: padding, dots, quotes, white space too."""
    with pytest.raises(ValueError, match="not canonical base64url"):
        base64url.decode(b"Zm9vYmFy"[:at] + bytes([octet]) + b"Zm9vYmFy"[at + 1 :])
    with pytest.raises(ValueError, match="not canonical base64url"):
        base64url.decode(b"Zm9vYmFy"[:at] + bytes([octet]) * 4 + b"Zm9vYmFy"[at:])  # a decoder that passes over it


@pytest.mark.parametrize("text", [b"Z", b"Zm9vY", b"Zg==", b"Zm8=", b"Zm9v====", b"Zg=", b"=", b"\\u005a", b'Zg"'])
def test_noncanonical_base64url_is_rejected(text: bytes) -> None:
    """No padding, no length that nothing encodes to, no escape of the parser below."""
    with pytest.raises(ValueError, match="not canonical base64url"):
        base64url.decode(text)


@pytest.mark.parametrize("text", [b"c2VjcmV0!", b"c2VjcmV!", b"c2VjcmR"])
def test_decode_error_does_not_show_the_text(text: bytes) -> None:
    """The text is part of somebody's token: neither the message nor the chain of exceptions shows it."""
    with pytest.raises(ValueError, match=r"^not canonical base64url$") as caught:
        base64url.decode(text)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("text", ["-_-_", "+_-_", "Zg", "Z+", "Zm9v=", "Zé", "Zm\u0660v", ""])
def test_text_is_decoded_as_its_octets(text: str) -> None:
    """A text answers as its octets do, and has no more characters than they."""
    octets = text.encode()
    try:
        expected = base64url.decode(octets)
    except ValueError:
        with pytest.raises(ValueError, match="not canonical base64url"):
            base64url.decode(text)
    else:
        assert base64url.decode(text) == expected


@pytest.mark.parametrize("text", [b"XXXX", b"AXXX", b"XAAA", b"X-_A", b""])
def test_encoding_removes_nothing_but_padding(text: bytes) -> None:
    """Whatever characters the text begins and ends with."""
    assert base64url.encode(base64url.decode(text)) == text
