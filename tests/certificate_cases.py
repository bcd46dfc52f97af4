"""The one table of certificate fields: what a proxy may hand on, good and hostile, whoever reads it.

Rules of this file: data. Each row names its form, the values of the field, and what must come of it: the thumbprint of
the client's certificate is read, or the code of the refusal. The core alone, a grpc.aio server, a grpc.server and a
Sanic server are all held to it. Rows that no HTTP client can send are for the core alone.
"""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final, get_args
from urllib.parse import quote

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bearward.client_certificates import CertificateForm
from bearward.confirmation import certificate_thumbprint

__all__ = ["BASE64", "CERTIFICATE_CASES", "DER", "FORMS", "HASH", "THUMBPRINT", "CertificateCase"]

FORMS: Final[tuple[CertificateForm, ...]] = get_args(CertificateForm)
_REPEATED, _MALFORMED = "client_certificate_repeated", "client_certificate_malformed"
_HEAD = 4_000  # octets: more does not fit the heads that servers accept beside a token


@cache
def _certificate(name: str) -> x509.Certificate:
    """A self-signed certificate."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start + dt.timedelta(days=999))
    return builder.sign(key, hashes.SHA256())


DER = _certificate("client").public_bytes(Encoding.DER)
PEM = _certificate("client").public_bytes(Encoding.PEM).decode()
OTHER_PEM = _certificate("another").public_bytes(Encoding.PEM).decode()
THUMBPRINT = certificate_thumbprint(DER)
BASE64 = b64encode(DER).decode()
HASH = _certificate("client").fingerprint(hashes.SHA256()).hex()
OTHER_HASH = _certificate("another").fingerprint(hashes.SHA256()).hex()


@dataclass(frozen=True, slots=True)
class CertificateCase:
    """One row; `expected` is a code, or None if the client's certificate is read."""

    form: CertificateForm
    name: str
    values: tuple[str, ...]
    expected: str | None

    @property
    def on_the_wire(self) -> bool:
        """Whether an HTTP client sends the values, and a server hands them on, as they are (RFC 9110 section 5.5)."""
        visible = all(" " <= character <= "~" for value in self.values for character in value)
        return visible and all(value == value.strip() for value in self.values) and sum(map(len, self.values)) < _HEAD

    def __str__(self) -> str:
        return f"{self.form}: {self.name}"


def _escaped(pem: str) -> str:
    return quote(pem, safe="")


def _by_alb(pem: str) -> str:
    return quote(pem, safe="+=/")


_USUAL: Final[dict[CertificateForm, str]] = {
    "xfcc": f"Hash={HASH}",
    "escaped-pem": _escaped(PEM),
    "client-cert": f":{BASE64}:",
    "base64-der": BASE64,
    "alb": _by_alb(PEM),
}
_ENCODED: Final[dict[CertificateForm, Callable[[str], str]]] = {
    "xfcc": lambda pem: f'Cert="{_escaped(pem)}"',
    "escaped-pem": _escaped,
    "alb": _by_alb,
}
"""The forms that carry PEM."""
_IN_BASE64: Final[dict[CertificateForm, Callable[[str], str]]] = {
    "client-cert": lambda text: f":{text}:",
    "base64-der": lambda text: text,
}


def _der(octets: bytes) -> str:
    return b64encode(octets).decode()


def _armored(text: str) -> str:
    return f"-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n"


def _in_each_form() -> Iterator[CertificateCase]:
    for form, usual in _USUAL.items():
        rows: dict[str, tuple[tuple[str, ...], str | None]] = {
            "the certificate": ((usual,), None),
            "two values": ((usual, usual), _REPEATED),
            "an empty value and the certificate": (("", usual), _REPEATED),
            "the certificate and an empty value": ((usual, ""), _REPEATED),
            "two values, joined on the way": ((f"{usual},{usual}",), _REPEATED if form == "xfcc" else _MALFORMED),
            "two values, joined with a space": ((f"{usual}, {usual}",), _REPEATED if form == "xfcc" else _MALFORMED),
            "a space before it": ((f" {usual}",), _MALFORMED),
            "a space after it": ((f"{usual} ",), _MALFORMED),
            "a space within": ((f"{usual[:20]} {usual[20:]}",), _MALFORMED),
            "a tab within": ((f"{usual[:20]}\t{usual[20:]}",), _MALFORMED),
            "a line feed at the end": ((f"{usual}\n",), _MALFORMED),
            "a NUL at the end": ((f"{usual}\0",), _MALFORMED),
            "a NUL within": ((f"{usual[:20]}\0{usual[20:]}",), _MALFORMED),
            "a NUL, escaped": ((f"{usual}%00",), _MALFORMED),
            "in quotes": ((f'"{usual}"',), _MALFORMED),
            "a character beyond ASCII": ((f"{usual}ä",), _MALFORMED),
            "a character at its end": ((f"{usual}x",), _MALFORMED),
            "cut off": ((usual[:-7],), _MALFORMED),
            "one character": (("-",), _MALFORMED),
            "oversized": ((usual * 2000,), _MALFORMED),
            "seventy thousand characters": (("A" * 70_000,), _MALFORMED),
            "the word null": (("(null)",), _MALFORMED),
            "a path": (("/etc/ssl/client.pem",), _MALFORMED),
        }
        for name, (values, expected) in rows.items():
            yield CertificateCase(form, name, values, expected)
        for other, theirs in _USUAL.items():
            # AWS's form is nginx's, less escaped.
            if other != form and {form, other} != {"escaped-pem", "alb"}:
                yield CertificateCase(form, f"as {other} has it", (theirs,), _MALFORMED)


