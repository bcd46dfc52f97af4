"""`bearward rules`: who may call what, of an application or a server given as `module:name`.

Rules of this file: the adapters say what was decided; this prints it. An adapter is imported only for an object of its
framework, which the program has imported already.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from bearward.access import Access
from bearward.command_line.ending import CommandError, ExitCode
from bearward.command_line.loading import load
from bearward.command_line.output import print_json, table

__all__ = ["command", "rules_of"]


@click.command("rules")
@click.argument("app", metavar="MODULE:NAME")
@click.option(
    "--registered", metavar="MODULE:NAME", multiple=True, help="gRPC: what registers methods (add_..._to_server)."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(app: str, registered: tuple[str, ...], *, as_json: bool) -> int:
    """Show who may call what.

    MODULE:NAME is a Sanic application, a gRPC server from check_on_start(server, policy), or a policy of gRPC methods (a
    Policy, or a mapping of rules) with --registered for what a server registers; MODULE:NAME() calls a factory. Exit
    code 2: it would not start.
    """
    rows = rules_of(load(app), tuple(load(name) for name in registered))
    if as_json:
        print_json({"rules": [{"name": name, "method": method, "rule": rule} for name, method, rule in rows]})
    else:
        table(("name", "method", "rule"), rows)
    return ExitCode.OK


def rules_of(loaded: Any, registered: tuple[Any, ...]) -> list[tuple[str, str, str]]:
    """Name, method and rule of everything that can be called; raises `ConfigurationError` and `CommandError`."""
    if _is_of("sanic", loaded):
        table_of: Mapping[tuple[str, str], Access] = import_module("bearward_sanic").rules(loaded)
        return [(name, method, repr(rule)) for (name, method), rule in sorted(table_of.items())]
    decided = getattr(loaded, "bearward_rules", None)
    if callable(decided):  # a server that `check_on_start` watches
        return [(name, "", repr(rule)) for name, rule in decided().items()]
    if _is_of("bearward_grpc", loaded) or isinstance(loaded, Mapping):
        return _of_policy(loaded, registered)
    raise CommandError("must be a Sanic application, a gRPC server from check_on_start(server, policy), or a policy")


def _of_policy(policy: Any, registered: tuple[Any, ...]) -> list[tuple[str, str, str]]:
    adapter: Any = import_module("bearward_grpc")
    if not isinstance(policy, adapter.Policy):
        policy = adapter.Policy(policy)
    if registered:
        adapter.check(policy, *registered)
        return [(name, "", repr(rule)) for name, rule in adapter.rules(policy, *registered).items()]
    written = [(name, "", repr(rule)) for name, rule in sorted(policy.rules.items())]
    return [*written, ("(every other method)", "", repr(policy.default))]


def _is_of(package: str, loaded: Any) -> bool:
    return any(base.__module__.partition(".")[0] == package for base in type(loaded).__mro__)
