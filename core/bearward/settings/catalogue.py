"""The one list of settings: the name and kind of each, its table in a file, its variable, and whether it is a secret.

Rules of this file: pure. The readers of files and of the environment, the JSON Schema, the hints of near names and the
documentation's tables come from this list. What a setting means is said where it is checked (`TrustedIssuer`,
`JWKSOptions`, `SharedRevocations`, `DPoP`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from bearward.dpop.policy import DPOP_ALGORITHMS
from bearward.jose.algorithms import ALGORITHMS, SYMMETRIC
from bearward.jwks.options import COUNTS, SECONDS, MetadataKind, StartMode
from bearward.settings.kinds import (
    FLAG,
    SWITCH,
    Kind,
    array,
    count,
    names,
    names_or_paths,
    number,
    path,
    table,
    text,
    word,
)

__all__ = ["PREFIX", "SECRET_FILES", "SETTINGS", "VARIABLES", "Setting", "Table", "names_in", "settings_in"]

PREFIX: Final = "BEARWARD_"


class Table(StrEnum):
    """Where a setting stands in a file."""

    TOP = "the top level of a file"
    ISSUER = "[[issuers]]"
    TENANTS = "[[issuers]] with a template"
    KEYS = "[issuers.keys]"
    PLACE = "[issuers.place]"
    SYMMETRIC_KEYS = "[[issuers.symmetric_keys]]"
    REVOCATIONS = "[revocations]"
    DPOP = "[dpop]"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting."""

    table: Table
    name: str
    kind: Kind
    variable: str | None = None
    """The variable that says it, where one issuer is configured by variables."""
    secret: bool = False
    """Whether it may be, or hold, a secret: then a file may say it instead, and the environment beside a file."""


_SECRET: Final = "is a secret"
_CACHE: Final = text("redis://…, rediss://… or memcached://…")
_FLEET_SECRET: Final = text("a secret that the fleet shares, at least 16 bytes")
_CLAIMS: Final = names("names of claims, separated by commas")
_LEEWAY: Final = number("a number of seconds between 0 and 300", least=0, most=300)
_Row = tuple[str, Kind] | tuple[str, Kind, str] | tuple[str, Kind, str, str]


def _rows(of: Table, prefix: str | None, *rows: _Row) -> Iterator[Setting]:
    """The settings of one table. What follows a kind is the variable, where it is not the name, and whether it is a secret."""
    for name, kind, *more in rows:
        own = next((each for each in more if each != _SECRET), None if prefix is None else prefix + name.upper())
        yield Setting(of, name, kind, own and PREFIX + own, secret=_SECRET in more)


def _seconds_and_counts() -> Iterator[_Row]:
    for name, (low, high) in SECONDS.items():
        yield name, number(f"a number of seconds from {low:.10g} to {high:.10g}", least=low, most=high)
    for name, (least, most) in COUNTS.items():
        yield name, count(f"a whole number from {least} to {most}", least=least, most=most)


