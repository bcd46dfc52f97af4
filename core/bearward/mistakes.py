"""All mistakes of a configuration at once: whoever starts a container mends a file once, not once for each of them.

Rule of this file: pure. A mistake names one setting; of one setting the first mistake counts, since others may follow
from it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any, TypeVar

from bearward.errors import ConfigurationError, SeveralMistakesError

__all__ = ["Mistakes", "hint", "made_of", "nearest", "renamed"]

T = TypeVar("T")


class Mistakes:
    """Collects what is wrong, and raises it in the end.

    >>> mistakes = Mistakes()
    >>> for name in ("audience", "leeway"):
    ...     with mistakes.collected():
    ...         raise ConfigurationError(name, "must be something else")
    >>> mistakes.raise_any()
    Traceback (most recent call last):
        ...
    bearward.errors.SeveralMistakesError: audience: must be something else
    leeway: must be something else
    """

    def __init__(self) -> None:
        self._found: dict[str, ConfigurationError] = {}

    @contextmanager
    def collected(self) -> Iterator[None]:
        """Keep the `ConfigurationError` of the block, and go on after it."""
        try:
            yield
        except ConfigurationError as error:
            self.add(error)

    def add(self, error: ConfigurationError) -> None:
        """Keep it, if it is the first of its setting, and nothing within that setting was wrong before."""
        for mistake in error.mistakes:
            within = (f"{mistake.setting}.", f"{mistake.setting}[")
            if not any(known.startswith(within) for known in self._found):
                self._found.setdefault(mistake.setting, mistake)

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_any(self) -> None:
        """Raise the one that was found, or all of them as one."""
        found = tuple(self._found.values())
        if found:
            raise found[0] if len(found) == 1 else SeveralMistakesError(found)


def renamed(error: ConfigurationError, name: Callable[[str], str]) -> ConfigurationError:
    """The same mistakes, under the names that their settings have where they stand."""
    found = tuple(ConfigurationError(name(each.setting), each.requirement) for each in error.mistakes)
    return found[0] if len(found) == 1 else SeveralMistakesError(found)


def made_of(make: Callable[..., T], values: Mapping[str, Any], stand_ins: Mapping[str, Any]) -> T:
    """`make(**values)`; raises all of its mistakes, each found by leaving out what was wrong before.

    `stand_ins` are valid values, for settings that others depend on.
    """
    mistakes, given, seen = Mistakes(), dict(values), set[str]()
    while True:
        try:
            made = make(**given)
        except ConfigurationError as error:
            mistakes.add(error)
            name = error.setting.partition(".")[0].partition("[")[0]
            if name in seen or name not in {*given, *stand_ins}:
                break
            seen.add(name)
            given.pop(name, None)
            given |= {name: stand_ins[name]} if name in stand_ins else {}
        else:
            if not seen:
                return made
            break
    mistakes.raise_any()
    raise AssertionError("a mistake was found")  # and was raised


def hint(name: str, known: Collection[str]) -> str:
    """What a name that is no setting may have been meant for, or what there is."""
    return nearest(name, known).removeprefix("; ") or f"these are: {', '.join(sorted(known))}"


def nearest(name: object, known: Collection[str]) -> str:
    """What a name that is not known may have been meant for, to be put behind what it must be; empty for nothing.

    >>> nearest("pubilc", ["public", "deny"])
    "; did you mean 'public'?"
    """
    near = get_close_matches(str(name), known, n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""
