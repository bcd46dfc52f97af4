"""Certificates that proxies hand on: each form strictly, and only from who may set the field."""

from __future__ import annotations

import datetime as dt
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from typing import Any
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from bearward import AuthError, ConfigurationError
from bearward.client_certificates import (
    CertificateForm,
    ForwardedCertificate,
    from_networks,
    from_secret,
    from_unix_socket,
)
from bearward.confirmation import certificate_thumbprint

PROXY = "10.0.0.1"
NEAR = from_networks("10.0.0.0/8", "::1/128")
SECRET = "a secret of the proxy"
FORMS: tuple[CertificateForm, ...] = ("xfcc", "escaped-pem", "client-cert", "base64-der", "alb")


@cache
def certificate(name: str = "client") -> x509.Certificate:
    """A self-signed certificate."""
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(7).not_valid_before(start).not_valid_after(start + dt.timedelta(days=999))
    return builder.sign(key, hashes.SHA256())


DER = certificate().public_bytes(Encoding.DER)
PEM = certificate().public_bytes(Encoding.PEM).decode()
OTHER_PEM = certificate("another").public_bytes(Encoding.PEM).decode()
BASE64 = b64encode(DER).decode()
HASH = certificate().fingerprint(hashes.SHA256()).hex()
ESCAPED = quote(PEM, safe="")

GOOD: list[tuple[CertificateForm, str]] = [
    ("xfcc", f"Hash={HASH}"),
    ("xfcc", f"hash={HASH.upper()}"),
    ("xfcc", f'By=spiffe://a/b;Hash={HASH};Subject="CN=client, O=\\"x\\"";URI=spiffe://c;URI=spiffe://d;DNS=e;DNS=f'),
    ("xfcc", f'Cert="{ESCAPED}"'),
    ("xfcc", f'Hash={HASH};Cert="{ESCAPED}";Chain="{ESCAPED}"'),
    ("escaped-pem", ESCAPED),
    ("escaped-pem", ESCAPED.lower().replace("%0a", "%0A") if ESCAPED.islower() else quote(PEM, safe="+=/")),
    ("escaped-pem", quote(PEM.rstrip(), safe="")),
    ("escaped-pem", quote(PEM.replace("\n", "\r\n"), safe="")),
    ("client-cert", f":{BASE64}:"),
    ("base64-der", BASE64),
    ("alb", quote(PEM, safe="+=/")),
    ("alb", quote(PEM + OTHER_PEM, safe="+=/")),
]

