"""Settings of a service, from the environment or from a TOML file: read strictly, and fit to be sent to its workers.

Rules of this file: an unknown name, a wrong type or a missing value is a `ConfigurationError` that names the setting
and says what it must be; no value is ever shown. Files are opened in two functions, `_toml` and `_check_file`, and in
`secret_files.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from os import PathLike
from pathlib import Path
from typing import Any, Self, TypeVar

from bearward.clock import Clock
from bearward.errors import ConfigurationError
from bearward.frozen import frozen
from bearward.issuers.tenants import TenantIssuers
from bearward.mistakes import Mistakes, made_of, renamed
from bearward.revocation.shared import SharedRevocations
from bearward.secret_files import secret_paths, secret_variable_paths, with_secret_variables, with_secrets
from bearward.settings_dpop import dpop_options
from bearward.settings_environment import (
    CONFIG,
    PREFIX,
    SECRET_FILES,
    VARIABLES,
    Group,
    issuers_of_variables,
    own_variables,
    read_variables,
)
from bearward.settings_toml import (
    dpop_table,
    numbered_issuers,
    reject_placeholders,
    reject_unknown,
    shared_revocations,
    string_value,
)
from bearward.trusted_issuer import TrustedIssuer
from bearward.verifier import Verifier

__all__ = ["ENVIRONMENT", "Settings"]

ENVIRONMENT = frozenset({*VARIABLES, *SECRET_FILES, CONFIG})
"""Every variable that `Settings` reads, but for a program's own."""
_MEMORY = "memory://"
_TOP_LEVEL = frozenset(
    (
        *("cache", "cache_secret", "dpop", "explain", "issuers", "revocations", "token_cache"),
        *("unsafe_allow_unauthenticated_cache", "unsafe_explain_remote"),
    )
)
_SECRETS = ("BEARWARD_CACHE_SECRET", "BEARWARD_REVOCATIONS_CACHE_SECRET")
"""What a variable may say beside a configuration file."""
_FILES = ("ca_file", "client_cert", "client_key")
_AS_THEY_ARE = ("unsafe_allow_unauthenticated_cache", "token_cache", "explain", "unsafe_explain_remote")
_READERS: Mapping[str, Callable[[Any], Any]] = {
    "cache": partial(string_value, "cache"),
    "cache_secret": lambda secret: string_value("cache_secret", secret).encode(),
    "revocations": shared_revocations,
    "dpop": dpop_table,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Whom to trust, and where to keep what was fetched; can be copied, pickled and sent to a worker process.

    `extra` holds the settings that the program declared as its own, as the source gave them.

    >>> settings = Settings.from_environment(
    ...     {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "https://api.example"}
    ... )
    >>> settings.issuers[0].issuer, settings.cache
    ('https://login.example/', 'memory://')
    """

    issuers: tuple[TrustedIssuer | TenantIssuers, ...]
    cache: str = field(default=_MEMORY, repr=False)
    """An aiocache URL: `memory://`, `redis://…`, `rediss://…`, `memcached://…`; it may hold a password."""
    cache_secret: bytes | None = field(default=None, repr=False)
    """Authenticates what is read from a shared cache."""
    unsafe_allow_unauthenticated_cache: bool = False
    """Share a cache without `cache_secret`: whoever can write it can plant keys."""
    token_cache: int | None = None
    """Bytes to spend on tokens that were verified before; None for the verifier's own default."""
    revocations: Mapping[str, Any] | None = field(default=None, repr=False)
    """What to give to `SharedRevocations`, beside `cache` and `cache_secret`; None where a fleet shares none."""
    dpop: Mapping[str, Any] | None = None
    """What is asked of DPoP proofs, by the names of the table `[dpop]`; None where the scheme is not offered."""
    explain: bool = False
    """Whether a refusal carries its explanation, check by check; for development, on a server on loopback."""
    unsafe_explain_remote: bool = False
    """The same for a server that listens beyond loopback: anybody may learn what is configured."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    prefix: str = ""
    """What stands before a setting's name where it was read: `BEARWARD_` in the environment."""
    files: tuple[str, ...] = field(default=(), repr=False, compare=False)
    """What they were read from: the configuration file and those of secrets, to be looked at for changes."""

    def __post_init__(self) -> None:
        """Check the types, and freeze what could be changed."""
        issuers = (self.issuers,) if isinstance(self.issuers, TrustedIssuer | TenantIssuers) else self.issuers
        if not isinstance(issuers, tuple | list) or not all(
            isinstance(i, TrustedIssuer | TenantIssuers) for i in issuers
        ):
            raise ConfigurationError("issuers", "must be a TrustedIssuer or several")
        if not isinstance(self.cache_secret, bytes | None):
            raise ConfigurationError("cache_secret", 'must be bytes: "…".encode()')
        for name in ("unsafe_allow_unauthenticated_cache", "explain", "unsafe_explain_remote"):
            if not isinstance(getattr(self, name), bool):
                raise ConfigurationError(name, "must be true or false")
        object.__setattr__(self, "issuers", tuple(issuers))
        object.__setattr__(self, "extra", frozen(self.extra))
        object.__setattr__(self, "revocations", frozen(self.revocations))
        object.__setattr__(self, "dpop", frozen(self.dpop))

    def verifier(self, *, default_origins: Collection[str] = (), **more: Any) -> Verifier:
        """A `Verifier` by these settings, and by `more` of its own; raises `ConfigurationError`.

        `default_origins` are the public origins for DPoP where the settings name none.
        """
        given: dict[str, Any] = {} if self.token_cache is None else {"token_cache_bytes": self.token_cache}
        if self.revocations is not None and "revocations" not in more:
            given["revocations"] = self._shared_revocations(self.revocations, more.get("clock"))
        try:
            if "dpop" not in more:
                given |= dpop_options(
                    self.dpop or {},
                    once=any(issuer.single_use for issuer in self.issuers),
                    cache=self.cache,
                    cache_secret=self.cache_secret,
                    default_origins=default_origins,
                    clock=more.get("clock"),
                )
            return Verifier(
                *self.issuers,
                jwks_cache=self.cache,
                jwks_cache_secret=self.cache_secret,
                unsafe_allow_unauthenticated_cache=self.unsafe_allow_unauthenticated_cache,
                **{"explain": self.explain, "unsafe_explain_remote": self.unsafe_explain_remote, **given, **more},
            )
        except ConfigurationError as error:
            raise renamed(error, self._own_name) from None

    def _own_name(self, setting: str) -> str:
        """What an argument of a verifier, or a setting of DPoP, is called where these settings were read."""
        if self.prefix and setting.removeprefix("dpop.") in _DPOP_VARIABLES:
            return _DPOP_VARIABLES[setting.removeprefix("dpop.")]
        if setting in ("origins", "prefix"):
            return f"dpop.{setting}"
        return _qualified(self.prefix, _SETTING_OF.get(setting, setting))

    def _shared_revocations(self, given: Mapping[str, Any], clock: Clock | None) -> SharedRevocations:
        store: dict[str, Any] = {"cache": self.cache, "cache_secret": self.cache_secret}
        try:
            return SharedRevocations(clock=clock, **{**store, **given})
        except ConfigurationError as error:
            # What the table leaves to the fleet's own cache is named as the fleet's.
            own = error.setting in given or error.setting not in store
            name = f"revocations{'_' if self.prefix else '.'}{error.setting}" if own else error.setting
            raise ConfigurationError(_qualified(self.prefix, name), error.requirement) from None

    @classmethod
    def load(
        cls, environ: Mapping[str, str], *, config: str | PathLike[str] | None = None, extra_names: Collection[str] = ()
    ) -> Self:
        """From the file `config`, or that of `BEARWARD_CONFIG`, else from the environment.

        `extra_names` are settings of the program's own (`notes`: in the environment `BEARWARD_NOTES`, which wins). Raises
        `ConfigurationError`, also where a file and the environment both claim to be the configuration.
        """
        given = own_variables(with_secret_variables(environ), extra_names)
        path = given.pop(CONFIG, None) if config is None else config
        if path is None:
            return cls.from_environment(environ, extra_names=extra_names)
        extra = _extra(given, extra_names)
        secrets = {variable: given.pop(variable, "").encode() or None for variable in _SECRETS}
        for name in sorted(given.keys() & VARIABLES.keys()):
            raise ConfigurationError(name, "must not be set together with a configuration file: say it there")
        try:
            settings = cls.from_toml(path, extra_names=extra_names)
        except ConfigurationError as error:
            if config is None and error.setting == path:
                raise ConfigurationError(f"{CONFIG} {path}", error.requirement) from None
            raise
        files = (*settings.files, *secret_variable_paths(environ))
        return replace(_with_own_secrets(settings, secrets), extra={**settings.extra, **extra}, files=files)

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, extra_names: Collection[str] = ()) -> Self:
        """From the variables `BEARWARD_…`: one issuer by its settings or by a profile, or several in `BEARWARD_ISSUERS`.

        An empty variable is as good as none.

        Raises `ConfigurationError` naming the variable, also for one that only a file can say or that is misspelt.
        """
        given = own_variables(with_secret_variables(environ), extra_names)
        mistakes = Mistakes()
        values = read_variables(given, mistakes)
        issuers: tuple[TrustedIssuer | TenantIssuers, ...] = ()
        with mistakes.collected():
            issuers = issuers_of_variables(given, values[Group.ISSUER], values[Group.KEYS])
        for issuer in issuers:
            for name in _FILES:
                with mistakes.collected():
                    _check_file(_qualified(PREFIX, name), getattr(issuer.jwks_options, name))
        mistakes.raise_any()
        return cls(
            **values[Group.SETTINGS],
            revocations=values[Group.REVOCATIONS] or None,
            dpop=values[Group.DPOP] or None,
            issuers=issuers,
            extra=_extra(given, extra_names),
            prefix=PREFIX,
            files=tuple(secret_variable_paths(environ)),
        )

    @classmethod
    def from_toml(cls, path: str | PathLike[str], *, extra_names: Collection[str] = ()) -> Self:
        """Any number of issuers, from the tables `[[issuers]]` of a TOML file; see `docs/samples.md`.

        Raises `ConfigurationError` naming the setting by its place in the file.
        """
        document = _toml(path)
        files = (str(path), *secret_paths(document))
        document = with_secrets(document)
        mistakes = Mistakes()
        for check in (
            partial(reject_unknown, document, {*_TOP_LEVEL, *extra_names}),
            partial(reject_placeholders, "", document),
        ):
            with mistakes.collected():
                check()
        issuers: tuple[tuple[int, TrustedIssuer | TenantIssuers], ...] = ()
        with mistakes.collected():
            issuers = numbered_issuers(document.get("issuers", []))
            _check_files(issuers)
        values = _read_tables(document, mistakes)
        given = {name: document[name] for name in _AS_THEY_ARE if name in document}
        extra = {name: document[name] for name in extra_names if name in document}
        settings: Self | None = None
        with mistakes.collected():
            settings = made_of(
                partial(cls, issuers=tuple(trusted for _, trusted in issuers), extra=extra, files=files),
                {**given, **values},
                {},
            )
        mistakes.raise_any()
        assert settings is not None  # noqa: S101  (otherwise there was a mistake)
        return settings


