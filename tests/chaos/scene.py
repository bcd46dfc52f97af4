"""The scene of the faults: a real issuer over TLS, a real Valkey, and servers as processes that share it.

They are both samples, and a server that a child serves, forked by a process that had started the verifier.

Rule of this file: whatever is started here is ended here. The times of the store are short, so that a fault of a few
seconds spans several refreshes; the bounds are otherwise those of the defaults.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from bearward.testing import LocalIssuer
from bearward.testing.tls import ThrowAwayAuthority
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
ca_file = "{ca_file}"
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
        self.issuer = LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, tls=True)
        self.issuer_ca: bytes = self.issuer.ca_pem
        """The authority that the issuer's certificate comes from now."""
        self.config: str = ""
        """What the servers' settings file holds."""
        self._mounted: dict[str, bytes] = {}
        self.cache = Valkey(self._directory)
        self.servers: dict[str, str] = {}
        """Transport to `host:port`."""

    def __enter__(self) -> Self:
        self._stack.enter_context(self.issuer)
        self._stack.enter_context(self.cache)
        self.config = _CONFIG.format(
            cache=self.cache.url,
            issuer=self.issuer.url,
            audience=AUDIENCE,
            jwks_uri=self.issuer.jwks_uri,
            max_age=MAX_AGE,
            ca_file=self._directory / "ca.pem",
        )
        self.mount({"servers.toml": self.config.encode(), "ca.pem": self.issuer_ca})
        config = self._directory / "servers.toml"
        commands = {
            "http": ("samples.http_server", "--port", "0", "--workers", "2", "--config", str(config)),
            "grpc": ("samples.grpc_server", "--port", "0", "--config", str(config)),
            "forked": ("tests.chaos.forked", "--config", str(config)),
        }
        processes = {name: self._stack.enter_context(Process(*command)) for name, command in commands.items()}
        self.servers = {name: process.address() for name, process in processes.items()}
        self._processes = processes
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def mount(self, files: Mapping[str, bytes]) -> None:
        """Replace these files as Kubernetes does: all in a new folder, to which a symlink is swapped."""
        self._mounted.update(files)
        folder = Path(tempfile.mkdtemp(dir=self._directory))
        for name, content in self._mounted.items():
            (folder / name).write_bytes(content)
            path = self._directory / name
            if not path.is_symlink():
                path.symlink_to(f"..data/{name}")
        (self._directory / "..next").symlink_to(folder.name)
        (self._directory / "..next").rename(self._directory / "..data")

    def present(self, authority: ThrowAwayAuthority) -> None:
        """Have the issuer present a certificate of another authority from now on."""
        self.issuer._tls = authority.server_context()
        self.issuer_ca = authority.ca_pem

    def fetches(self) -> int:
        """How often the issuer was asked for its keys."""
        return self.issuer.requests("/jwks")

    def errors(self) -> str:
        """What the servers wrote to stderr."""
        return "\n".join(process.errors() for process in self._processes.values())
