"""Settings of a service, read strictly from the environment or from a TOML file, and fit to be sent to its workers.

Rules of this file: an unknown name, a wrong type or a missing value is a `ConfigurationError` that names the setting
and says what it must be, all of them at once; no value is ever shown. Files are opened in `files.py` and
`secret_files.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from os import PathLike
from typing import Any, Self, TypeVar

from bearward.clock import Clock
from bearward.errors import ConfigurationError
from bearward.frozen import frozen
from bearward.issuers.tenants import TenantIssuers
from bearward.mistakes import Mistakes, made_of, renamed
from bearward.revocation.shared import SharedRevocations
from bearward.settings.arguments import check_names, issuers_of, values_of
from bearward.settings.catalogue import PREFIX, SECRET_FILES, VARIABLES
from bearward.settings.document import Document
from bearward.settings.dpop import dpop_options
from bearward.settings.environment import CONFIG, document_of, overrides, own_variables, refuse_others
from bearward.settings.files import check_files, document_in
from bearward.settings.issuers import STAND_INS
from bearward.settings.places import name_at
from bearward.settings.secret_files import secret_variable_paths, with_secret_variables, with_secrets
from bearward.trusted_issuer import TrustedIssuer
from bearward.verifier import Verifier

__all__ = ["ENVIRONMENT", "Settings"]

ENVIRONMENT = frozenset({*VARIABLES, *SECRET_FILES, CONFIG})
"""Every variable that `Settings` reads, but for a program's own, a profile's arguments, and secrets by place."""
ExtraNames = Collection[str] | Mapping[str, Callable[[Any], object]]
_MEMORY = "memory://"
_STAND_IN = TrustedIssuer(STAND_INS["issuer"], audience="an audience")


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
    dpop: Mapping[str, Any] | None = field(default=None, repr=False)
    """What is asked of DPoP proofs, by the names of the table `[dpop]`; None where the scheme is not offered."""
    explain: bool = False
    """Whether a refusal carries its explanation, check by check; for development, on a server on loopback."""
    unsafe_explain_remote: bool = False
    """The same for a server that listens beyond loopback: anybody may learn what is configured."""
    extra: Mapping[str, Any] = field(default_factory=dict, repr=False)
    prefix: str = ""
    """What stands before a setting's name where it was read: `BEARWARD_` in the environment."""
    given_as: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)
    """By place: the name of what said a setting, where it was read under another name than its own."""
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
        object.__setattr__(self, "given_as", frozen(self.given_as))

    def verifier(self, *, default_origins: Collection[str] = (), **more: Any) -> Verifier:
        """A `Verifier` by these settings, and by `more` of its own; raises `ConfigurationError`.

        `default_origins` are the public origins for DPoP where the settings name none.
        """
        mistakes, given = Mistakes(), dict[str, Any]()
        if self.token_cache is not None:
            given["token_cache_bytes"] = self.token_cache
        if self.revocations is not None and "revocations" not in more:
            with self._collected(mistakes):
                given["revocations"] = self._shared_revocations(self.revocations, more.get("clock"))
        if "dpop" not in more:
            with self._collected(mistakes):
                given |= dpop_options(
                    self.dpop or {},
                    once=any(issuer.single_use for issuer in self.issuers),
                    cache=self.cache,
                    cache_secret=self.cache_secret,
                    default_origins=default_origins,
                    clock=more.get("clock"),
                )
        given |= {
            "jwks_cache": self.cache,
            "jwks_cache_secret": self.cache_secret,
            "unsafe_allow_unauthenticated_cache": self.unsafe_allow_unauthenticated_cache,
            "explain": self.explain,
            "unsafe_explain_remote": self.unsafe_explain_remote,
        }
        with self._collected(mistakes):
            verifier = made_of(partial(Verifier, *self.issuers), {**given, **more}, _CACHE)
        mistakes.raise_any()
        return verifier

    @contextmanager
    def _collected(self, mistakes: Mistakes) -> Iterator[None]:
        """Keep the mistakes of the block under the names that their settings have here, each name once."""
        try:
            yield
        except ConfigurationError as error:
            mistakes.add(renamed(error, self._own_name))

    def _own_name(self, setting: str) -> str:
        """What an argument of a verifier, or a setting of DPoP, is called where these settings were read."""
        place = f"dpop.{setting}" if setting in ("origins", "prefix") else _SETTING_OF.get(setting, setting)
        return name_at(place, self.given_as, by_variables=bool(self.prefix))

    def _shared_revocations(self, given: Mapping[str, Any], clock: Clock | None) -> SharedRevocations:
        store: dict[str, Any] = {"cache": self.cache, "cache_secret": self.cache_secret}
        try:
            return made_of(partial(SharedRevocations, clock=clock), {**store, **given}, _REVOCATIONS)
        except ConfigurationError as error:
            # What the table leaves to the fleet's own cache is named as the fleet's.
            own = given.keys() | (_REVOCATIONS.keys() - store.keys())
            raise renamed(error, lambda name: name if name in store.keys() - own else f"revocations.{name}") from None

    @classmethod
    def load(
        cls, environ: Mapping[str, Any], *, config: str | PathLike[str] | None = None, extra_names: ExtraNames = ()
    ) -> Self:
        """From the file `config`, or that of `BEARWARD_CONFIG`, else from the environment.

        `extra_names` are settings of the program's own (`notes`: in the environment `BEARWARD_NOTES`, which wins); a
        mapping has for each a function that is called with its value, and raises `ConfigurationError` for a wrong one.
        `environ` may also be an application's configuration, whose values need not be text. Raises
        `ConfigurationError`, also where a file and the environment both claim to be the configuration.
        """
        mistakes = Mistakes()
        given, said_by = _own_variables(environ, extra_names, mistakes)
        of_variables = given.pop(CONFIG, None)
        path = of_variables if config is None else config
        if path is None:
            return cls.from_environment(environ, extra_names=extra_names)
        name = str(path) if config is not None else f"{CONFIG} {path}"
        refuse_others(given, said_by, mistakes)
        document = document_in(path, name, mistakes)
        overrides(document, given, said_by, mistakes)
        return _Reading(document, extra_names, mistakes).settings(
            cls, extra=_extra(given, extra_names), files=(str(path), *secret_variable_paths(environ))
        )

    @classmethod
    def from_environment(cls, environ: Mapping[str, Any], *, extra_names: ExtraNames = ()) -> Self:
        """From the variables `BEARWARD_…`: one issuer by its settings or by a profile, or several in `BEARWARD_ISSUERS`.

        An empty variable is as good as none.

        Raises `ConfigurationError` naming each variable that is wrong, also one that is misspelt.
        """
        mistakes = Mistakes()
        given, said_by = _own_variables(environ, extra_names, mistakes)
        document = document_of(given, said_by, mistakes)
        return _Reading(document, extra_names, mistakes).settings(
            cls, extra=_extra(given, extra_names), files=tuple(secret_variable_paths(environ))
        )

    @classmethod
    def from_toml(cls, path: str | PathLike[str], *, extra_names: ExtraNames = ()) -> Self:
        """Any number of issuers, from the tables `[[issuers]]` of a TOML file; see `docs/samples.md`.

        Raises `ConfigurationError` naming each setting that is wrong by its place in the file.
        """
        mistakes = Mistakes()
        document = document_in(path, str(path), mistakes)
        return _Reading(document, extra_names, mistakes).settings(cls, extra={}, files=(str(path),))


