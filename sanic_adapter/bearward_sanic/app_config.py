"""Settings of the adapter, and of the verifier that it makes, from arguments and from `app.config` as `BEARWARD_*`.

Rules of this file: arguments win over `app.config`. Every variable that `bearward.settings` reads may stand there, as text
or as the value that it means, and an unknown name is refused. All mistakes are said at once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from bearward import ConfigurationError, Requirement, Verifier
from bearward.access import Access, as_access
from bearward.access_toml import rule_from_toml
from bearward.frozen import FrozenMapping
from bearward.jose.strict_json import parse_value
from bearward.mistakes import Mistakes, hint, made_of, renamed
from bearward.settings import ENVIRONMENT, Settings
from bearward.settings.catalogue import PREFIX, VARIABLES
from bearward.settings.environment import is_variable
from bearward.settings.secret_files import read_secret
from bearward.socket_tickets import SocketTickets
from bearward_sanic.settings import NAMES, AdapterSettings

__all__ = ["adapter_settings", "configured", "settings_from"]

_TICKETS: Final = ("socket_tickets_secret", "socket_tickets_secret_file", "socket_tickets_lifetime")
"""What makes the `socket_tickets` of a configuration that is text."""
_OWN: Final = NAMES | {*_TICKETS}


def configured(
    config: Mapping[str, Any], arguments: Mapping[str, Any], verifier: Verifier | None
) -> tuple[AdapterSettings, Verifier]:
    """The settings, and the verifier: that one, or the one that `config` means. Raises `ConfigurationError`."""
    mistakes = Mistakes()
    settings: AdapterSettings | None = None
    with mistakes.collected():
        settings = adapter_settings(config, arguments)
    if verifier is None:
        with mistakes.collected():
            verifier = settings_from(config).verifier()
    mistakes.raise_any()
    assert settings is not None and verifier is not None  # noqa: S101, PT018  (otherwise there was a mistake)
    return settings, verifier


def adapter_settings(config: Mapping[str, Any], arguments: Mapping[str, Any]) -> AdapterSettings:
    """The settings of `arguments`, and of `config` where they say nothing; raises `ConfigurationError`."""
    mistakes = Mistakes()
    for name in arguments.keys() - NAMES:
        mistakes.add(ConfigurationError(name, f"is not a setting here; {hint(name, NAMES)}"))
    given = _configured(config, mistakes)
    of_config = given.keys() - arguments.keys()
    values = {**given, **{name: value for name, value in arguments.items() if name in NAMES}}
    found = Mistakes()
    with found.collected():
        _with_tickets(values)
    for name, read in _READERS.items():
        if values.get(name) is not None:
            value = values.pop(name)
            with found.collected():
                values[name] = read(value)
    settings: AdapterSettings | None = None
    with found.collected():
        settings = made_of(AdapterSettings, values, {})
    with mistakes.collected():
        try:
            found.raise_any()
        except ConfigurationError as error:
            raise renamed(error, lambda setting: _named(setting, of_config)) from None
    mistakes.raise_any()
    assert settings is not None  # noqa: S101  (otherwise there was a mistake)
    return settings


def settings_from(config: Mapping[str, Any]) -> Settings:
    """What `BEARWARD_ISSUER` and its companions in `config` say; raises `ConfigurationError`."""
    return Settings.load({key: _as_meant(key, value) for key, value in config.items() if is_variable(key)})


def _as_meant(variable: str, value: Any) -> Any:
    """Sanic makes a boolean of `off` in its environment."""
    setting = VARIABLES.get(variable)
    return "off" if value is False and setting is not None and "off" in setting.kind.words else value


def _configured(config: Mapping[str, Any], mistakes: Mistakes) -> dict[str, Any]:
    """What `config` says of the adapter; a name that nobody knows is a mistake."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = key.removeprefix(PREFIX).lower()
        if not key.startswith(PREFIX) or is_variable(key):
            continue
        if name in _OWN:
            found[name] = value
        else:
            known = {*ENVIRONMENT, *(PREFIX + each.upper() for each in _OWN)}
            mistakes.add(ConfigurationError(key, f"is not a setting here; {_nearest(key, known)}"))
    return found


def _nearest(key: str, known: set[str]) -> str:
    near = hint(key, known)
    return near if near.startswith("did you mean") else "docs/sanic.md and docs/samples.md list all"


def _named(setting: str, of_config: set[str]) -> str:
    name = setting.partition("[")[0].partition(".")[0]
    return PREFIX + name.upper() + setting.removeprefix(name) if name in of_config else setting


def _with_tickets(values: dict[str, Any]) -> None:
    """Make the socket tickets that text describes."""
    said = {name: values.pop(name) for name in _TICKETS if name in values}
    if not said:
        return
    if values.get("socket_tickets") is not None:
        raise ConfigurationError(next(iter(said)), "must not be given together with socket_tickets")
    secret, file, lifetime = (said.get(name) for name in _TICKETS)
    if (secret is None) is (file is None):
        raise ConfigurationError(_TICKETS[0], "must be given once: here or, as the name of a file, with _FILE")
    text = secret if file is None else read_secret(_TICKETS[1], file)
    if not isinstance(text, str):
        raise ConfigurationError(_TICKETS[0], "must be a string")
    try:
        values["socket_tickets"] = SocketTickets(text.encode(), **({} if lifetime is None else {"lifetime": lifetime}))
    except ConfigurationError as error:
        raise renamed(error, lambda setting: f"socket_tickets_{setting}") from None


def _rules(value: object) -> Mapping[str, Access]:
    """Rules by name: objects of `bearward.access`, or what a parsed TOML table or JSON has for them."""
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, Mapping) or any(not isinstance(name, str) for name in value):
        raise ConfigurationError("rules", "must map names of routes to rules")
    mistakes, rules = Mistakes(), dict[str, Access]()
    for name, rule in value.items():
        with mistakes.collected():
            rules[name] = _rule(name, rule)
    mistakes.raise_any()
    return FrozenMapping(rules)


def _parsed(text: str) -> object:
    try:
        return parse_value(text)
    except (ValueError, RecursionError):
        return None


def _rule(name: str, value: object) -> Access:
    setting = f"rules[{name!r}]"
    return as_access(value, setting) if isinstance(value, Access | Requirement) else rule_from_toml(setting, value)


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "default": lambda value: as_access(value, "default"),
    "unsafe_default": lambda value: as_access(value, "unsafe_default"),
    "rules": _rules,
}
