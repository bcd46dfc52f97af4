"""URIs are compared as RFC 3986 says, with origins that are configured."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bearward import ConfigurationError
from bearward.dpop import PublicOrigins
from bearward.dpop.origins import normalize_path, normalize_uri


@pytest.mark.parametrize(
    ("uri", "normal"),
    [
        ("http://www.example.com/", "http://www.example.com/"),
        ("HTTP://www.EXAMPLE.com/", "http://www.example.com/"),  # RFC 3986 section 6.2.2.1
        ("https://example.com/%7Euser/%2d%2e%5f", "https://example.com/~user/-._"),  # section 6.2.2.2
        ("https://example.com/a%c2%b1b", "https://example.com/a%C2%B1b"),
        ("https://example.com/mid/content=5/../6", "https://example.com/mid/6"),  # section 5.2.4
        ("https://example.com/a/b/c/./../../g", "https://example.com/a/g"),
        ("https://example.com/../g", "https://example.com/g"),
        ("https://example.com/a/.", "https://example.com/a/"),
        ("https://example.com/a/..", "https://example.com/"),
        ("https://example.com/a/.b/..c", "https://example.com/a/.b/..c"),
        ("https://example.com/a//b", "https://example.com/a//b"),
        ("https://example.com", "https://example.com/"),  # section 6.2.3
        ("https://example.com?", "https://example.com/"),
        ("http://example.com:80/x", "http://example.com/x"),
        ("http://example.com:443/x", "http://example.com:443/x"),
        ("https://example.com:/x", "https://example.com/x"),
        ("https://%65xample.com/x", "https://example.com/x"),
        ("https://ex%c3%a9.com/x", "https://ex%C3%A9.com/x"),
        ("https://[2001:DB8::0:1]:8443/x", "https://[2001:db8::1]:8443/x"),
        ("https://example.com/a|b^{c}", "https://example.com/a|b^{c}"),
        ("https://example.com/x?y#z", "https://example.com/x"),
        ("https://example.com/x#y?z", "https://example.com/x"),
    ],
)
def test_normal_form(uri: str, normal: str) -> None:
    """Case, escapes, dot segments, default ports and an empty path are normalized; query and fragment go."""
    assert normalize_uri(uri) == normal
    assert normalize_uri(normal) == normal


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "/x",
        "//example.com/x",
        "example.com/x",
        "ftp://example.com/x",
        "https:///x",
        "https://",
        "https://user@example.com/x",
        "https://user:pw@example.com/x",
        "https://example.com:x/",
        "https://example.com:00443/",
        "https://example.com:65536/",
        "https://example.com:443:443/",
        "https://[::1/x",
        "https://[::g]/x",
        "https://[127.0.0.1]/x",
        "https://exa mple.com/x",
        "https://exämple.com/x",
        "https://example.com/ä",
        "https://example.com/%",
        "https://example.com/%4",
        "https://example.com/%zz",
        "https://example.com/a b",
        "https://example.com\\x",
        "https://example.com/a\\b",
        "https://example.com/a\n",
        "https://example.com/a\0",
        "\ud800https://example.com/",
        "https://example.com/" + "x" * 5000,
    ],
)
def test_ambiguous_uri_has_no_normal_form(uri: str) -> None:
    """Anything that two parsers could read differently has no normal form."""
    assert normalize_uri(uri) is None


@given(st.text() | st.from_regex(r"https?://[a-z0-9.\[\]:@%-]{1,12}(/[!-~]{0,8}){0,4}", fullmatch=True))
def test_normal_form_is_stable(uri: str) -> None:
    """From any text: None, or a URI whose normal form it is."""
    normal = normalize_uri(uri)
    assert normal is None or (normalize_uri(normal) == normal and normal.isascii())


def test_only_configured_origins_are_accepted() -> None:
    """A request's own path is taken as it was sent, below each origin and the prefix that a proxy took away."""
    origins = PublicOrigins("https://api.example", "http://127.0.0.1:8000", prefix="/orders")
    assert origins.match("https://api.example/orders/list", "/list")
    assert origins.match("http://127.0.0.1:8000/orders/list", "/list")
    assert origins.match("https://api.example/orders/li%73t", "/list")
    assert origins.match("https://api.example/orders/list", "/li%73t")
    assert origins.match("https://api.example/orders/caf%C3%A9", "/caf%c3%a9")
    assert not origins.match("https://elsewhere.example/orders/list", "/list")
    assert not origins.match("http://api.example/orders/list", "/list")
    assert not origins.match("https://127.0.0.1:8000/orders/li%73t", "/list")
    assert not origins.match("https://api.example/list", "/list")
    assert not origins.match("https://api.example/orders/list", "/orders/list")
    assert not origins.match("https://api.example/orders/list", "list")
    assert not origins.match("https://api.example/orders*", "*")
    assert not origins.match("https://api.example/orders/list?x", "/list?x")
    assert not origins.match("https://api.example/orders/list#x", "/list#x")
    assert not origins.match("https://api.example/orders/a b", "/a%20b")
    assert not origins.match("https://api.example/orders/" + "x" * 5000, "/" + "x" * 5000)


def test_dot_segments_cannot_leave_the_prefix() -> None:
    """Dot segments are resolved after the prefix was put before the path, on both sides."""
    origins = PublicOrigins("https://api.example", prefix="/orders")
    assert not origins.match("https://api.example/orders/admin", "/../admin")
    assert origins.match("https://api.example/admin", "/../admin")


@pytest.mark.parametrize(
    "origins",
    [
        (),
        ("",),
        ("api.example",),
        ("https://api.example/path",),
        ("https://api.example?x",),
        ("https://api.example#x",),
        ("https://user@api.example",),
        ("ftp://api.example",),
        ("*",),
        ("https://*.example/*",),
        (7,),
        tuple(f"https://api{n}.example" for n in range(65)),
    ],
)
def test_invalid_origins_are_refused(origins: tuple[str, ...]) -> None:
    """Anything but an http(s) origin without path raises `ConfigurationError`, and so do none and too many."""
    with pytest.raises(ConfigurationError) as caught:
        PublicOrigins(*origins)
    assert caught.value.setting == "origins"


@pytest.mark.parametrize("prefix", ["orders", "/", "/orders/", "/ä", "/a?b", None, 7])
def test_invalid_prefixes_are_refused(prefix: str) -> None:
    """A prefix is a path without a slash at its end."""
    with pytest.raises(ConfigurationError) as caught:
        PublicOrigins("https://api.example", prefix=prefix)
    assert caught.value.setting == "prefix"


def test_origins_are_held_in_normal_form() -> None:
    """However they are written; what is the same is held once."""
    origins = PublicOrigins.of(["HTTPS://API.example:443/", "https://api.example"])
    assert origins.origins == ("https://api.example",)
    assert PublicOrigins.of(origins) is origins
    assert PublicOrigins.of("https://api.example").origins == origins.origins
    assert repr(origins) == "<PublicOrigins: https://api.example>"
    assert normalize_path("/a") == "/a"
