"""Our side of most rows: the two sample servers, configured by a TOML file, and a caller for each.

Rule of this file: the samples are started as the README says, and are reached over their sockets alone.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from tests.interop.callers import GRPCCaller, HTTPCaller
from tests.interop.manifest import HERE, TOP
from tests.interop.processes import Process
from tests.interop.sheet import ACCEPTED, Answer, Sheet
from tests.interop.tokens import claims_of

__all__ = ["AUDIENCE", "Pair", "environment", "table", "toml"]

AUDIENCE = "https://api.example"
QUICK: dict[str, Any] = {
    "cooldown": 0.2,
    "max_backoff": 1.0,
    "burst": 100,
    "connect_timeout": 30.0,
    "read_timeout": 30.0,
    "total_timeout": 60.0,
}
"""A row rotates keys within seconds, on machines that are busy: neither the rate limit on fetches nor the patience with an
issuer must be what is tested."""


class Pair:
    """Both samples, trusting these issuers; `sync` adds the gRPC sample on `grpc.server`.

    They have keys before they are asked anything; not so with `wait=False`, for issuers that are not up, or never good.
    `dpop` is the table of that name, `settings` are variables of the samples' own.
    """

    def __init__(
        self,
        sheet: Sheet,
        *issuers: Mapping[str, Any],
        sync: bool = False,
        wait: bool = True,
        name: str = "pair",
        dpop: Mapping[str, Any] | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        config = sheet.folder / f"{name}.toml"
        text = toml([{"keys": QUICK, **issuer} for issuer in issuers])
        config.write_text(f"{text}\n\n{table('dpop', dpop)}" if dpop else text, encoding="utf-8")
        self._environment = environment(**(settings or {}))
        servers = [("http", "samples.http_server"), ("grpc", "samples.grpc_server")]
        servers += [("sync", "samples.grpc_server")] if sync else []
        # all at once: what takes time is that each imports what it needs
        self._processes = [self._started(sheet, f"{name}-{kind}", kind, module, config) for kind, module in servers]
        self.http_url, *targets = [process.line("listening on ") for process in self._processes]
        self.grpc_target, self.sync_target = (*(target.removeprefix("grpc://") for target in targets), "")[:2]
        self.http = HTTPCaller(self.http_url)
        self.grpc = GRPCCaller(self.grpc_target)
        self.callers: list[HTTPCaller | GRPCCaller] = [self.http, self.grpc]
        if sync:
            self.callers.append(GRPCCaller(self.sync_target, "gRPC on threads"))
        for caller in self.callers:
            sheet.stack.callback(caller.close)
        if wait:
            self.until_ready()

    def _started(self, sheet: Sheet, name: str, kind: str, module: str, config: Path) -> Process:
        more = ("--sync",) if kind == "sync" else ()
        command = [sys.executable, "-m", module, "--port", "0", "--config", config, *more]
        return sheet.start(Process(name, command, sheet.folder, env=self._environment))

    def until_ready(self) -> None:
        """Wait until all have an issuer's keys."""
        for process, caller in zip(self._processes, self.callers, strict=True):
            process.until(partial(_true, caller.ready), "no keys")

    def ask(self, token: str | None) -> list[Answer]:
        """What each transport answers to `whoami`; where both accept, they must tell the same, and it the token's."""
        answers = [caller.whoami(token) for caller in self.callers]
        return [_honest(answer, token) for answer in answers]

    def ask_notes(self, token: str | None) -> list[Answer]:
        """What each transport answers to a call that needs the scope `notes:read`."""
        return [caller.notes(token) for caller in self.callers]


def _true(ready: Callable[[], bool]) -> bool | None:
    return ready() or None


def _honest(answer: Answer, token: str | None) -> Answer:
    if answer.verdict == ACCEPTED and (token is None or answer.claims != claims_of(token)):
        return Answer(answer.transport, "accepted, with other claims than the token's", answer.claims)
    return answer


def environment(**more: str) -> dict[str, str]:
    """For a Python process of ours: the tree on its path, and none of the caller's own settings."""
    ours = {name: value for name, value in os.environ.items() if not name.upper().startswith(("BEARWARD_", "SANIC_"))}
    path = [str(TOP / part) for part in ("core", "grpc_adapter", "sanic_adapter", "")]
    if "INTEROP_SABOTAGE" in ours:
        path.insert(0, str(HERE / "sabotaged"))
    # Proxy settings of the machine are for the Internet; nothing here leaves loopback.
    proxies = {name: "" for name in ours if name.lower() in ("http_proxy", "https_proxy", "all_proxy")}
    return ours | proxies | {"PYTHONPATH": os.pathsep.join(path), "PYTHONUNBUFFERED": "1", **more}


def toml(issuers: Iterable[Mapping[str, Any]]) -> str:
    """The configuration file for these issuers."""
    return "\n".join("[[issuers]]\n" + _members(issuer) for issuer in issuers)


def table(name: str, members: Mapping[str, Any]) -> str:
    """One table of a configuration file."""
    return f"[{name}]\n{_members(members)}\n"


def _members(members: Mapping[str, Any]) -> str:
    return "\n".join(f"{name} = {_toml(value)}" for name, value in members.items())


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{json.dumps(name)} = {_toml(item)}" for name, item in value.items()) + "}"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "[" + ", ".join(map(_toml, value)) + "]"
    return json.dumps(value)
