"""Any environment and any file give settings or a ConfigurationError that shows no value.

What was taken makes a verifier, or a ConfigurationError that names a setting: a service never starts half configured.
"""

# ruff: noqa: PT017  (both answers are right: what is asserted is that there is no third)

from __future__ import annotations

import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from bearward import ConfigurationError, TenantIssuers, TrustedIssuer
from bearward.settings import Settings
from bearward.settings.issuers import trusted_issuers
from tests.properties import fixtures
from tests.properties.profiles import examples

_VARIABLES = [
    *("BEARWARD_ISSUER", "BEARWARD_AUDIENCE", "BEARWARD_JWKS_URI", "BEARWARD_ALGORITHMS", "BEARWARD_LEEWAY"),
    *("BEARWARD_CACHE", "BEARWARD_CACHE_SECRET", "BEARWARD_UNSAFE_ALLOW_HTTP", "BEARWARD_CONFIG", "BEARWARD_NOTES"),
    *("BEARWARD_REVOCATIONS_ON_FAILURE", "BEARWARD_REVOCATIONS_CACHE", "BEARWARD_REVOCATIONS_NAME"),
    *("BEARWARD_", "BEARWARD_PORT", "BEARWARD_ISSUERS", "PATH"),
]
_URLS = [
    "https://login.example/",
    "http://login.example/",
    "http://127.0.0.1:1",
    "http://[::1",
    "http://[::1]:99999",
    "https://user:secret@login.example",
    "https://",
    "ftp://a",
    "//a",
    "redis://cache:6379/0",
    "rediss://:secret@[::1]:6379/x",
    "redis://cache:port",
    "memcached://a:b",
    "memory://",
    "unix:///tmp/socket",
]
_words = st.sampled_from(
    [*_URLS, "RS256", "RS256,ES256", "none", "HS256", ",", "a,,b", "1", "-1", "1e3", "nan", "true", "no", "refuse", ""]
)
_text = _words | st.text(max_size=8) | st.text("0123456789.-_e ", max_size=6)


def settled(make: Callable[[], Settings | tuple[TrustedIssuer | TenantIssuers, ...]]) -> None:
    """Make settings, and of them a verifier; a ConfigurationError is as good."""
    try:
        made = make()
        if isinstance(made, Settings):
            repr(made)
            repr(made.verifier())
    except ConfigurationError as error:
        assert error.setting
        assert error.requirement
        assert "s3cr3t" not in str(error)


@examples(200)
@given(st.dictionaries(st.sampled_from(_VARIABLES), _text, max_size=5), st.booleans())
@example({"BEARWARD_LEEWAY": "1_0"}, True)
@example({"BEARWARD_LEEWAY": "\u0663"}, True)  # a digit to `isdigit` and to `float`
@example({"BEARWARD_CACHE": "redis://h:99999999/0"}, True)
@example({"BEARWARD_CACHE": "redis://\udcff"}, True)  # an octet that is no UTF-8, as `os.environ` hands it on
@example({"BEARWARD_CACHE_SECRET": "\udcff" * 40}, True)
@example({"BEARWARD_ISSUER": "http://\udcff"}, True)
@example({"BEARWARD_ISSUER": "\udcff", "BEARWARD_CACHE": "redis://h", "BEARWARD_JWKS_URI": "https://a"}, True)
@example({"BEARWARD_JWKS_URI": "https://\udcff"}, True)
@example({"BEARWARD_JWKS_URI": "https://[::1"}, True)
def test_any_environment_is_settings_or_a_configuration_error(variables: dict[str, str], complete: bool) -> None:
    """Whatever the variables say."""
    good = {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "api"} if complete else {}
    settled(
        lambda: Settings.from_environment(
            {**good, "BEARWARD_CACHE_SECRET": "s3cr3t", **variables}, extra_names={"notes"}
        )
    )


