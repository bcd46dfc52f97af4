"""Settings of a service, from the environment or from a TOML file: read once, at start, and strictly.

Rules of this file: an unknown name, a wrong type or a missing value is a ConfigurationError that names the setting
and says what it must be; no value is ever shown. Files are opened in two functions, `_toml` and `_check_files`.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from os import PathLike
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from bearward.clock import Clock
from bearward.errors import ConfigurationError
from bearward.revocation.shared import SharedRevocations
from bearward.settings_toml import refuse_unknown, shared_revocations, text, trusted_issuers
from bearward.trusted_issuer import TrustedIssuer
from bearward.verifier import Verifier

__all__ = ["Settings"]

PREFIX = "BEARWARD_"
_CONFIG = "BEARWARD_CONFIG"
_MEMORY = "memory://"
_SHARED = "revocations_"
_ON_FAILURE = "revocations_on_failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Whom to trust, and where to keep what was fetched.

    `extra` holds the settings that the program declared as its own, as the source gave them.

    >>> settings = Settings.from_environment(
    ...     {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": "https://api.example"}
    ... )
    >>> settings.issuers[0].issuer, settings.cache
    ('https://login.example/', 'memory://')
    """

    issuers: tuple[TrustedIssuer, ...]
    cache: str = field(default=_MEMORY, repr=False)
    """An aiocache URL: `memory://`, `redis://…`, `rediss://…`, `memcached://…`; it may hold a password."""
    cache_secret: bytes | None = field(default=None, repr=False)
    """Authenticates what is read from a shared cache."""
    token_cache: int | None = None
    """Bytes to spend on tokens that were verified before; None for the verifier's own default."""
    revocations: Mapping[str, Any] | None = field(default=None, repr=False)
    """What to give to `SharedRevocations`, beside `cache` and `cache_secret`; None where a fleet shares none."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    prefix: str = ""
    """What stands before a setting's name where it was read: `BEARWARD_` in the environment."""

    def verifier(self, **more: Any) -> Verifier:
        """A `Verifier` by these settings, and by `more` of its own; raises `ConfigurationError`."""
        given: dict[str, Any] = {} if self.token_cache is None else {"token_cache_bytes": self.token_cache}
        if self.revocations is not None and "revocations" not in more:
            given["revocations"] = self._shared_revocations(self.revocations, more.get("clock"))
        try:
            return Verifier(*self.issuers, jwks_cache=self.cache, jwks_cache_secret=self.cache_secret, **given, **more)
        except ConfigurationError as error:
            raise ConfigurationError(_named(self.prefix, error.setting), error.requirement) from None

    def _shared_revocations(self, given: Mapping[str, Any], clock: Clock | None) -> SharedRevocations:
        store: dict[str, Any] = {"cache": self.cache, "cache_secret": self.cache_secret}
        try:
            return SharedRevocations(clock=clock, **{**store, **given})
        except ConfigurationError as error:
            # What the table leaves to the fleet's own cache is named as the fleet's.
            own = error.setting in given or error.setting not in store
            name = f"revocations{'_' if self.prefix else '.'}{error.setting}" if own else error.setting
            raise ConfigurationError(_named(self.prefix, name), error.requirement) from None

    @classmethod
    def load(
        cls, environ: Mapping[str, str], *, config: str | PathLike[str] | None = None, extra_names: Collection[str] = ()
    ) -> Self:
        """From the file `config`, or that of `BEARWARD_CONFIG`, else from the environment.

        `extra_names` are settings of the program's own (`notes`: in the environment `BEARWARD_NOTES`, which wins). Raises
        `ConfigurationError`, also where a file and the environment both claim to be the configuration.
        """
        given = _given(environ, extra_names)
        path = given.pop(_CONFIG, None) if config is None else config
        if path is None:
            return cls.from_environment(environ, extra_names=extra_names)
        own = {name: given.pop(PREFIX + name.upper()) for name in extra_names if PREFIX + name.upper() in given}
        for name in sorted(given.keys() - {_CONFIG}):
            raise ConfigurationError(name, "must not be set beside a configuration file: say it there")
        try:
            settings = cls.from_toml(path, extra_names=extra_names)
        except ConfigurationError as error:
            if config is None and error.setting == path:
                raise ConfigurationError(f"{_CONFIG} {path}", error.requirement) from None
            raise
        return replace(settings, extra=MappingProxyType({**settings.extra, **own}))

    @classmethod
    def from_environment(cls, environ: Mapping[str, str], *, extra_names: Collection[str] = ()) -> Self:
        """One issuer, from the variables `BEARWARD_…`; an empty variable is as good as none.

        Raises `ConfigurationError` naming the variable, also for one that looks like a misspelt `BEARWARD_…`.
        """
        given = _given(environ, extra_names)
        for name in ("BEARWARD_ISSUER", "BEARWARD_AUDIENCE"):
            if name not in given:
                raise ConfigurationError(name, f"must be set: {_FROM_ENVIRONMENT[name][1]}")
        values: dict[str, Any] = {}
        for name, (setting, must, read) in _FROM_ENVIRONMENT.items():
            if name in given:
                values[setting] = _converted(name, given[name], must, read)
        extra = {name: given[PREFIX + name.upper()] for name in extra_names if PREFIX + name.upper() in given}
        return cls(
            cache=values.pop("cache", _MEMORY),
            cache_secret=values.pop("cache_secret", None),
            revocations=_revocations(values),
            issuers=(_issuer(values),),
            extra=MappingProxyType(extra),
            prefix=PREFIX,
        )

    @classmethod
    def from_toml(cls, path: str | PathLike[str], *, extra_names: Collection[str] = ()) -> Self:
        """Any number of issuers, from the tables `[[issuers]]` of a TOML file; see `docs/samples.md`.

        Raises `ConfigurationError` naming the setting by its place in the file.
        """
        document = _toml(path)
        refuse_unknown(document, {"cache", "cache_secret", "issuers", "revocations", "token_cache", *extra_names})
        secret = document.get("cache_secret")
        issuers = trusted_issuers(document.get("issuers", []))
        _check_files(issuers)
        return cls(
            issuers=issuers,
            cache=text("cache", document.get("cache", _MEMORY)),
            cache_secret=None if secret is None else text("cache_secret", secret).encode(),
            token_cache=document.get("token_cache"),
            revocations=shared_revocations(document["revocations"]) if "revocations" in document else None,
            extra=MappingProxyType({name: document[name] for name in extra_names if name in document}),
        )