BAD: list[tuple[CertificateForm, str]] = [
    ("xfcc", "Hash="),
    ("xfcc", f"Hash={HASH[:-2]}"),
    ("xfcc", f"Hash={HASH}00"),
    ("xfcc", f"Hash={'zz' * 32}"),
    ("xfcc", f"Hash={HASH};Hash={HASH}"),
    ("xfcc", f'Hash={"00" * 32};Cert="{ESCAPED}"'),
    ("xfcc", "By=spiffe://a;URI=spiffe://b"),
    ("xfcc", f"Hash={HASH};"),
    ("xfcc", f";Hash={HASH}"),
    ("xfcc", f"Hash={HASH} ;By=x"),
    ("xfcc", f'Hash="{HASH}'),
    ("xfcc", f'Cert="{PEM}"'.replace("\n", " ")),
    ("xfcc", "nonsense"),
    ("escaped-pem", PEM.replace("\n", " ")),
    ("escaped-pem", PEM.replace("\n", "\t")),
    ("escaped-pem", ESCAPED + "%"),
    ("escaped-pem", ESCAPED + "%2"),
    ("escaped-pem", ESCAPED.replace("%20", "+")),
    ("escaped-pem", quote(PEM + OTHER_PEM, safe="")),
    ("escaped-pem", quote("x" + PEM, safe="")),
    ("escaped-pem", quote(PEM + "x", safe="")),
    ("escaped-pem", quote(PEM.replace("CERTIFICATE", "PUBLIC KEY"), safe="")),
    ("escaped-pem", quote("-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n", safe="")),
    ("escaped-pem", BASE64),
    ("client-cert", BASE64),
    ("client-cert", f":{BASE64}"),
    ("client-cert", f"{BASE64}:"),
    ("client-cert", f":{BASE64}:;a=1"),
    ("client-cert", f":{BASE64}:, :{BASE64}:"),
    ("client-cert", f":{BASE64[:-4]}:"),
    ("client-cert", "::"),
    ("client-cert", ":"),
    ("client-cert", f": {BASE64} :"),
    ("base64-der", BASE64 + "AAAA"),
    ("base64-der", BASE64.replace("+", "-").replace("/", "_") + "_"),
    ("base64-der", BASE64[:60] + "\n" + BASE64[60:]),
    ("base64-der", b64encode(DER + b"\0").decode()),
    ("base64-der", b64encode(DER[:-1]).decode()),
    ("base64-der", b64encode(b"\x31" + DER[1:]).decode()),
    ("base64-der", b64encode(b"0\x80" + bytes(8)).decode()),
    ("base64-der", b64encode(b"0\x81\x05" + bytes(5)).decode()),
    ("base64-der", b64encode(b"0\x82\x00\x85" + bytes(0x85)).decode()),
    ("base64-der", b64encode(b"0\x82\x50\x00" + bytes(0x5000)).decode()),
    ("base64-der", "A"),
    ("base64-der", "ä"),
    ("base64-der", "="),
    ("alb", quote(PEM, safe="+=/") * 9),
    ("alb", "nonsense"),
]


def read(form: CertificateForm, *values: str, peer: str | None = PROXY, only_from: Any = NEAR, **more: str) -> Any:
    """The thumbprint, None, or the code of the refusal."""
    field = ForwardedCertificate(form, only_from=only_from, name="x-client-cert")
    fields: dict[str, Sequence[str]] = {"x-client-cert": values, **{name: [value] for name, value in more.items()}}
    try:
        return field.read(peer, lambda name: fields.get(name, []))
    except AuthError as error:
        return error.code


@pytest.mark.parametrize(("form", "value"), GOOD, ids=[f"{form} {number}" for number, (form, _) in enumerate(GOOD)])
def test_each_form_gives_the_thumbprint(form: CertificateForm, value: str) -> None:
    """`x5t#S256` of RFC 8705 section 3.1, whichever way the proxy writes the certificate."""
    assert read(form, value) == certificate_thumbprint(DER)


@pytest.mark.parametrize(("form", "value"), BAD, ids=[f"{form} {number}" for number, (form, _) in enumerate(BAD)])
def test_anything_else_is_refused(form: CertificateForm, value: str) -> None:
    """What is not exactly one certificate in the form that was configured is malformed."""
    assert read(form, value) == "client_certificate_malformed"


@pytest.mark.parametrize("form", FORMS)
def test_two_values_are_refused(form: CertificateForm) -> None:
    """One of them the caller may have sent itself."""
    value = next(value for one, value in GOOD if one == form)
    assert read(form, value, value) == "client_certificate_repeated"


def test_two_elements_of_envoy_are_refused() -> None:
    """A proxy that appends puts its own element behind the one that the caller sent."""
    assert read("xfcc", f"Hash={'00' * 32},Hash={HASH}") == "client_certificate_repeated"
    assert read("xfcc", f"Hash={HASH},") == "client_certificate_repeated"


@pytest.mark.parametrize("form", FORMS)
def test_absent_or_empty_field_is_no_certificate(form: CertificateForm) -> None:
    """A client without a certificate is no error here; its token may not be bound."""
    assert read(form) is None
    assert read(form, "") is None


@pytest.mark.parametrize("peer", ["192.0.2.1", "11.0.0.1", "::2", "fe80::1%eth0", "unix", "", "nonsense", None])
def test_field_from_an_untrusted_address_is_ignored(peer: str | None) -> None:
    """A caller who reaches the server past the proxy has no certificate, whatever it writes."""
    assert read("base64-der", BASE64, peer=peer) is None
    assert read("base64-der", BASE64, BASE64, peer=peer) is None


