"""Whom to trust, as the options of a command say: a file, the environment, or an issuer named by options.

Rules of this file: one way at a time. What is said by options is checked by `TrustedIssuer` like everything else, and
errors name the option. `--jwks-file` puts a file in place of the network.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

import click

from bearward.command_line.ending import CommandError, ExitCode
from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.jose.strict_json import JWKS_LIMITS, parse_object
from bearward.jwks.options import JWKSOptions, StartMode
from bearward.settings import Settings
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["Trust", "patient", "read_key_set", "trust_options"]

Run = TypeVar("Run", bound=Callable[..., Any])
_LARGEST = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What was given."""

    config: str | None
    program_settings: tuple[str, ...]
    issuer: str | None
    audience: tuple[str, ...]
    jwks_uri: str | None
    jwks_file: str | None
    algorithm: tuple[str, ...]
    leeway: float | None
    unsafe_allow_http: bool
    unsafe_allow_private_addresses: bool

    @property
    def is_offline(self) -> bool:
        """Whether keys come from a file."""
        return self.jwks_file is not None

    @property
    def own_choices(self) -> frozenset[str]:
        """What weakens a check only because the options leave it open."""
        by_options = self.issuer is not None and not self.audience
        return frozenset({"unsafe_any_audience"}) if by_options else frozenset()

    def settings(self, *, needs_audience: bool = True) -> Settings:
        """The settings; raises `ConfigurationError` or `CommandError`."""
        settings = self._by_options(needs_audience=needs_audience) if self.issuer or self.jwks_uri else self._loaded()
        return settings if self.jwks_file is None else _offline(settings, self.jwks_file)

    def _loaded(self) -> Settings:
        for name, value in (("--audience", self.audience), ("--algorithm", self.algorithm), ("--leeway", self.leeway)):
            if value:
                raise ConfigurationError(name, "must come with --issuer: a file or the environment says it itself")
        return Settings.load(os.environ, config=self.config, extra_names=self.program_settings)

    def _by_options(self, *, needs_audience: bool) -> Settings:
        if self.config is not None:
            raise ConfigurationError("--config", "must not be given together with --issuer or --jwks-uri")
        if self.issuer is None:
            raise ConfigurationError("--issuer", "must be given with --jwks-uri: the exact `iss` of the tokens")
        if needs_audience and not self.audience:
            raise ConfigurationError("--audience", "must be given with --issuer")
        given: dict[str, Any] = {"leeway": self.leeway, "jwks_uri": self.jwks_uri}
        try:
            issuer = TrustedIssuer(
                self.issuer,
                audience=self.audience,
                algorithms=self.algorithm,
                jwks_options=JWKSOptions(
                    unsafe_allow_private_addresses=self.unsafe_allow_private_addresses, jwks_file=self.jwks_file
                ),
                unsafe_any_audience=not self.audience,
                unsafe_allow_http=self.unsafe_allow_http,
                **{name: value for name, value in given.items() if value is not None},
            )
        except ConfigurationError as error:
            raise ConfigurationError(f"--{error.setting.replace('_', '-')}", error.requirement) from None
        return Settings(issuers=(issuer,))


def trust_options(run: Run) -> Run:
    """The options of `Trust`, as the argument `trust` of a command."""

    def with_trust(*positional: Any, **options: Any) -> Any:
        names = Trust.__dataclass_fields__.keys()
        return run(*positional, trust=Trust(**{name: options.pop(name) for name in names}), **options)

    with_trust.__doc__ = run.__doc__
    with_trust.__name__ = run.__name__
    decorated: Any = with_trust
    for option in reversed(_OPTIONS):
        decorated = option(decorated)
    decorated.__click_params__ = [*decorated.__click_params__, *getattr(run, "__click_params__", [])]
    return decorated  # type: ignore[no-any-return]


_OPTIONS = (
    click.option("--config", metavar="FILE", help="Settings in TOML; without it BEARWARD_CONFIG, or BEARWARD_..."),
    click.option(
        "--program-setting",
        "program_settings",
        metavar="NAME",
        multiple=True,
        help="A setting in that file that is the program's own.",
    ),
    click.option("--issuer", metavar="ISS", help="Trust this issuer, in place of settings: the exact iss."),
    click.option("--audience", metavar="AUD", multiple=True, help="With --issuer: the accepted audience; repeatable."),
    click.option("--jwks-uri", metavar="URL", help="With --issuer: where its keys are, in place of discovery."),
    click.option("--jwks-file", metavar="FILE", help="Take the keys from this file: nothing is fetched."),
    click.option("--algorithm", metavar="ALG", multiple=True, help="With --issuer: an accepted algorithm; repeatable."),
    click.option("--leeway", metavar="SECONDS", type=float, help="With --issuer: for clocks that differ."),
    click.option("--unsafe-allow-http", is_flag=True, help="With --issuer: fetch keys over plain http."),
    click.option(
        "--unsafe-allow-private-addresses", is_flag=True, help="With --issuer: fetch keys in a private network."
    ),
)


def read_key_set(path: str) -> bytes:
    """The octets of a file of keys; raises `CommandError`."""
    try:
        with Path(path).open("rb") as file:
            document = file.read(_LARGEST + 1)
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({error.strerror})", ExitCode.UNAVAILABLE) from None
    if len(document) > _LARGEST:
        raise CommandError(f"{path}: larger than {_LARGEST} bytes, which no key set is", ExitCode.UNAVAILABLE)
    return document


def patient(settings: Settings) -> Settings:
    """The same for a command, which waits for keys as long as a fetch may take."""
    return replace(settings, issuers=tuple(map(_patient, settings.issuers)))


def _patient(issuer: TrustedIssuer | TenantIssuers) -> TrustedIssuer | TenantIssuers:
    if isinstance(issuer, TenantIssuers):
        return issuer
    options = issuer.jwks_options
    return replace(issuer, jwks_options=replace(options, start=StartMode.EAGER, start_wait=options.total_timeout))


def _offline(settings: Settings, path: str) -> Settings:
    document = read_key_set(path)
    try:
        keys = parse_object(document, JWKS_LIMITS)
    except ValueError:
        raise CommandError(f"{path}: is no JWK Set (not strict JSON)", ExitCode.UNAVAILABLE) from None
    issuers = tuple(_with_keys(issuer, keys, path) for issuer in settings.issuers)
    # What a fleet shares is not asked: without a network there is nobody to ask.
    return replace(
        settings, issuers=issuers, cache="memory://", cache_secret=None, revocations=None,
        unsafe_allow_unauthenticated_cache=False,
    )  # fmt: skip


def _with_keys(issuer: TrustedIssuer | TenantIssuers, keys: dict[str, Any], path: str) -> TrustedIssuer | TenantIssuers:
    if isinstance(issuer, TenantIssuers):
        return issuer.with_settings(
            jwks=keys, jwks_uri=None, pem_uri=None, metadata_uri=None, jwks_options=JWKSOptions()
        )
    if issuer.symmetric_keys:
        return issuer
    try:
        return replace(issuer, jwks=keys, jwks_uri=None, pem_uri=None, metadata_uri=None, jwks_options=JWKSOptions())
    except ConfigurationError as error:
        if error.setting != "jwks":
            raise
        reason = error.requirement.partition(": ")[2]
        raise CommandError(f"{path}: is no JWK Set with a usable key ({reason})", ExitCode.UNAVAILABLE) from None