T = TypeVar("T", bound=Settings)

_SETTING_OF = {"jwks_cache": "cache", "jwks_cache_secret": "cache_secret", "token_cache_bytes": "token_cache"}
"""A verifier's argument: the setting that it came from."""
_DPOP_VARIABLES = {variable.setting: name for name, variable in VARIABLES.items() if variable.group is Group.DPOP}


def _with_own_secrets(settings: T, secrets: Mapping[str, bytes | None]) -> T:
    """The settings of a file with the secrets of the environment, which win: a file may be public."""
    ours, of_revocations = (secrets[variable] for variable in _SECRETS)
    own = settings if ours is None else replace(settings, cache_secret=ours)
    if of_revocations is None or settings.revocations is None:
        return own
    return replace(own, revocations={**settings.revocations, "cache_secret": of_revocations})


def _extra(given: Mapping[str, str], extra_names: Collection[str]) -> dict[str, str]:
    return {name: given[PREFIX + name.upper()] for name in extra_names if PREFIX + name.upper() in given}


def _toml(path: str | PathLike[str]) -> dict[str, Any]:
    """Read the file."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(str(path), f"must be a readable file ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        # A TOMLDecodeError says where and what kind, and quotes at most a name or a character.
        where = f": {error}" if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise ConfigurationError(str(path), f"must be TOML in UTF-8{where}") from None


def _read_tables(document: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """What is not as it is given: each is read, and what is wrong is left out."""
    values: dict[str, Any] = {}
    for name, read in _READERS.items():
        if name in document:
            with mistakes.collected():
                values[name] = read(document[name])
    return values


def _check_files(issuers: Iterable[tuple[int, TrustedIssuer | TenantIssuers]]) -> None:
    """Refuse certificates that are not there: without them no key would ever come, and the log alone would say so."""
    for index, issuer in issuers:
        for name in _FILES:
            _check_file(f"issuers[{index}].keys.{name}", getattr(issuer.jwks_options, name))


def _check_file(setting: str, path: Any) -> None:
    try:
        if path is not None:
            Path(path).open("rb").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no such name"
        raise ConfigurationError(setting, f"must be a readable file ({reason})") from None


def _qualified(prefix: str, setting: str) -> str:
    return prefix + setting.upper() if prefix else setting