def _in_pem() -> Iterator[CertificateCase]:
    pems: dict[str, tuple[str, str | None]] = {
        "without the last line feed": (PEM.rstrip(), None),
        "with carriage returns": (PEM.replace("\n", "\r\n"), None),
        "text before it": (f"x{PEM}", _MALFORMED),
        "text after it": (f"{PEM}x", _MALFORMED),
        "attributes before it": (f"Bag Attributes\n{PEM}", _MALFORMED),
        "a space after it": (f"{PEM} ", _MALFORMED),
        "half of another after it": (PEM + OTHER_PEM[:200], _MALFORMED),
        "of another kind": (PEM.replace("CERTIFICATE", "PUBLIC KEY"), _MALFORMED),
        "a trusted certificate of OpenSSL": (PEM.replace("CERTIFICATE", "TRUSTED CERTIFICATE"), _MALFORMED),
        "armor in lower case": (PEM.replace("CERTIFICATE", "certificate"), _MALFORMED),
        "no end": (PEM.partition("-----END")[0], _MALFORMED),
        "no beginning": (PEM.partition("\n")[2], _MALFORMED),
        "nothing within": ("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", _MALFORMED),
        "spaces for line feeds": (PEM.replace("\n", " "), _MALFORMED),
        "a space within the base64": (PEM.replace("M", "M ", 1), _MALFORMED),
        "base64url": (_armored(BASE64.replace("+", "-").replace("/", "_") + "-_-_"), _MALFORMED),
        "base64 that ends early": (_armored(BASE64[:-5]), _MALFORMED),
        "padding within": (_armored(f"{BASE64[:40]}={BASE64[40:]}"), _MALFORMED),
        "DER that goes on": (_armored(_der(DER + b"\0")), _MALFORMED),
        "DER that is no sequence": (_armored(_der(b"\x31" + DER[1:])), _MALFORMED),
    }
    for form, encoded in _ENCODED.items():
        for name, (pem, expected) in pems.items():
            yield CertificateCase(form, f"PEM: {name}", (encoded(pem),), expected)
        usual = encoded(PEM)
        wrong = {
            "a percent sign alone": usual.replace("%0A", "%", 1),
            "half an escape": usual.replace("%0A", "%0", 1),
            "an escape of no digits": usual.replace("%0A", "%ZZ", 1),
            "escaped twice": usual.replace("%", "%25"),
            "a plus for a space": usual.replace("%20", "+"),
            "not escaped": usual.replace("%20", " ").replace("%0A", " "),
            "an escape beyond ASCII": usual.replace("%0A", "%C3%A4", 1),
        }
        for name, value in wrong.items():
            yield CertificateCase(form, f"escapes: {name}", (value,), _MALFORMED)
    lower = quote(PEM, safe="+=/").replace("%0A", "%0a")
    yield CertificateCase("escaped-pem", "escapes in lower case", (lower,), None)
    for form in ("xfcc", "escaped-pem"):
        yield CertificateCase(form, "two certificates", (_ENCODED[form](PEM + OTHER_PEM),), _MALFORMED)
        yield CertificateCase(form, "the same certificate twice", (_ENCODED[form](PEM + PEM),), _MALFORMED)
    yield CertificateCase("alb", "a chain", (_by_alb(PEM + OTHER_PEM),), None)
    yield CertificateCase("alb", "a chain that breaks off", (_by_alb(PEM + OTHER_PEM[:300]),), _MALFORMED)
    escaped = "".join(f"%{octet:02X}" for octet in (PEM + OTHER_PEM * 6).encode())
    yield CertificateCase("alb", "escapes: thousands that nothing needs", (escaped,), _MALFORMED)
    yield CertificateCase("alb", "a chain of nine", (_by_alb(PEM * 9),), _MALFORMED)


