"""Certificates that proxies hand on: each form strictly, and only from who may set the field."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
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
from tests.certificate_cases import BASE64, CERTIFICATE_CASES, FORMS, THUMBPRINT, CertificateCase

PROXY = "10.0.0.1"
NEAR = from_networks("10.0.0.0/8", "::1/128")
SECRET = "a secret of the proxy"


def read(form: CertificateForm, *values: str, peer: str | None = PROXY, only_from: Any = NEAR, **more: str) -> Any:
    """The thumbprint, None, or the code of the refusal."""
    field = ForwardedCertificate(form, only_from=only_from, name="x-client-cert")
    fields: dict[str, Sequence[str]] = {"x-client-cert": values, **{name: [value] for name, value in more.items()}}
    try:
        return field.read(peer, lambda name: fields.get(name, []))
    except AuthError as error:
        return error.code


@pytest.mark.parametrize("case", CERTIFICATE_CASES, ids=str)
def test_each_row_of_the_table(case: CertificateCase) -> None:
    """The thumbprint of exactly one certificate in the form that was configured, or a refusal (RFC 8705 section 3.1)."""
    assert read(case.form, *case.values) == (case.expected or THUMBPRINT)


def test_table_has_the_hostile_rows_of_each_form() -> None:
    """No form is held to less than the others, and no row stands there twice."""
    names = [str(case) for case in CERTIFICATE_CASES]
    assert len(names) == len(set(names)) >= 250
    for form in FORMS:
        rows = [case for case in CERTIFICATE_CASES if case.form == form]
        assert {None, "client_certificate_repeated", "client_certificate_malformed"} <= {row.expected for row in rows}
        assert sum(row.expected is not None for row in rows) >= 40


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
    assert read("base64-der", BASE64, peer=peer) == THUMBPRINT


def test_unix_socket_may_set_the_field() -> None:
    """Who may connect to it, the file's permissions say."""
    assert read("base64-der", BASE64, peer="unix", only_from=from_unix_socket()) == THUMBPRINT
    assert read("base64-der", BASE64, peer="127.0.0.1", only_from=from_unix_socket()) is None
    assert read("base64-der", BASE64, peer=None, only_from=from_unix_socket()) is None


def test_shared_secret_may_vouch_for_the_field() -> None:
    """In its own field, once, and right."""
    only_from = from_secret("X-Proxy", SECRET)
    assert read("base64-der", BASE64, peer=None, only_from=only_from, **{"x-proxy": SECRET}) == THUMBPRINT
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
