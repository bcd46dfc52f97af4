"""An object of a program, given as `module:name`.

Rules of this file: the program's module is imported as Python imports it, from the working directory too. What goes wrong
while it is imported is one line, which names the kind of the error and no more: its text is the program's.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from bearward.command_line.ending import CommandError

__all__ = ["load"]


def load(given: str) -> Any:
    """The object that `module:name` means, called if it is a factory `module:name()`; raises `CommandError`."""
    module, mark, name = given.partition(":")
    if not mark or not module or not name:
        raise CommandError(f"{given}: must be module:name, such as service:app, or service:make_app() for a factory")
    sys.path.insert(0, "")
    found: Any = _imported(module)
    for part in name.removesuffix("()").split("."):
        if not hasattr(found, part):
            raise CommandError(f"{given}: there is no {part} in it")
        found = getattr(found, part)
    if not name.endswith("()"):
        return found
    try:
        return found()
    except Exception as error:
        raise CommandError(f"{given}: failed when it was called ({type(error).__name__})") from error


def _imported(module: str) -> Any:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise CommandError(f"{module}: cannot be imported: there is no module {error.name}") from None
    except Exception as error:
        raise CommandError(f"{module}: failed while it was imported ({type(error).__name__})") from error