SETTINGS: Final[tuple[Setting, ...]] = (
    *_rows(
        Table.TOP,
        "",
        ("issuers", array("a JSON array, of objects as the tables [[issuers]]"), _SECRET),
        ("cache", text("memory://, redis://…, rediss://… or memcached://…"), _SECRET),
        ("cache_secret", _FLEET_SECRET, _SECRET),
        ("unsafe_allow_unauthenticated_cache", FLAG),
        ("token_cache", count("a number of bytes, 0 for no cache")),
        ("explain", FLAG),
        ("unsafe_explain_remote", FLAG),
    ),
    *_rows(
        Table.ISSUER,
        "",
        ("issuer", text("the exact `iss` of the tokens")),
        ("audience", names("the accepted audience, or several separated by commas")),
        ("client_ids", names("accepted client ids, separated by commas")),
        ("jwks_uri", text("the https URL of the issuer's keys")),
        ("metadata_uri", text("the https URL of the issuer's metadata")),
        ("pem_uri", text("the https URL of keys in PEM, with {kid} if each has its own")),
        ("jwks", table("a JWK Set, a JSON object")),
        ("symmetric_keys", array("a JSON array, of objects as the tables [[issuers.symmetric_keys]]"), _SECRET),
        ("algorithms", names("names of algorithms, separated by commas", words=ALGORITHMS)),
        ("leeway", _LEEWAY),
        ("future_leeway", _LEEWAY),
        ("max_token_age", number("a number of seconds above 0", least=0)),
        ("required_claims", _CLAIMS),
        ("expected_claims", table('a JSON object, from claims to values, such as {"token_use": "access"}')),
        ("token_types", names("accepted `typ` headers, separated by commas")),
        ("sender", word("any", "bearer", "constrained")),
        ("refused_claims", _CLAIMS),
        ("authorized_parties", names("accepted `azp`, separated by commas")),
        ("keys_are_ours", FLAG),
        ("single_use", FLAG),
        ("subject_claim", _CLAIMS),
        ("client_claim", text("the name of a claim")),
        ("rights", names_or_paths("names of claims, separated by commas, or a JSON array")),
        ("place", table('a JSON object, such as {"header": "x-goog-iap-jwt-assertion"}')),
        ("unsafe_allow_http", FLAG),
        ("unsafe_allow_no_expiry", FLAG),
        ("unsafe_any_audience", FLAG),
        ("profile", text("the name of a profile")),
    ),
    *_rows(Table.ISSUER, None, ("keys", table("a table"))),
    *_rows(
        Table.TENANTS,
        "",
        ("template", text("the `iss` of all tenants, with {tenant} in it")),
        ("tenants", names("names of tenants, separated by commas")),
        ("max_tenants", count("a whole number from 1", least=1)),
    ),
    *_rows(
        Table.KEYS,
        "KEYS_",
        *_seconds_and_counts(),
        ("refresh_fraction", number("a fraction from 0.1 to 0.95", least=0.1, most=0.95)),
        ("headers", table('a JSON object, such as {"X-Api-Key": "…"}'), _SECRET),
        ("ca_file", path("a file of certificates in PEM"), "CA_FILE"),
        ("client_cert", path("a file of a certificate in PEM")),
        ("client_key", path("a file of a private key in PEM")),
        ("proxy", text("an http:// or https:// URL"), _SECRET),
        ("x5c_authorities", text("certificates in PEM")),
        ("same_origin", FLAG),
        ("metadata", word(*MetadataKind)),
        ("unsafe_allow_private_addresses", FLAG, "UNSAFE_ALLOW_PRIVATE_ADDRESSES"),
        ("jwks_file", path("a file of a JWK Set")),
        ("start", word(*StartMode)),
        ("snapshot_dir", path("a folder")),
    ),
    *_rows(
        Table.PLACE,
        None,
        ("header", text("the name of a header")),
        ("scheme", text("a scheme such as Bearer")),
        ("cookie", text("the name of a cookie")),
        ("padded", FLAG),
        ("header_claims", names("names of claims")),
    ),
    *_rows(
        Table.SYMMETRIC_KEYS,
        None,
        ("algorithm", word(*sorted(SYMMETRIC))),
        ("kid", text("a string")),
        ("secret", text("a string"), _SECRET),
        ("secret_base64url", text("base64url without padding"), _SECRET),
    ),
    *_rows(
        Table.REVOCATIONS,
        "REVOCATIONS_",
        ("on_failure", word("refuse", "accept")),
        ("cache", _CACHE, _SECRET),
        ("cache_secret", _FLEET_SECRET, _SECRET),
        ("name", text("a name of letters, digits, dots, dashes or underscores")),
        ("grace", number("a number of seconds from 0 to 3600", least=0, most=3600)),
        ("poll_interval", number("a number of seconds from 0.02 to 1", least=0.02, most=1)),
    ),
    *_rows(
        Table.DPOP,
        "DPOP_",
        ("mode", word("off", "allowed", "required"), "DPOP"),
        ("origins", names("public origins of this server, separated by commas"), "ORIGINS"),
        ("prefix", text("a path such as /orders, without a slash at its end")),
        ("algorithms", names("names of algorithms, separated by commas", words=DPOP_ALGORITHMS)),
        ("nonce", SWITCH),
        ("nonce_secret", _FLEET_SECRET, _SECRET),
        ("window", number("a number of seconds between 1 and 600", least=1, most=600)),
        ("on_failure", word("refuse", "accept")),
    ),
)
"""Every setting, but for the arguments of profiles and a program's own."""

VARIABLES: Final[Mapping[str, Setting]] = {each.variable: each for each in SETTINGS if each.variable is not None}
"""Every variable that is read, but for `BEARWARD_CONFIG`, a profile's arguments, a program's own, and `SECRET_FILES`."""
SECRET_FILES: Final[Mapping[str, str]] = {f"{name}_FILE": name for name, each in VARIABLES.items() if each.secret}
"""Variables that name a file in place of a value: what may hold a secret."""


def settings_in(*tables: Table) -> dict[str, Setting]:
    """The settings of these tables, by name."""
    return {each.name: each for each in SETTINGS if each.table in tables}


def names_in(*tables: Table) -> frozenset[str]:
    """The names that these tables may have."""
    return frozenset(settings_in(*tables))