@examples(100)
@given(st.dictionaries(st.sampled_from(_VARIABLES), _text.filter(lambda text: "\x00" not in text), max_size=4))
def test_any_environment_is_loaded_or_a_configuration_error(variables: dict[str, str]) -> None:
    """The same by the way that the samples go, where a variable may name a file."""
    settled(lambda: Settings.load(variables, extra_names={"notes"}))


_SETTINGS = [
    *(
        "issuer",
        "audience",
        "client_ids",
        "jwks_uri",
        "jwks",
        "symmetric_keys",
        "algorithms",
        "leeway",
        "max_token_age",
    ),
    *("required_claims", "expected_claims", "token_types", "keys", "unsafe_allow_http", "unsafe_allow_no_expiry"),
    *("unsafe_any_audience", "static_keys", "sources"),
]
_OPTIONS = [
    *("max_age", "min_age", "cooldown", "burst", "jwks_file", "snapshot_dir", "proxy", "start", "headers", "max_body"),
    *("kty", "secret", "secret_base64url", "algorithm", "kid", "keys"),
]
_leaves: st.SearchStrategy[Any] = st.one_of(
    _words,
    _text,
    st.booleans(),
    st.integers(-2, 400),
    st.sampled_from([10**400, -(10**30), 0.5, -1.0, float("nan"), float("inf"), float("-inf")]),
    st.sampled_from([date(2020, 1, 1), time(1, 2), datetime(2020, 1, 1, tzinfo=UTC)]),
)
_values: st.SearchStrategy[Any] = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(_OPTIONS), inner, max_size=3),
    max_leaves=5,
)
_tables = st.dictionaries(st.sampled_from(_SETTINGS), _values, max_size=3)


@examples(300)
@given(
    st.lists(
        st.builds(lambda odd: {"issuer": fixtures.ISSUER, "audience": "api", **odd}, _tables) | _values, max_size=2
    )
)
@example([{"issuer": "https://a", "audience": [[]]}])
@example([{"issuer": "https://a", "audience": "a", "expected_claims": {"a": float("nan")}}])
@example([{"issuer": "https://a", "audience": "a", "leeway": 10**400}])
@example([{"issuer": "https://a", "audience": "a", "max_token_age": 10**400}])
@example([{"issuer": "https://a", "audience": "a", "jwks": {"keys": [date(2020, 1, 1)]}}])
@example([{"issuer": "https://a", "audience": "a", "token_types": [[]]}])
def test_any_table_is_a_policy_or_a_configuration_error(tables: list[Any]) -> None:
    """Everything that TOML can hold, in every place."""
    settled(lambda: trusted_issuers(tables))


_LINES = [
    "[[issuers]]",
    "[issuers]",
    "[issuers.keys]",
    'issuer = "https://login.example/"',
    'audience = ["api"]',
    "audience = [1, {a = 2}]",
    'cache = "redis://cache"',
    "cache = 1979-05-27",
    'cache_secret = "s3cr3t"',
    "token_cache = -1",
    "token_cache = 0x10",
    "leeway = nan",
    "leeway = 1_0.5",
    "notes.a.b = 1",
    "a = [" * 40,
    "[" * 10,
    "issuers = []",
    "issuers = [{}]",
    '"issuers" = 1',
    "'''",
    "\\",
    "\x00",
]


@examples(100)
@given(
    st.lists(st.sampled_from(_LINES), max_size=6).map(lambda lines: "\n".join(lines).encode()) | st.binary(max_size=30)
)
@example(b"a = " + b"[" * 5000)
@example(b"a = " + b"9" * 5000)
@example(b"\xff\xfe")
def test_any_file_is_settings_or_a_configuration_error(octets: bytes) -> None:
    """Whatever stands in the file that the operator named."""
    with tempfile.NamedTemporaryFile(suffix=".toml") as file:
        path = Path(file.name)
        path.write_bytes(octets)
        settled(lambda: Settings.from_toml(path, extra_names={"notes"}))
