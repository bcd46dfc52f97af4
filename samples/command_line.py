"""What the sample commands share: arguments, settings, the ready line, and how they end.

Rules of this file: an invalid setting is one line on stderr, naming it and what it must be, and exit code 2. Ready is one
line on stdout. SIGTERM and SIGINT end a command cleanly, silently, with exit code 0.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, NoReturn

from bearward import AuthError, ConfigurationError, TenantIssuers, TrustedIssuer
from bearward.settings import Settings
from samples.notes import MEMORY, NoteStore
from samples.observability import SETTINGS, log_as, log_until_configured
from samples.proxy import certificate_by

__all__ = [
    "LOOPBACK_ORIGINS",
    "RELOAD",
    "STOPS",
    "Parser",
    "bind_socket",
    "ignore_reload",
    "listening_origins",
    "load",
    "notes_path",
    "open_notes",
    "print_ready",
    "run_command",
    "stop_event",
    "wait_for_stop",
]

STOPS = (signal.SIGTERM, signal.SIGINT)
"""The signals that end a command."""
RELOAD = signal.SIGHUP
"""The signal at which a server reads its settings again."""
_START_WAIT = 0.5
"""Seconds to wait for keys before listening without them."""
LOOPBACK_ORIGINS = ("http://127.0.0.1", "http://localhost")
"""Public origins of a server without a configured address."""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors are one line."""

    def error(self, message: str) -> NoReturn:
        """Print one line and exit with code 2."""
        self.exit(2, f"{self.prog}: {message}\n")

    def add_address(self, port: int) -> None:
        """`--host` and `--port`."""
        self.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
        self.add_argument("--port", type=_port, default=port, help="0 for any free port (default: %(default)s)")

    def add_config(self) -> None:
        """`--config`."""
        self.add_argument(
            "--config", metavar="FILE", help="settings in TOML; without it BEARWARD_CONFIG, or BEARWARD_…"
        )


def run_command(name: str, run: Callable[[], None]) -> None:
    """Run a command: an invalid setting becomes one line and exit code 2, missing keys that are required exit code 1."""
    log_until_configured()
    # Until the command installs its own handler: an exception, so that whatever it has opened is closed.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        code = _exit_code(name, run)
    except KeyboardInterrupt:
        code = 0
    for number in STOPS:  # it is ending already: a signal would interrupt that with a traceback
        signal.signal(number, signal.SIG_IGN)
    sys.exit(code)


def _exit_code(name: str, run: Callable[[], None]) -> int:
    try:
        run()
    except ConfigurationError as error:
        for mistake in error.mistakes:
            print(f"{name}: {' '.join(str(mistake).split())}", file=sys.stderr)
        return 2
    except AuthError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    return 0


def load(config: str | None) -> Settings:
    """The settings of a sample server, from `config` or from the environment, checked as a whole."""
    try:
        settings = Settings.load(os.environ, config=config, extra_names=OWN)
    except ConfigurationError as error:
        if error.setting == config:
            raise ConfigurationError(f"--config {config}", error.requirement) from None
        raise
    settings.verifier(default_origins=LOOPBACK_ORIGINS)
    log_as(settings)
    _preload()
    return replace(settings, issuers=tuple(map(_with_short_start_wait, settings.issuers)))


def listening_origins(host: str, port: int) -> tuple[str, ...]:
    """What clients may call a server that listens on this address, over TLS or not: a convenience, for the samples only."""
    names = [f"[{host}]" if ":" in host else host]
    if host in ("0.0.0.0", "::", "127.0.0.1", "::1", "localhost"):  # noqa: S104  (nothing is bound here)
        names = [*(name for name in names if name not in ("0.0.0.0", "[::]")), "127.0.0.1", "localhost", "[::1]"]  # noqa: S104
    return tuple(f"{scheme}://{name}:{port}" for name in dict.fromkeys(names) for scheme in ("http", "https"))


def notes_path(settings: Settings) -> str:
    """Where the notes are: a file, or `:memory:`."""
    return str(settings.extra.get("notes", MEMORY))


def _check_path(path: object) -> None:
    if not isinstance(path, str) or not path:
        raise ConfigurationError("path", "must be the path of a file")


OWN: Final[Mapping[str, Callable[[Any], object]]] = {
    "notes": _check_path,
    "events": _check_path,
    "proxy_secret": certificate_by,
    **SETTINGS,
}
"""Settings of the samples beside those of bearward, each with what checks it: where the notes are, where events go, what a
proxy knows, and what is logged."""


def open_notes(path: str) -> NoteStore:
    """The notes there; a `ConfigurationError` names the setting as it was given."""
    try:
        return NoteStore(path)
    except ConfigurationError as error:
        given = os.environ.get("BEARWARD_NOTES", "").strip()
        raise ConfigurationError("BEARWARD_NOTES" if given else error.setting, error.requirement) from None


def bind_socket(host: str, port: int) -> socket.socket:
    """A socket bound to this address, not listening yet; raises `ConfigurationError`."""
    if not host:
        raise ConfigurationError("--host", "must be an address; 0.0.0.0 and :: are all addresses of this machine")
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
    except (OSError, UnicodeError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or "no such address"
        raise ConfigurationError("--host, --port", f"must be an address that is free here ({reason})") from None
    return sock


def print_ready(scheme: str, host: str, port: int) -> None:
    """Print the ready line: calls are served from now on."""
    print(f"listening on {scheme}://{f'[{host}]' if ':' in host else host}:{port}", flush=True)


def ignore_reload() -> None:
    """Until the server has its own handler: it is about to read its settings anyway."""
    signal.signal(RELOAD, signal.SIG_IGN)


def stop_event() -> threading.Event:
    """An event that SIGTERM or SIGINT sets from now on; call this before `print_ready`, so that no signal is too early."""
    stop = threading.Event()
    for number in STOPS:
        signal.signal(number, lambda *_: stop.set())
    return stop


def wait_for_stop(stop: threading.Event | None = None) -> None:
    """Block the main thread until SIGTERM or SIGINT; `stop` is an event that `stop_event` returned earlier."""
    stop = stop or stop_event()
    # A wait without a timeout may sleep through a signal that arrives in the wrong instant.
    while not stop.wait(0.5):
        pass


def _preload() -> None:
    """Import what bearward imports at its first fetch: once, before there are workers, while no call waits."""
    import aiocache  # noqa: F401
    import httpcore2  # noqa: F401


def _with_short_start_wait(issuer: TrustedIssuer | TenantIssuers) -> TrustedIssuer | TenantIssuers:
    """The same, for a server that listens within two seconds even if its issuer does not answer."""
    if isinstance(issuer, TenantIssuers):  # whose keys are fetched when one of them is asked for
        return issuer
    options = replace(issuer.jwks_options, start_wait=min(issuer.jwks_options.start_wait, _START_WAIT))
    return replace(issuer, jwks_options=options)


def _port(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError("must be a number from 0 to 65535")
    return int(text)
