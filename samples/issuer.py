"""`python -m samples.issuer`: a local OpenID issuer for development. It issues a token to every caller.

Beside what `bearward.testing.LocalIssuer` serves (discovery document, JWK Set, `POST /token`) it serves, to callers
on this machine alone, `POST /rotate` (sign with a new key; the old ones stay published) and `POST /withdraw` (publish
the signing key alone). Tokens live five minutes; the form parameter `lifetime` asks for less.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import closing

from bearward import ConfigurationError
from bearward.fetch.urls import is_loopback_host
from bearward.testing import LocalIssuer, Request, Response, SigningKey, json_response
from samples.command_line import Parser, print_ready, run_command, stop_event, wait_for_stop

__all__ = ["Rollover", "main"]

LIFETIME = 300
AUDIENCE = "https://api.example"


class Rollover:
    """Rolls the issuer's signing key, by hand and by time."""

    def __init__(self, issuer: LocalIssuer) -> None:
        self._issuer = issuer
        self._lock = threading.Lock()
        self._retired: deque[tuple[SigningKey, float]] = deque()
        issuer.serve("/rotate", lambda request: self._asked(request, self.rotate))
        issuer.serve("/withdraw", lambda request: self._asked(request, self.withdraw))

    def rotate(self, alg: str | None = None) -> None:
        """Sign with the key that is published next, or with a new one; of the default algorithm where none is given."""
        with self._lock:
            self._retired.append((self._issuer.key(alg), time.monotonic()))
            self._issuer.rotate(alg)

    def withdraw(self, older_than: float = 0.0) -> None:
        """Publish no longer what has not signed for this many seconds."""
        with self._lock:
            while self._retired and self._retired[0][1] <= time.monotonic() - older_than:
                self._issuer.withdraw(self._retired.popleft()[0])

    def keep_rolling(self, every: float) -> None:
        """In a thread: publish a key, sign with it half a period later, withdraw it once its last token has expired."""
        threading.Thread(target=self._roll, args=(every,), name="rollover", daemon=True).start()

    def _roll(self, every: float) -> None:
        while True:
            self._issuer.publish_next()
            time.sleep(every / 2)
            self.rotate()
            time.sleep(every / 2)
            self.withdraw(older_than=self._issuer.lifetime)

    def _asked(self, request: Request, act: Callable[[], None]) -> Response:
        if not is_loopback_host(request.client):
            return json_response({"error": "forbidden"}, 403)
        if request.method != "POST":
            return json_response({"error": "method_not_allowed"}, 405, Allow="POST")
        act()
        published = [key.kid for key in self._issuer.keys.published]
        return json_response({"signing": self._issuer.key().kid, "published": published})


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = Parser("python -m samples.issuer", description="A local OpenID issuer for development.")
    parser.add_address(9000)
    parser.add_argument("--issuer", metavar="URL", help="the issuer identifier (default: the address it listens on)")
    parser.add_argument("--audience", default=AUDIENCE, help="of tokens that ask for none (default: %(default)s)")
    parser.add_argument("--algorithm", default="RS256", help="what it signs by (default: %(default)s)")
    parser.add_argument("--rotate-every", type=float, metavar="SECONDS", help="roll the signing key by itself")
    arguments = parser.parse_args()
    if arguments.rotate_every is not None and not 1 <= arguments.rotate_every <= 86_400:
        raise ConfigurationError("--rotate-every", "must be a number of seconds from 1 to 86400")
    issuer, stop = _issuer(arguments), stop_event()
    with closing(issuer):
        rollover = Rollover(issuer)
        _listen(issuer)
        if arguments.rotate_every is not None:
            rollover.keep_rolling(arguments.rotate_every)
        print_ready("http", issuer.host, issuer.port)
        wait_for_stop(stop)


def _issuer(arguments: argparse.Namespace) -> LocalIssuer:
    try:
        return LocalIssuer(
            algorithms=[arguments.algorithm],
            audience=arguments.audience,
            lifetime=LIFETIME,
            host=arguments.host,
            port=arguments.port,
            identifier=arguments.issuer,
        )
    except ValueError:
        raise ConfigurationError("--algorithm", "must be RS256, PS256, ES256, EdDSA or one of their kind") from None


def _listen(issuer: LocalIssuer) -> None:
    try:
        issuer.up()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        raise ConfigurationError("--host, --port", f"must be an address that is free here ({reason})") from None


if __name__ == "__main__":
    run_command("samples.issuer", main)
