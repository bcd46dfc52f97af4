"""Options: every wrong value is refused when they are built, with the name of the setting."""

from __future__ import annotations

import math
from typing import Any

import pytest

from bearward.errors import ConfigurationError
from bearward.jwks.options import JWKSOptions, MetadataKind, StartMode

SECONDS = ["max_age", "min_age", "stale_if_error", "cooldown", "max_backoff", "connect_timeout",
           "read_timeout", "total_timeout", "start_wait", "poll_interval"]  # fmt: skip
COUNTS = ["burst", "max_unknown_kids", "max_waiters", "max_body"]
WRONG: list[tuple[str, Any]] = [
    *((name, value) for name in SECONDS for value in (-1, math.nan, math.inf, "5", True, None, 1e12)),
    *((name, value) for name in COUNTS for value in (0, -1, 1.5, "5", True, None, 10**12)),
    ("max_age", 0),
    ("total_timeout", 0),
    ("poll_interval", 0),
    ("refresh_fraction", 0),
    ("refresh_fraction", 1),
    ("refresh_fraction", "half"),
    ("same_origin", "yes"),
    ("unsafe_allow_private_addresses", 1),
    ("start", "soon"),
    ("metadata", "saml"),
    ("headers", [("a", "b")]),
    ("headers", {"": "b"}),
    ("headers", {"a b": "c"}),
    ("headers", {"a": "b\r\nc: d"}),
    ("headers", {"a": 1}),
    ("headers", {"Host": "evil.example"}),
    ("headers", {"Accept-Encoding": "br"}),
    ("client_key", "/key.pem"),
    ("proxy", "proxy.example:3128"),
    ("proxy", "http://"),
    ("proxy", "http://proxy.example:none"),
    ("proxy", "http://user:p w@proxy.exämple"),
    ("proxy", 3128),
]


@pytest.mark.parametrize(("name", "value"), WRONG)
def test_wrong_values_are_refused_by_name(name: str, value: Any) -> None:
    """A ConfigurationError that names the setting, and nothing else."""
    with pytest.raises(ConfigurationError) as refused:
        JWKSOptions(**{name: value})
    assert refused.value.setting == name


def test_defaults_are_the_documented_ones() -> None:
    """The numbers that the documentation gives."""
    options = JWKSOptions()
    assert (options.max_age, options.stale_if_error, options.cooldown, options.burst) == (600, 3600, 5, 2)
    assert (options.max_body, options.start, options.metadata) == (65_536, StartMode.EAGER, MetadataKind.ANY)


def test_modes_may_be_given_as_strings() -> None:
    """So that a settings file can name them."""
    assert JWKSOptions(start="lazy").start is StartMode.LAZY  # type: ignore[arg-type]
    assert JWKSOptions(metadata="oauth").metadata is MetadataKind.OAUTH  # type: ignore[arg-type]


def test_file_and_custom_sources_exclude_each_other() -> None:
    """Two answers to the same question are none."""
    with pytest.raises(ConfigurationError) as refused:
        JWKSOptions(jwks_file="/jwks.json", sources=(object(),))  # type: ignore[arg-type]
    assert refused.value.setting == "sources"
