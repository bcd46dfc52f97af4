"""What the page looks at: an issuer in this process, and three servers as processes of their own.

Rules of this file: everything is real and on loopback: tokens are verified by the sample servers, over sockets, with
keys that they fetch. Whatever happens, nothing that was started here keeps running.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bearward import ConfigurationError
from bearward.testing import LocalIssuer
from samples.issuer import AUDIENCE, LIFETIME, Rollover
from samples.playground.profiles import PROFILES, arguments_of
from samples.processes import Process

__all__ = ["ALGORITHMS", "SERVERS", "Scene", "running_scene"]

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA")
SERVERS = ("sanic", "grpc.aio", "grpc.server")

_LINK = "events = '{folder}/events.sock'\n"
_SETTINGS = """\
notes = '{folder}/notes.sqlite'
log_level = 'warning'
proxy_secret = '{secret}'

[dpop]
mode = "allowed"

[[issuers]]
issuer = '{issuer}'
audience = '{audience}'

[issuers.keys]  # shorter than in production, so that one sees the keys being refreshed, and the end of an outage
max_age = 20
min_age = 5
stale_if_error = 60
cooldown = 0.5
burst = 8
max_backoff = 3
read_timeout = 4
"""
_PROFILE = """
[[issuers]]
profile = '{name}'
{arguments}

[issuers.keys]
start = "lazy"
cooldown = 0.5
burst = 8
"""


@dataclass(frozen=True, slots=True)
class Scene:
    """The issuer and the servers; `folder` is private, and `proxy_secret` is what a proxy in front of them knows."""

    folder: Path
    config: Path
    proxy_secret: str
    issuer: LocalIssuer
    rollover: Rollover
    http: str
    grpc: str
    grpc_sync: str

    @property
    def own_config(self) -> Path:
        """The same settings, for a verifier of the playground's own, which asks for each new key at once."""
        return self.folder / "own.toml"

    @property
    def events(self) -> Path:
        """The unix socket to which the servers connect."""
        return self.folder / "events.sock"

    def address(self, server: str) -> str:
        """`http://127.0.0.1:1234`, or `127.0.0.1:1234` for gRPC."""
        return {"sanic": self.http, "grpc.aio": self.grpc, "grpc.server": self.grpc_sync}[server]


@contextmanager
def running_scene(folder: Path, *, issuer_port: int = 0) -> Iterator[Scene]:
    """Everything started, in a folder of its own; raises `ConfigurationError` for a port that is taken."""
    with ExitStack() as stack:
        issuer = LocalIssuer(algorithms=ALGORITHMS, audience=AUDIENCE, lifetime=LIFETIME, port=issuer_port)
        stack.callback(issuer.close)
        rollover = Rollover(issuer)
        try:
            issuer.up()
        except OSError:
            raise ConfigurationError("--issuer-port", "must be a port that is free here") from None
        secret = secrets.token_urlsafe(24)
        config, settings = folder / "settings.toml", _settings(folder, secret, issuer.url, issuer.jwks_uri)
        _write(config, _LINK.format(folder=folder) + settings)
        _write(folder / "own.toml", settings.replace("cooldown = 0.5", "cooldown = 0"))

        def start(module: str, *arguments: str) -> Process:
            command = (module, "--port", "0", "--config", str(config), *arguments)
            return stack.enter_context(Process(*command, echo=True))

        started = [start("samples.http_server"), start("samples.grpc_server"), start("samples.grpc_server", "--sync")]
        http, over_grpc, sync = started[0].url(), started[1].address(), started[2].address()
        yield Scene(folder, config, secret, issuer, rollover, http, over_grpc, sync)


def _write(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)


def _settings(folder: Path, secret: str, issuer: str, jwks_uri: str) -> str:
    profiles = (
        _PROFILE.format(name=name, arguments="\n".join(f"{k} = {v!r}" for k, v in arguments_of(name, jwks_uri).items()))
        for name in PROFILES
    )
    return _SETTINGS.format(folder=folder, secret=secret, issuer=issuer, audience=AUDIENCE) + "".join(profiles)