def _in_base64() -> Iterator[CertificateCase]:
    texts = {
        "base64url": BASE64.replace("+", "-").replace("/", "_") + "_",
        "more than one certificate": _der(DER + DER),
        "more after the padding": f"{BASE64}AAAA",
        "without its padding": _der(b"0\x03\x02\x01\x07\x00")[:-1] + "!",
        "bits that are not zero": _der(b"0\x05\x02\x03\x01\x00\x01")[:-2] + "F=",
        "DER that goes on": _der(DER + b"\0"),
        "DER that is cut off": _der(DER[:-1]),
        "DER that is no sequence": _der(b"\x31" + DER[1:]),
        "DER of open length": _der(b"0\x80" + bytes(8)),
        "DER with a length that is too long": _der(b"0\x81\x05" + bytes(5)),
        "DER with a length that begins with zero": _der(b"0\x82\x00\x85" + bytes(0x85)),
        "DER of twenty thousand octets": _der(b"0\x82\x50\x00" + bytes(0x5000)),
        "the base64 of PEM": _der(PEM.encode()),
        "the base64 of base64": _der(BASE64.encode()),
        "padding alone": "=",
        "one digit": "A",
        "nothing": "",
    }
    for form, encoded in _IN_BASE64.items():
        for name, text in texts.items():
            if encoded(text):  # an empty field is no certificate at all
                yield CertificateCase(form, f"base64: {name}", (encoded(text),), _MALFORMED)
    fields = {
        "no colon at its end": f":{BASE64}",
        "no colon at its beginning": f"{BASE64}:",
        "one colon": ":",
        "three colons": f":{BASE64}::",
        "a parameter": f":{BASE64}:;a=1",
        "a list of two": f":{BASE64}:, :{BASE64}:",
        "an inner list": f"(:{BASE64}:)",
        "spaces within the colons": f": {BASE64} :",
        "a string": f'"{BASE64}"',
    }
    for name, field in fields.items():
        yield CertificateCase("client-cert", name, (field,), _MALFORMED)


def _from_envoy() -> Iterator[CertificateCase]:
    rows: dict[str, tuple[str, str | None]] = {
        "a hash in upper case": (f"hash={HASH.upper()}", None),
        "all pairs": (
            f'By=spiffe://a/b;Hash={HASH};Subject="CN=client, O=\\"x\\"";URI=spiffe://c;URI=spiffe://d;DNS=e;DNS=f',
            None,
        ),
        "hash, certificate and chain": (f'Hash={HASH};Cert="{_escaped(PEM)}";Chain="{_escaped(PEM)}"', None),
        "a hash in quotes": (f'Hash="{HASH}"', None),
        "an empty hash": ("Hash=", _MALFORMED),
        "a short hash": (f"Hash={HASH[:-2]}", _MALFORMED),
        "a long hash": (f"Hash={HASH}00", _MALFORMED),
        "a hash that is no hexadecimal": (f"Hash={'zz' * 32}", _MALFORMED),
        "a hash in base64": (f"Hash={THUMBPRINT}", _MALFORMED),
        "two hashes": (f"Hash={HASH};Hash={HASH}", _MALFORMED),
        "two hashes, of which one is quoted": (f'Hash={HASH};Hash="{HASH}"', _MALFORMED),
        "two hashes by spelling": (f"Hash={HASH};hash={OTHER_HASH}", _MALFORMED),
        "a hash of another certificate": (f'Hash={OTHER_HASH};Cert="{_escaped(PEM)}"', _MALFORMED),
        "neither hash nor certificate": ("By=spiffe://a;URI=spiffe://b", _MALFORMED),
        "a hash in the name of the subject": (f'Subject="CN=x;Hash={HASH}"', _MALFORMED),
        "a semicolon at its end": (f"Hash={HASH};", _MALFORMED),
        "a semicolon at its beginning": (f";Hash={HASH}", _MALFORMED),
        "a space before a semicolon": (f"Hash={HASH} ;By=x", _MALFORMED),
        "a quote that does not end": (f'Hash="{HASH}', _MALFORMED),
        "a quote that ends late": (f'Hash={HASH};Subject="CN=x\\"', _MALFORMED),
        "a name without a value": (f"By;Hash={HASH}", _MALFORMED),
        "two elements": (f"Hash={OTHER_HASH},Hash={HASH}", _REPEATED),
        "two elements, of which one is empty": (f"Hash={HASH},", _REPEATED),
        "an empty element before it": (f",Hash={HASH}", _MALFORMED),
        "an element without a hash before it": (f"By=spiffe://a,Hash={HASH}", _REPEATED),
        "more pairs than a certificate has names": (f"Hash={HASH}" + ";URI=x" * 300, _MALFORMED),
        "PEM that is not escaped": (f'Cert="{PEM}"'.replace("\n", " "), _MALFORMED),
    }
    for name, (value, expected) in rows.items():
        yield CertificateCase("xfcc", name, (value,), expected)


CERTIFICATE_CASES: Final = (*_in_each_form(), *_in_pem(), *_in_base64(), *_from_envoy())