@pytest.mark.parametrize("peer", ["10.0.0.1", "10.255.0.1", "::1", "::ffff:10.0.0.1"])
def test_networks(peer: str) -> None:
    """Addresses are compared as addresses, an IPv4 one that is mapped into IPv6 too."""
    assert read("base64-der", BASE64, peer=peer) == certificate_thumbprint(DER)


def test_unix_socket_may_set_the_field() -> None:
    """Who may connect to it, the file's permissions say."""
    assert read("base64-der", BASE64, peer="unix", only_from=from_unix_socket()) == certificate_thumbprint(DER)
    assert read("base64-der", BASE64, peer="127.0.0.1", only_from=from_unix_socket()) is None
    assert read("base64-der", BASE64, peer=None, only_from=from_unix_socket()) is None


def test_shared_secret_may_vouch_for_the_field() -> None:
    """In its own field, once, and right."""
    only_from = from_secret("X-Proxy", SECRET)
    assert read("base64-der", BASE64, peer=None, only_from=only_from, **{"x-proxy": SECRET}) == certificate_thumbprint(
        DER
    )
    for wrong in ("", SECRET[:-1], SECRET + " ", "ä"):
        assert read("base64-der", BASE64, only_from=only_from, **{"x-proxy": wrong}) is None
    assert read("base64-der", BASE64, only_from=only_from) is None
    assert SECRET not in repr(ForwardedCertificate("xfcc", only_from=only_from))


INVALID: list[tuple[Any, str]] = [
    (from_networks, "only_from"),
    (lambda: from_networks("10.0.0.1/8"), "only_from"),
    (lambda: from_networks("proxy.example"), "only_from"),
    (lambda: from_networks("0.0.0.0/0"), "only_from"),
    (lambda: from_networks("10.0.0.0/8", "::/0"), "only_from"),
    (lambda: from_secret("x-proxy", "short"), "only_from.secret"),
    (lambda: from_secret("x-proxy", "ä" * 20), "only_from.secret"),
    (lambda: from_secret("x proxy", SECRET), "only_from.name"),
    (lambda: ForwardedCertificate("pem", only_from=NEAR), "form"),  # type: ignore[arg-type]
    (lambda: ForwardedCertificate("xfcc", only_from=None), "only_from"),  # type: ignore[arg-type]
    (lambda: ForwardedCertificate("xfcc", only_from="10.0.0.0/8"), "only_from"),  # type: ignore[arg-type]
    (lambda: ForwardedCertificate("escaped-pem", only_from=NEAR), "name"),
    (lambda: ForwardedCertificate("xfcc", only_from=NEAR, name="x y"), "name"),
    (lambda: ForwardedCertificate("xfcc", only_from=NEAR, name=""), "name"),
]


@pytest.mark.parametrize("case", range(len(INVALID)))
def test_invalid_settings_are_refused(case: int) -> None:
    """There is no way to leave open who may set the field, and none to allow everybody."""
    make, setting = INVALID[case]
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert caught.value.setting == setting


def test_fields_have_the_names_of_their_proxies() -> None:
    """Where the proxy or the RFC has a name for it."""
    assert ForwardedCertificate("xfcc", only_from=NEAR).name == "x-forwarded-client-cert"
    assert ForwardedCertificate("client-cert", only_from=NEAR).name == "client-cert"
    assert ForwardedCertificate("alb", only_from=NEAR).name == "x-amzn-mtls-clientcert"


@given(st.sampled_from(FORMS), st.text() | st.text('ABCabc019=+/:;,%"\\-', max_size=40))
def test_from_any_text(form: CertificateForm, text: str) -> None:
    """A thumbprint, nothing or a refusal, never anything else."""
    assert read(form, text) is None or isinstance(read(form, text), str)