def _toml(path: str | PathLike[str]) -> dict[str, Any]:
    """Read the file: the only place where settings touch the disk."""
    try:
        with Path(path).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(str(path), f"must be a readable file ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        # A TOMLDecodeError says where and what kind, and quotes at most a name or a character.
        where = f": {error}" if isinstance(error, tomllib.TOMLDecodeError) else ""
        raise ConfigurationError(str(path), f"must be TOML in UTF-8{where}") from None


def _check_files(issuers: Iterable[TrustedIssuer]) -> None:
    """Refuse certificates that are not there: without them no key would ever come, and the log alone would say so."""
    for index, issuer in enumerate(issuers):
        for name in ("ca_file", "client_cert", "client_key"):
            path = getattr(issuer.jwks_options, name)
            try:
                if path is not None:
                    Path(path).open("rb").close()
            except (OSError, ValueError) as error:
                reason = getattr(error, "strerror", None) or "no such name"
                raise ConfigurationError(
                    f"issuers[{index}].keys.{name}", f"must be a readable file ({reason})"
                ) from None


def _given(environ: Mapping[str, str], extra_names: Collection[str]) -> dict[str, str]:
    """Our variables that are set to something; raises ConfigurationError for a misspelt one.

    The environment is shared (an orchestrator puts BEARWARD_PORT there for a service of that name), so a variable that
    resembles none of ours is taken for somebody else's.
    """
    known = {_CONFIG, *_FROM_ENVIRONMENT, *(PREFIX + name.upper() for name in extra_names)}
    ours = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    misspelt = [name for name in ours if name not in known and get_close_matches(name, known, cutoff=0.88)]
    refuse_unknown(dict.fromkeys(misspelt), known)
    return {name: value for name, value in ours.items() if name in known and value.strip()}


def _converted(name: str, value: str, must: str, read: Callable[[str], Any]) -> Any:
    try:
        return read(value)
    except ValueError:
        raise ConfigurationError(name, f"must be {must}") from None


def _revocations(values: dict[str, Any]) -> dict[str, Any] | None:
    """Take what `SharedRevocations` is given out of `values`; None where nothing is said about it."""
    named = [setting for setting in values if setting.startswith(_SHARED)]
    if not named:
        return None
    if _ON_FAILURE not in named:
        raise ConfigurationError(_named(PREFIX, _ON_FAILURE), "must be set: refuse or accept")
    return {setting.removeprefix(_SHARED): values.pop(setting) for setting in named}


def _issuer(values: dict[str, Any]) -> TrustedIssuer:
    try:
        return TrustedIssuer(values.pop("issuer"), **values)
    except ConfigurationError as error:
        raise ConfigurationError(_named(PREFIX, error.setting), error.requirement) from None


def _named(prefix: str, setting: str) -> str:
    return prefix + setting.upper() if prefix else setting


def _several(value: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in value.split(","))
    if not all(names):
        raise ValueError
    return names


def _number(value: str) -> float:
    # float() would take "1_0", "nan" and "infinity" too.
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value.strip()):
        raise ValueError
    return float(value)


def _boolean(value: str) -> bool:
    return _word("true", "false")(value) == "true"


def _word(*words: str) -> Callable[[str], str]:
    def read(value: str) -> str:
        word = value.strip().lower()
        if word not in words:
            raise ValueError
        return word

    return read


_FROM_ENVIRONMENT: dict[str, tuple[str, str, Callable[[str], Any]]] = {
    "BEARWARD_ISSUER": ("issuer", "the exact `iss` of the tokens", str),
    "BEARWARD_AUDIENCE": ("audience", "the accepted audience, or several separated by commas", _several),
    "BEARWARD_JWKS_URI": ("jwks_uri", "the https URL of the issuer's keys", str),
    "BEARWARD_ALGORITHMS": ("algorithms", "names of algorithms, separated by commas", _several),
    "BEARWARD_LEEWAY": ("leeway", "a number of seconds between 0 and 300", _number),
    "BEARWARD_CACHE": ("cache", "memory://, redis://…, rediss://… or memcached://…", str),
    "BEARWARD_CACHE_SECRET": ("cache_secret", "a secret that the fleet shares", str.encode),
    "BEARWARD_REVOCATIONS_ON_FAILURE": (_ON_FAILURE, "refuse or accept", _word("refuse", "accept")),
    "BEARWARD_REVOCATIONS_CACHE": ("revocations_cache", "redis://…, rediss://… or memcached://…", str),
    "BEARWARD_REVOCATIONS_NAME": ("revocations_name", "a name of letters, digits, dots, dashes or underscores", str),
    "BEARWARD_UNSAFE_ALLOW_HTTP": ("unsafe_allow_http", "true or false", _boolean),
}
"""Variable: (setting, what it must be, how it is read)."""
