"""The optional link of a sample server to the playground: the server's state goes out, revocations come in.

Rules of this file: off unless the setting `events` names a unix socket, which only its owner can connect to. What is sent
are events, counts and the health of the keys, never a token. A server waits for nothing here, and serves the same with
and without the link.
"""

from __future__ import annotations

import json
import os
import queue
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import fields
from enum import Enum
from typing import Any

from bearward import ConfigurationError, Refusal
from bearward.events import Event
from bearward.revocation import Revocations
from bearward.settings import Settings
from bearward.verifier import Verifier
from samples.observability import metrics_observers

__all__ = ["REVOCABLE", "EventLink", "event_members", "linked_verifier"]

_MAX_WAITING = 1000
"""Events that wait for the playground; further ones are dropped."""
_HEALTH_INTERVAL = 0.25
"""Seconds between two reports of the health."""
_RETRY = 0.1

REVOCABLE: Mapping[str, Callable[[Revocations, str, str, float, float], None]] = {
    "token": lambda revoked, issuer, name, _, until: revoked.revoke_token(issuer, name, until=until),
    "session": lambda revoked, issuer, name, now, until: revoked.revoke_session(issuer, name, before=now, until=until),
    "subject": lambda revoked, issuer, name, now, until: revoked.revoke_subject(issuer, name, before=now, until=until),
    "key": lambda revoked, issuer, name, _, until: revoked.revoke_key(issuer, name, until=until),
}
"""What can be revoked in one process: from its revocations, issuer, name, now and the end of the entry."""


class EventLink:
    """Sends what happens in this server to the unix socket at `path`, and puts revocations from there in force."""

    def __init__(self, path: str, server: str) -> None:
        self._path = path
        self._server = server
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(_MAX_WAITING)
        self._verifier: Verifier | None = None

    def observe(self, event: Event) -> None:
        """An observer of a `Verifier`."""
        with suppress(queue.Full):
            self._waiting.put_nowait(event_members(event))

    def start(self, verifier: Verifier) -> None:
        """Connect, in a thread of its own, as soon as the playground listens; ends with the process."""
        self._verifier = verifier
        threading.Thread(target=self._keep_sending, name="events", daemon=True).start()

    def _keep_sending(self) -> None:
        while True:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                sock.connect(self._path)
                threading.Thread(target=self._take_revocations, args=(sock.dup(),), name="revoke", daemon=True).start()
                self._send_all(sock)
            threading.Event().wait(_RETRY)

    def _send_all(self, sock: socket.socket) -> None:
        self._send(sock, {"server": self._server, "pid": os.getpid()})
        while True:
            with suppress(queue.Empty):
                while (item := self._waiting.get(timeout=_HEALTH_INTERVAL)) is not None:
                    self._send(sock, item)
                    if self._waiting.empty():
                        break
            assert self._verifier is not None
            self._send(sock, {"health": _health(self._verifier)})

    @staticmethod
    def _send(sock: socket.socket, document: dict[str, Any]) -> None:
        sock.sendall(json.dumps(document, default=str).encode() + b"\n")

    def _take_revocations(self, sock: socket.socket) -> None:
        with sock, suppress(OSError), sock.makefile("rb") as lines:
            for line in lines:
                asked = json.loads(line)
                assert self._verifier is not None
                revocations, now = self._verifier.revocations, self._verifier.now()
                REVOCABLE[asked["kind"]](revocations, asked["issuer"], asked["name"], now, asked["until"])


def event_members(event: Event) -> dict[str, Any]:
    """An event of `bearward.events` as JSON has it: its name, and its fields."""
    members = {field.name: _plain(getattr(event, field.name)) for field in fields(event)}
    return {"event": type(event).__name__, **members}


def linked_verifier(settings: Settings, server: str, **more: Any) -> Verifier:
    """The verifier of these settings, observed where they say so: by the playground (`events`), by Prometheus (`metrics`)."""
    path, observers = settings.extra.get("events"), metrics_observers(settings)
    if path is None:
        return settings.verifier(observers=observers, **more)
    if not isinstance(path, str) or not path:
        raise ConfigurationError("events", "must be the path of the playground's unix socket")
    link = EventLink(path, server)
    verifier = settings.verifier(observers=[link.observe, *observers], **more)
    link.start(verifier)
    return verifier


def _health(verifier: Verifier) -> dict[str, Any]:
    """The health of the issuers whose keys were asked for so far; the playground's servers trust two dozen."""
    health = verifier.health()
    issuers = [issuer.to_dict() for issuer in health.issuers if issuer.attempts]
    return {"ready": health.ready, "issuers": issuers, "cached_tokens": health.cached_tokens}


def _plain(value: object) -> Any:
    if isinstance(value, Refusal):
        return value.code
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Mapping):
        return {str(name): _plain(item) for name, item in value.items()}
    if isinstance(value, frozenset | set | tuple | list):
        return [_plain(item) for item in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)
