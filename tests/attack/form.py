"""Hostile forms: how the credential is presented, how the token is cut, how its segments are encoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.attack.case import TRANSPORT, Case, bearer
from tests.attack.token_factory import TokenFactory, b64, segments

__all__ = ["base64url", "header_syntax", "structure"]

_SCHEMELESS = "bearer_scheme_missing"
_MISSING, _MALFORMED, _REPEATED = "credentials_missing", "credentials_malformed", "credentials_repeated"
_TOO_LARGE, _TOKEN = "token_too_large", "token_malformed"


def header_syntax(forge: TokenFactory) -> Iterator[Case]:
    """RFC 6750 section 2.1 and RFC 9110 section 11.4: one credential, `Bearer`, one space or more, a token68."""
    token = forge.sign()
    singles = {
        "empty": (b"", _MISSING),
        "scheme alone": (b"Bearer", _MALFORMED),
        "scheme and spaces": (b"Bearer   ", _MALFORMED),
        "no scheme": (token, _SCHEMELESS),
        "scheme Basic": (b"Basic dXNlcjpwYXNzd29yZA==", _MISSING),
        "scheme Basic with a token": (b"Basic " + token, _SCHEMELESS),
        "scheme DPoP": (b"DPoP " + token, _SCHEMELESS),
        "scheme JWT": (b"JWT " + token, _SCHEMELESS),
        "scheme Token": (b"Token " + token, _SCHEMELESS),
        "scheme Bear": (b"Bear " + token, _SCHEMELESS),
        "scheme Bearers": (b"Bearers " + token, _SCHEMELESS),
        "no space behind the scheme": (b"Bearer" + token, _MISSING),
        "colon behind the scheme": (b"Bearer: " + token, _SCHEMELESS),
        "equals sign behind the scheme": (b"Bearer=" + token, _MISSING),
        "comma behind the scheme": (b"Bearer, " + token, _SCHEMELESS),
        "quotes around the token": (b'Bearer "' + token + b'"', _MALFORMED),
        "angle brackets around the token": (b"Bearer <" + token + b">", _MALFORMED),
        "token as a parameter": (b"Bearer token=" + token, _MALFORMED),
        "two tokens by a space": (b"Bearer " + token + b" " + token, _MALFORMED),
        "two tokens by a comma": (b"Bearer " + token + b"," + token, _MALFORMED),
        "two credentials in one value": (b"Bearer " + token + b", Bearer " + token, _MALFORMED),
        "another scheme behind it": (b"Bearer " + token + b", Basic dTpw", _MALFORMED),
        "another scheme before it": (b"Basic dTpw, Bearer " + token, _SCHEMELESS),
        "scheme twice": (b"Bearer Bearer " + token, _MALFORMED),
        "comma behind the token": (b"Bearer " + token + b",", _MALFORMED),
        "semicolon behind the token": (b"Bearer " + token + b";", _MALFORMED),
        "parameter behind the token": (b"Bearer " + token + b' realm="api"', _MALFORMED),
        "percent encoded space": (b"Bearer%20" + token, _MISSING),
        "percent encoded dots": (b"Bearer " + token.replace(b".", b"%2E"), _MALFORMED),
        "equals sign in the middle": (b"Bearer " + token.replace(b".", b"=.", 1), _MALFORMED),
        "the word null": (b"Bearer null", _TOKEN),
        "the word undefined": (b"Bearer undefined", _TOKEN),
    }
    for name, (value, code) in singles.items():
        yield Case("header syntax", name, code, (value,))
    yield Case("header syntax", "no value", _MISSING, ())
    yield from _repeated(token)
    yield from _octets(token)


def _repeated(token: bytes) -> Iterator[Case]:
    good, basic = b"Bearer " + token, b"Basic dTpw"
    several = {
        "the same value twice": (good, good),
        "a second, empty value": (good, b""),
        "Basic first": (basic, good),
        "Basic second": (good, basic),
        "three values": (good, good, good),
        "two values without a token": (b"Bearer", b"Bearer"),
    }
    for name, values in several.items():
        yield Case("header syntax", name, _REPEATED, values)


def _octets(token: bytes) -> Iterator[Case]:
    """Octets that no token68 has; HTTP itself refuses a folded line (RFC 9112 section 5.2), gRPC carries them all."""
    odd = {
        "tab behind the scheme": (b"Bearer\t" + token, _SCHEMELESS),
        "no-break space behind the scheme": (b"Bearer\xc2\xa0" + token, _MISSING),
        "latin-1 no-break space": (b"Bearer\xa0" + token, _MISSING),
        "e acute in the token": (b"Bearer " + token + b"\xc3\xa9", _MALFORMED),
        "octet 0xFF in the token": (b"Bearer \xff" + token, _MALFORMED),
        "tab in the token": (b"Bearer " + token + b"\t" + token, _MALFORMED),
        "a fullwidth letter in the scheme": ("\uff22earer ".encode() + token, _SCHEMELESS),
        "NUL in the token": (b"Bearer " + token + b"\x00", _MALFORMED),
        "NUL behind the scheme": (b"Bearer\x00" + token, _MISSING),
        "DEL in the token": (b"Bearer " + token + b"\x7f", _MALFORMED),
        "a bare line feed": (b"Bearer " + token[:40] + b"\n" + token[40:], _MALFORMED),
        "a bare carriage return": (b"Bearer " + token + b"\r" + token, _MALFORMED),
    }
    for name, (value, code) in odd.items():
        yield Case("header syntax", name, code, (value,))
    folded = (b"Bearer\r\n " + token,)
    yield Case("header syntax", "a folded line", _SCHEMELESS, folded, over_http=TRANSPORT)


def structure(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 7.1: three segments, neither more nor less, the first two not empty."""
    first, second, third = forge.parts()
    tokens = {
        "one segment": (first, _TOKEN),
        "two segments": (segments(first, second), _TOKEN),
        "four segments": (segments(first, second, third, third), _TOKEN),
        "a dot at the end": (segments(first, second, third, b""), _TOKEN),
        "a dot at the start": (segments(b"", first, second, third), _TOKEN),
        "two dots between": (segments(first, b"", second, third), _TOKEN),
        "six segments": (segments(*[first] * 6), _TOKEN),
        "only dots": (b"..", _TOKEN),
        "one dot": (b".", _TOKEN),
        "four dots": (b"....", "token_encrypted"),
        "a thousand dots": (b"." * 1000, _TOKEN),
        "no header": (segments(b"", second, third), _TOKEN),
        "no payload": (forge.signed(first, b""), "payload_malformed"),
        "no signature": (segments(first, second, b""), "signature_invalid"),
        "header alone": (segments(first, b"", b""), "payload_malformed"),
        "payload before header": (segments(second, first, third), "header_malformed"),
        "signature in the place of the payload": (segments(first, third, third), "payload_malformed"),
        "tilde at the end (SD-JWT)": (segments(first, second, third) + b"~", _TOKEN),
        "a disclosure behind it (SD-JWT)": (segments(first, second, third) + b"~" + first + b"~", _TOKEN),
        "slashes for dots": (segments(first, second, third).replace(b".", b"/"), _TOKEN),
        "17 KiB": (segments(first, b64(b" " * 13000), third), _TOO_LARGE),
    }
    for name, (token, code) in tokens.items():
        yield bearer("structure", name, token, code, large=code == _TOO_LARGE)


