"""What happens in issuer and servers, gathered for the page.

Rules of this file: events come from the servers' own observers over a unix socket that only this user can open; the
state of the issuer is read from the issuer itself. Everything is bounded. No token comes this way.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from bearward.testing import SigningKey
from samples.playground.scene import SERVERS, Scene

__all__ = ["Live", "ServerState"]

_MAX_EVENTS = 200
_MAX_LINE = 1 << 20
_MAX_CODES = 64


@dataclass(slots=True)
class ServerState:
    """What one server reported."""

    name: str
    writer: asyncio.StreamWriter | None = None
    health: dict[str, Any] = field(default_factory=dict)
    verified: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    refreshes: Counter[str] = field(default_factory=Counter)

    def to_dict(self, issuer: str) -> dict[str, Any]:
        """For the page: the health is that of the local issuer's keys."""
        issuers = self.health.get("issuers", ())
        own: dict[str, Any] = next((one for one in issuers if one["issuer"] == issuer), {})
        return {
            "name": self.name,
            "connected": self.writer is not None,
            "keys": {name: own.get(name) for name in _SHOWN},
            "cached_tokens": self.health.get("cached_tokens", 0),
            "verified": self.verified,
            "refused": dict(self.refused.most_common()),
            "refreshes": dict(self.refreshes.most_common()),
        }


_MAX_WITHDRAWN = 12
_SHOWN = ("state", "generation", "keys", "age", "next_refresh", "stale_left", "failures", "last_error", "attempts")


class Live:
    """The state that the page shows; used on one event loop."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self.servers = {name: ServerState(name) for name in SERVERS}
        self.events: deque[dict[str, Any]] = deque(maxlen=_MAX_EVENTS)
        self._number = 0
        self._changed = asyncio.Condition()
        self.version = 0
        self._born: dict[str, float] = {key.kid: time.time() for key in scene.issuer.keys.published}
        self._known: dict[str, SigningKey] = {key.kid: key for key in scene.issuer.keys.published}
        self.issuer_is = "up"
        self._listener: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen for the servers."""
        self._listener = await asyncio.start_unix_server(self._serve, self._scene.events, limit=_MAX_LINE)

    async def aclose(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            self._listener.close()
        for server in self.servers.values():
            if server.writer is not None:
                server.writer.close()
        await self.touch()

    async def touch(self) -> None:
        """Something changed: those that wait look again."""
        self.version += 1
        async with self._changed:
            self._changed.notify_all()

    async def wait(self, version: int, seconds: float) -> None:
        """Return once something has changed since `version`, or after `seconds`."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds), self._changed:
                await self._changed.wait_for(lambda: self.version != version)

    async def record(self, server: str, what: str, text: str, **more: Any) -> None:
        """One line of the log."""
        self._number += 1
        self.events.append(
            {"number": self._number, "at": time.time(), "server": server, "what": what, "text": text, **more}
        )
        await self.touch()

    async def tell_all(self, document: dict[str, Any]) -> None:
        """Send a revocation to every server."""
        for server in self.servers.values():
            if server.writer is not None:
                server.writer.write(json.dumps(document).encode() + b"\n")
                await server.writer.drain()

    def snapshot(self, since: int = 0) -> dict[str, Any]:
        """Everything but the streams, and the events after number `since`."""
        issuer = self._scene.issuer
        return {
            "issuer": {
                "url": issuer.url,
                "is": self.issuer_is,
                "requests": issuer.requests("/jwks"),
                "keys": self._keys(),
            },
            "servers": [server.to_dict(issuer.url) for server in self.servers.values()],
            "events": [event for event in self.events if event["number"] > since],
        }

    def _keys(self) -> list[dict[str, Any]]:
        """Published keys and the last that were withdrawn, newest first."""
        ring, now = self._scene.issuer.keys, time.time()
        published = {key.kid: key for key in ring.published}
        for kid, key in published.items():
            self._born.setdefault(kid, now)
            self._known.setdefault(kid, key)
        signing = {ring.key(key.alg).kid for key in published.values()}
        newest = sorted(self._born, key=lambda kid: -self._born[kid])
        withdrawn = [kid for kid in newest if kid not in published]
        forgotten = set(withdrawn[_MAX_WITHDRAWN:])
        return [
            {
                "kid": kid,
                "alg": self._known[kid].alg,
                "age": round(now - self._born[kid], 1),
                "state": "signing" if kid in signing else "published" if kid in published else "withdrawn",
            }
            for kid in newest
            if kid not in forgotten
        ]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server: ServerState | None = None
        try:
            server = self.servers.get(json.loads(await reader.readline()).get("server", ""))
            if server is None:
                return
            server.writer = writer
            while line := await reader.readline():
                await self._take(server, json.loads(line))
        except (ValueError, OSError, asyncio.CancelledError):
            return
        finally:
            if server is not None and server.writer is writer:
                server.writer = None
            writer.close()

    async def _take(self, server: ServerState, document: dict[str, Any]) -> None:
        if "health" in document:
            server.health = document["health"]
            await self.touch()
            return
        event = str(document.get("event"))
        if event == "Verified":
            server.verified += 1
        elif event == "Refused":
            code = str(document["refusal"])
            if code in server.refused or len(server.refused) < _MAX_CODES:
                server.refused[code] += 1
        elif event in ("KeysRefreshed", "RefreshFailed"):
            failed = " (failed)" if event == "RefreshFailed" else ""
            server.refreshes[f"{document['trigger']}{failed}"] += 1
        text = _TEXTS.get(event, _every_member)(document)
        await self.record(server.name, event, text)


def _every_member(document: dict[str, Any]) -> str:
    members = {name: value for name, value in document.items() if name != "event" and isinstance(value, str | int)}
    return ", ".join(f"{name} {value}" for name, value in members.items())


def _short(operation: object) -> str:
    """A route as it is, and of a gRPC method the last name."""
    name = str(operation)
    return name.rpartition("/")[2] if "ProtectedService/" in name else name


_TEXTS: dict[str, Callable[[dict[str, Any]], str]] = {
    "Verified": lambda event: _short(event["operation"]),
    "Refused": lambda event: f"{event['refusal']}, {_short(event['operation'])}",
    "StreamEnded": lambda event: f"{event['refusal']}, {_short(event['operation'])}",
    "KeysRefreshed": lambda event: f"{event['trigger']}: generation {event['generation']}, {event['keys']} keys",
    "RefreshFailed": lambda event: f"{event['trigger']}: {event['cause']}",
    "KeySetChanged": lambda event: (
        f"generation {event['generation']}: {event['added']} added, {event['removed']} removed"
    ),
    "KeysStateChanged": lambda event: str(event["state"]),
    "RulesDecided": lambda event: f"{len(event['rules'])} rules",
}
"""What the log says of an event."""
