"""From variables `BEARWARD_…` to a document as a file holds it: every variable by its kind, nothing guessed.

Rules of this file: pure. A variable that is named like a setting is obeyed or refused, never ignored: an operator who
writes `BEARWARD_EXPECTED_CLAIMS` believes that it restricts something. The environment is shared (an orchestrator puts
`BEARWARD_PORT` there for a service of that name), so a name that resembles no setting is taken for somebody else's.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from difflib import get_close_matches
from typing import Any, Final

from bearward.errors import ConfigurationError
from bearward.mistakes import Mistakes, hint
from bearward.profiles.by_name import flags_of
from bearward.settings.catalogue import PREFIX, SECRET_FILES, SETTINGS, VARIABLES, Setting, Table
from bearward.settings.document import Document
from bearward.settings.issuers import STAND_INS
from bearward.settings.kinds import FLAG, names, value_of_variable
from bearward.settings.places import PROFILE, Place, place_named, secret_of_file
from bearward.settings.tables import reject_placeholder

__all__ = ["CONFIG", "document_of", "is_variable", "overrides", "own_variables", "refuse_others"]

CONFIG: Final = "BEARWARD_CONFIG"
_ISSUERS: Final = "BEARWARD_ISSUERS"
_ISSUER: Final = "BEARWARD_ISSUER"
_TEMPLATE: Final = "BEARWARD_TEMPLATE"
_ARGUMENT: Final = names("text, or several separated by commas")


def own_variables(environ: Mapping[str, Any], extra_names: Collection[str], mistakes: Mistakes) -> dict[str, Any]:
    """Our variables that are set to something; an empty variable is as good as none.

    Mistakes are a misspelt one, and one whose setting is said by another.
    """
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX) and _is_set(value)}
    extra = {PREFIX + name.upper() for name in extra_names}
    found: dict[str, Any] = {}
    for name in sorted(own):
        with mistakes.collected():
            if _is_known(name, extra) or _is_argument(name, own):
                found[name] = own[name]
            else:
                _check_unknown(name, {CONFIG, *VARIABLES, *SECRET_FILES, *extra})
    return found


def is_variable(name: str) -> bool:
    """Whether settings are read from a variable of this name."""
    return name == CONFIG or name.startswith(f"{PROFILE}_") or place_named(secret_of_file(name) or name) is not None


def document_of(given: Mapping[str, Any], said_by: Mapping[str, str], mistakes: Mistakes) -> Document:
    """The document that our variables come to. `said_by`: which variable named the file that one was read from."""
    named = given.keys() | said_by.keys()
    with mistakes.collected():
        _check_sources(named)
    several = _ISSUERS in named
    document = Document({"issuers": [] if several else [{}]}, by_variables=True)
    _leave_out(document, given, said_by)
    for place, name in _placed(given):
        if several and place.steps[0] == "issuers" and not place.numbered and name != _ISSUERS:
            continue  # which is a mistake already
        _put(document, place, given[name], said_by.get(name, name), mistakes)
    if not several:
        for name in given:
            if name.startswith(f"{PROFILE}_"):
                with mistakes.collected():
                    argument = name.removeprefix(f"{PROFILE}_").lower()
                    document.put(("issuers", 0, argument), _argument(name, argument, given), name)
    return document


def refuse_others(given: Mapping[str, Any], said_by: Mapping[str, str], mistakes: Mistakes) -> None:
    """Beside a configuration file, a variable is a mistake unless it says a secret of that file."""
    for name in sorted(given):
        if not _is_override(name) and is_variable(name):
            must = "must not be set together with a configuration file: say it there"
            mistakes.add(ConfigurationError(said_by.get(name, name), must))


def overrides(document: Document, given: Mapping[str, Any], said_by: Mapping[str, str], mistakes: Mistakes) -> None:
    """Put the secrets that variables say into the document of a file, where they win."""
    _leave_out(document, given, said_by)
    for place, name in _placed(given):
        if _is_override(name):
            _put(document, place, given[name], said_by.get(name, name), mistakes)


def _is_override(name: str) -> bool:
    place = place_named(name)
    return place is not None and place.secret and (place.numbered or place.steps[0] != "issuers")


def _placed(given: Collection[str]) -> list[tuple[Place, str]]:
    """What variables set, whole tables before what is in them."""
    placed = [(place, name) for name in given if (place := place_named(name)) is not None]
    return sorted(placed, key=lambda each: (len(each[0].steps), each[0].steps))


def _leave_out(document: Document, given: Mapping[str, Any], said_by: Mapping[str, str]) -> None:
    """A file that cannot be read is a mistake by itself: what it would have said is not missed, nor said by another."""
    for place, name in _placed(said_by.keys() - given.keys()):
        with suppress(ConfigurationError):
            document.leave_out(place.steps, said_by[name])


def _put(document: Document, place: Place, value: Any, name: str, mistakes: Mistakes) -> None:
    try:
        document.put(place.steps, _value(place, name, value), name)
    except ConfigurationError as error:
        mistakes.add(error)
        stand_in = STAND_INS.get(str(place.steps[-1]))
        if stand_in is not None and len(place.steps) == _OF_AN_ISSUER:
            document.put(place.steps, stand_in, name)  # so that nothing else seems wrong for that reason


def _value(place: Place, name: str, value: Any) -> Any:
    if place.kind.schema.get("type") not in ("object", "array"):  # which are looked through where they are read
        reject_placeholder(name, value)
    return value_of_variable(place.kind, name, copy.deepcopy(value))


def _argument(name: str, argument: str, given: Mapping[str, Any]) -> Any:
    """An argument of a profile: text, several with commas between them, or `true` and `false` where it asks for that."""
    twice = PREFIX + argument.upper()
    if twice in given:
        raise ConfigurationError(name, f"must not be set together with {twice}")
    value = given[name]
    reject_placeholder(name, value)
    if argument in flags_of(str(given.get(PROFILE, ""))):
        return value_of_variable(FLAG, name, value)
    if isinstance(value, str) and "," not in value:
        return value.strip()
    return value_of_variable(_ARGUMENT, name, value)


def _is_set(value: object) -> bool:
    return bool(value.strip()) if isinstance(value, str) else value is not None


def _is_known(name: str, extra: Collection[str]) -> bool:
    return name == CONFIG or name in extra or place_named(name) is not None


def _is_argument(name: str, own: Collection[str]) -> bool:
    return PROFILE in own and name.startswith(f"{PROFILE}_")


def _check_unknown(name: str, known: Collection[str]) -> None:
    """Raise `ConfigurationError` for a variable of ours that looks like a setting, and sets nothing."""
    if name in _ONLY_PYTHON:
        raise ConfigurationError(name, f"is {_ONLY_PYTHON[name]} of the program: give it to TrustedIssuer in Python")
    if name in _MEANT:
        raise ConfigurationError(name, f"is not a setting here; did you mean {_MEANT[name]!r}?")
    if name.removesuffix("_FILE") in known and name not in known:
        raise ConfigurationError(
            name, f"is not a setting here: only a secret may be in a file, and {name[:-5]!r} is not one"
        )
    if name.startswith(f"{PROFILE}_"):
        raise ConfigurationError(name, f"must not be set without {PROFILE}, the name of a profile")
    number = re.match(_NUMBERED, name)
    if number is not None:
        raise ConfigurationError(name, _hint_of_numbered(name, number[0]))
    group = name.startswith(_GROUPS)
    if group or get_close_matches(name, known, n=1, cutoff=0.88):
        raise ConfigurationError(name, f"is not a setting here; {hint(name, known)}")


def _hint_of_numbered(name: str, before: str) -> str:
    secrets = {f"{before}_{each}" for each in _SECRETS_OF_AN_ISSUER}
    near = get_close_matches(name, secrets, n=1, cutoff=0.8)
    if near:
        return f"is not a setting here; did you mean {near[0]!r}?"
    return f"is not a secret, and only secrets have variables by number: say it in {_ISSUERS} or in a file"


def _check_sources(given: Collection[str]) -> None:
    """One way to say whom to trust: settings, a template, a profile, or several issuers at once."""
    mistakes = Mistakes()
    ways = [name for name in (_ISSUERS, PROFILE, _TEMPLATE, _ISSUER) if name in given]
    if ways[:1] == [_ISSUERS]:
        for name in sorted(_of_one_issuer(given)):
            mistakes.add(ConfigurationError(name, f"must not be set together with {_ISSUERS}: say it there"))
    elif len(ways) > 1:
        mistakes.add(ConfigurationError(ways[0], f"must not be set together with {ways[1]}, which it says itself"))
    elif not ways:
        mistakes.add(ConfigurationError(_ISSUER, f"must be set: {VARIABLES[_ISSUER].kind.must}"))
    if _TEMPLATE not in given and _ISSUERS not in given:
        for name in sorted({"BEARWARD_TENANTS", "BEARWARD_MAX_TENANTS"} & set(given)):
            mistakes.add(ConfigurationError(name, f"must come with {_TEMPLATE}"))
    if not {_ISSUERS, PROFILE, *_NO_AUDIENCE} & set(given):
        mistakes.add(ConfigurationError(_AUDIENCE, f"must be set: {VARIABLES[_AUDIENCE].kind.must}"))
    mistakes.raise_any()


def _of_one_issuer(given: Collection[str]) -> Iterator[str]:
    for name in given:
        place = place_named(name)
        of_issuer = place is not None and place.steps[0] == "issuers" and not place.numbered
        if name != _ISSUERS and (of_issuer or name.startswith(f"{PROFILE}_")):
            yield name


_GROUPS: Final = ("BEARWARD_DPOP_", "BEARWARD_KEYS_", "BEARWARD_REVOCATIONS_")
"""Nobody else's variables begin so."""
_OF_AN_ISSUER: Final = 3
"""Steps to a setting of an issuer."""
_AUDIENCE: Final = "BEARWARD_AUDIENCE"
_NO_AUDIENCE: Final = frozenset(
    (_AUDIENCE, "BEARWARD_CLIENT_IDS", "BEARWARD_KEYS_ARE_OURS", "BEARWARD_UNSAFE_ANY_AUDIENCE")
)
_NUMBERED: Final = r"BEARWARD_ISSUERS_[0-9]+(?=_)"
_SECRETS_OF_AN_ISSUER: Final = (
    *("KEYS_PROXY", "KEYS_HEADERS", "SYMMETRIC_KEYS_0_SECRET", "SYMMETRIC_KEYS_0_SECRET_BASE64URL"),
)
_ONLY_PYTHON: Final[Mapping[str, str]] = {
    f"{PREFIX}CLAIMS_TYPE": "a type",
    f"{PREFIX}SOURCES": "a tuple of objects",
    f"{PREFIX}KEYS_SOURCES": "a tuple of objects",
}
_TABLES: Final[Mapping[str, Table]] = {"KEYS_": Table.KEYS, "REVOCATIONS_": Table.REVOCATIONS, "DPOP_": Table.DPOP}


def _other_names(table_prefix: str, setting: Setting) -> Iterator[str]:
    yield f"{PREFIX}{table_prefix}{setting.name.upper()}"
    if setting.table is Table.KEYS:
        yield f"{PREFIX}{setting.name.upper()}"


_MEANT: Final[Mapping[str, str]] = {
    f"{PREFIX}KEYS": f"{PREFIX}KEYS_…",
    f"{PREFIX}JWKS_OPTIONS": f"{PREFIX}KEYS_…",
    f"{PREFIX}REVOCATIONS": f"{PREFIX}REVOCATIONS_ON_FAILURE",
    **{
        name: each.variable
        for table_prefix, table in _TABLES.items()
        for each in SETTINGS
        if each.table is table and each.variable is not None
        for name in _other_names(table_prefix, each)
        if name not in VARIABLES
    },
}
"""What somebody may call a setting by its name or its table, and its variable."""