def base64url(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7515 section 2: without padding, without a stray character, one spelling for one sequence of octets."""
    first, second, third = forge.parts()
    p256 = forge.parts("p256")
    # At the end of a token68 the grammar of the credentials allows `=`; within it does not.
    yield from _spellings("header", first, lambda text: forge.signed(text, second), _MALFORMED)
    yield from _spellings("payload", second, lambda text: forge.signed(first, text), _MALFORMED)
    yield from _spellings("signature", third, lambda text: segments(first, second, text), _TOKEN)
    yield from _spellings("ECDSA signature", p256[2], lambda text: segments(*p256[:2], text), _TOKEN)
    whole = segments(*p256[:2], _unused_bits(p256[2]))
    yield bearer("base64url", "ECDSA signature: complete, unused bits set", whole, _TOKEN)
    odd = forge.parts(claims={"sub": "???>>>~~~\u00ff\u00ff\u00ff"})
    ordinary = odd[1].translate(bytes.maketrans(b"-_", b"+/"))
    assert ordinary != odd[1]
    yield bearer("base64url", "payload: ordinary base64 alphabet", forge.signed(odd[0], ordinary), _TOKEN)


def _spellings(where: str, text: bytes, token_of: Callable[[bytes], bytes], padded: str) -> Iterator[Case]:
    spellings = {
        "padded": (text + b"=" * (-len(text) % 4 or 1), padded),
        "a plus sign in it": (text[:9] + b"+" + text[10:], _TOKEN),
        "a slash in it": (text[:9] + b"/" + text[10:], _TOKEN),
        "a tilde in it": (text[:9] + b"~" + text[10:], _TOKEN),
        "of impossible length": (text[: len(text) // 4 * 4 - 3], _TOKEN),
        "unused bits set": (_unused_bits(text[: len(text) // 4 * 4 - 1]), _TOKEN),
    }
    for name, (spelling, code) in spellings.items():
        yield bearer("base64url", f"{where}: {name}", token_of(spelling), code)


def _unused_bits(text: bytes) -> bytes:
    """The same octets with the last character's unused bits set."""
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return text[:-1] + alphabet[alphabet.index(text[-1]) | 1 :][:1]