T = TypeVar("T", bound=Settings)


class _Reading:
    """The way from a document to settings: every mistake of it is collected, under the name that was given."""

    def __init__(self, document: Document, extra_names: ExtraNames, mistakes: Mistakes) -> None:
        self._document = document
        self._extra_names = extra_names
        self._mistakes = mistakes

    def settings(self, cls: type[T], *, extra: Mapping[str, Any], files: tuple[str, ...]) -> T:
        """The settings; raises `ConfigurationError` with all mistakes, also those that a verifier would find."""
        document, found = self._document, Mistakes()
        secrets = with_secrets(document, found)
        check_names(document.tables, self._extra_names, found)
        issuers = issuers_of(document.tables, found)
        check_files(issuers, found)
        values = values_of(document.tables, found)
        own = {name: document.tables[name] for name in self._extra_names if name in document.tables}
        self._check_extra(own, "")
        self._check_extra(extra, PREFIX)
        make = partial(
            cls,
            extra={**own, **extra},
            prefix=PREFIX if document.by_variables else "",
            given_as=document.given_as,
            files=(*files, *secrets),
        )
        self._keep(found)
        with self._mistakes.collected():
            settings = make(issuers=tuple(trusted for _, trusted in issuers) or (_STAND_IN,), **values)
            if self._mistakes:  # what is wrong beyond is said now, and not at the next start
                settings.verifier(default_origins=(STAND_INS["issuer"],))
        self._mistakes.raise_any()
        return settings

    def _check_extra(self, extra: Mapping[str, Any], prefix: str) -> None:
        """Have the program judge its own settings, which are named as they were given."""
        checks = self._extra_names if isinstance(self._extra_names, Mapping) else {}
        for name in extra.keys() & checks.keys():
            try:
                checks[name](extra[name])
            except ConfigurationError as error:
                self._mistakes.add(ConfigurationError(_qualified(prefix, name), error.requirement))

    def _keep(self, found: Mistakes) -> None:
        try:
            found.raise_any()
        except ConfigurationError as error:
            self._mistakes.add(self._document.named(error))


_SETTING_OF = {"jwks_cache": "cache", "jwks_cache_secret": "cache_secret", "token_cache_bytes": "token_cache"}
"""A verifier's argument: the setting that it came from."""
_CACHE = {"jwks_cache_secret": bytes(16)}
_REVOCATIONS = {"on_failure": "refuse", "cache": "redis://stand-in.invalid", "cache_secret": bytes(16)}
"""In place of what is wrong, so that nothing else seems wrong for that reason."""


def _own_variables(
    environ: Mapping[str, Any], extra_names: Collection[str], mistakes: Mistakes
) -> tuple[dict[str, Any], dict[str, str]]:
    given, said_by = with_secret_variables(environ, mistakes)
    return own_variables(given, extra_names, mistakes), said_by


def _qualified(prefix: str, name: str) -> str:
    return prefix + name.upper() if prefix else name


def _extra(given: Mapping[str, Any], extra_names: Collection[str]) -> dict[str, Any]:
    own = {name: _qualified(PREFIX, name) for name in extra_names}
    return {name: given[variable] for name, variable in own.items() if variable in given}
