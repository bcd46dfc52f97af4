"""The scene of the faults: a real issuer, a real Valkey, and both sample servers as processes that share it.

Rule of this file: whatever is started here is ended here. The times of the store are short, so that a fault of a few
seconds spans several refreshes; the bounds are otherwise those of the defaults.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bearward.testing import LocalIssuer
from samples.processes import Process
from tests.core.jwks.cache_servers import Valkey

__all__ = ["AUDIENCE", "MAX_AGE", "Scene"]

AUDIENCE = "https://api.example"
MAX_AGE = 2.0
_CONFIG = """
cache = "{cache}"
cache_secret = "a secret that the whole fleet shares"

[[issuers]]
issuer = "{issuer}"
audience = "{audience}"
jwks_uri = "{jwks_uri}"

[issuers.keys]
max_age = {max_age}
stale_if_error = 120
cooldown = 1
max_backoff = 2
read_timeout = 1
total_timeout = 2
"""


class Scene:
    """Everything that runs while its context is open."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE)
        self.cache = Valkey(self._directory)
        self.servers: dict[str, str] = {}
        """Transport to `host:port`."""

    def __enter__(self) -> Self:
        self._stack.enter_context(self.issuer)
        self._stack.enter_context(self.cache)
        config = self._directory / "servers.toml"
        config.write_text(
            _CONFIG.format(
                cache=self.cache.url,
                issuer=self.issuer.url,
                audience=AUDIENCE,
                jwks_uri=self.issuer.jwks_uri,
                max_age=MAX_AGE,
            )
        )
        commands = {
            "http": ("samples.http_server", "--port", "0", "--workers", "2", "--config", str(config)),
            "grpc": ("samples.grpc_server", "--port", "0", "--config", str(config)),
        }
        processes = {name: self._stack.enter_context(Process(*command)) for name, command in commands.items()}
        self.servers = {name: process.address() for name, process in processes.items()}
        self._processes = processes
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def fetches(self) -> int:
        """How often the issuer was asked for its keys."""
        return self.issuer.requests("/jwks")

    def errors(self) -> str:
        """What the servers wrote to stderr."""
        return "\n".join(process.errors() for process in self._processes.values())
