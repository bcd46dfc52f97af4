"""Where keys may come from: URLs by their text, addresses by what they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward.fetch.addresses import is_allowed
from bearward.fetch.urls import check_url, oauth_metadata_url, openid_metadata_url, same_origin

GOOD = [
    "https://login.example/jwks",
    "https://login.example:8443/jwks?tenant=blue",
    "https://[2001:db8::1]/jwks",
    "http://127.0.0.1:1234/jwks",
    "http://127.9.9.9/jwks",
    "http://[::1]:1234/jwks",
    "http://localhost/jwks",
    "http://issuer.localhost/jwks",
]
BAD = [
    "http://login.example/jwks",
    "http://localhost.example/jwks",
    "http://127.0.0.1.example/jwks",
    "http://10.0.0.1/jwks",
    "ftp://login.example/jwks",
    "file:///etc/jwks.json",
    "//login.example/jwks",
    "https://",
    "https:///jwks",
    "https://user:secret@login.example/jwks",
    "https://login.example/jwks#keys",
    "https://login.example/jw ks",
    "https://login.example/jwks\r\nHost: evil.example",
    "https://login.example\\@evil.example/",
    "https://lögin.example/jwks",
    "https://login.example:0/jwks",
    "https://login.example:99999/jwks",
    "https://[::1/jwks",
    "",
]


@pytest.mark.parametrize("url", GOOD)
def test_good_urls(url: str) -> None:
    """Https anywhere, http on loopback."""
    assert check_url(url) == url


@pytest.mark.parametrize("url", BAD)
def test_bad_urls(url: str) -> None:
    """Everything else is a ValueError that does not repeat the URL."""
    with pytest.raises(ValueError) as refused:
        check_url(url)
    assert not url or url not in str(refused.value)


def test_http_can_be_allowed_by_a_name_that_says_what_it_is() -> None:
    """`unsafe_allow_http` lifts that one rule and no other."""
    assert check_url("http://issuer/jwks", unsafe_allow_http=True)
    with pytest.raises(ValueError):
        check_url("ftp://issuer/jwks", unsafe_allow_http=True)


@given(st.text(max_size=60))
def test_any_text_is_a_url_or_a_value_error(text: str) -> None:
    """No other exception gets out."""
    for url in (text, f"https://{text}", f"https://login.example/{text}"):
        try:
            check_url(url)
        except ValueError:
            continue


METADATA = [
    ("https://a.example", "https://a.example/.well-known/openid-configuration",
     "https://a.example/.well-known/oauth-authorization-server"),
    ("https://a.example/", "https://a.example/.well-known/openid-configuration",
     "https://a.example/.well-known/oauth-authorization-server"),
    ("https://a.example/t/b", "https://a.example/t/b/.well-known/openid-configuration",
     "https://a.example/.well-known/oauth-authorization-server/t/b"),
    ("https://a.example:8443/t/", "https://a.example:8443/t/.well-known/openid-configuration",
     "https://a.example:8443/.well-known/oauth-authorization-server/t"),
]  # fmt: skip


@pytest.mark.parametrize(("issuer", "openid", "oauth"), METADATA)
def test_metadata_urls(issuer: str, openid: str, oauth: str) -> None:
    """OpenID appends to the issuer's path, RFC 8414 puts its own before it."""
    assert (openid_metadata_url(issuer), oauth_metadata_url(issuer)) == (openid, oauth)


def test_same_origin_compares_scheme_host_and_port() -> None:
    """RFC 6454: the default port is the port, the case of a host is none."""
    assert same_origin("https://A.example/x", "https://a.example:443/y")
    for other in ("http://a.example/", "https://a.example:8443/", "https://b.a.example/"):
        assert not same_origin("https://a.example/", other)


PUBLIC = ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
PRIVATE = ["10.1.2.3", "172.16.0.1", "192.168.1.1", "100.64.0.1", "fd12:3456::1", "::ffff:10.1.2.3", "64:ff9b::a01:203",
           "2002:a01:203::1"]  # fmt: skip
NEVER = ["169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0", "fd00:ec2::254", "fd20:ce::254", "100.100.100.200",
         "192.0.0.192", "168.63.129.16", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
         "fec0::1", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "0.1.2.3",
         "::169.254.169.254", "::ffff:0:169.254.169.254", "64:ff9b:1::a9fe:a9fe",
         "2001:0:808:808:0:0:5601:5601"]  # fmt: skip
LOOPBACK = ["127.0.0.1", "127.8.8.8", "::1", "::ffff:127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "by_default", "with_private"),
    [(a, True, True) for a in PUBLIC]
    + [(a, False, True) for a in PRIVATE]
    + [(a, False, False) for a in NEVER]
    + [(a, False, True) for a in LOOPBACK],
)
def test_addresses_that_a_public_name_may_resolve_to(address: str, by_default: bool, with_private: bool) -> None:
    """Public ones; private ones if allowed; link-local and metadata ones never, in whatever notation."""
    assert is_allowed(address, host="login.example") is by_default
    assert is_allowed(address, host="login.example", unsafe_allow_private=True) is with_private


@pytest.mark.parametrize("address", PUBLIC + PRIVATE + NEVER)
def test_localhost_must_lead_to_loopback(address: str) -> None:
    """Http is allowed to `localhost`, so `localhost` must not lead anywhere else."""
    assert not is_allowed(address, host="localhost", unsafe_allow_private=True)


@pytest.mark.parametrize("address", LOOPBACK)
def test_loopback_is_reached_by_a_url_that_says_loopback(address: str) -> None:
    """The URL's own text makes it a matter of choice."""
    assert is_allowed(address, host="localhost")
    assert is_allowed(address, host="127.0.0.1")
