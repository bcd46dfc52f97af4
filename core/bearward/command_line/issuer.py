"""`bearward issuer`: a local issuer for development, with faults on demand.

Rules of this file: it listens on loopback unless it is told otherwise, and grants a token to whoever asks. Its faults are
switched by callers on this machine alone.
"""

from __future__ import annotations

import signal
import threading
from contextlib import closing
from urllib.parse import parse_qs

import click

from bearward.command_line.ending import CommandError, ExitCode
from bearward.command_line.faults import FAULTS, switch
from bearward.command_line.output import say
from bearward.fetch.urls import is_loopback_host
from bearward.testing import LocalIssuer, Request, Response, json_response

__all__ = ["command"]

_LISTED = "; ".join(f"{name}: {text}" for name, (text, _) in FAULTS.items())


@click.command("issuer", epilog=f"Faults: {_LISTED}. While it runs: curl -d fault=html http://127.0.0.1:9000/fault")
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=9000, show_default=True, type=click.IntRange(0, 65535), help="0 for any free port.")
@click.option("--identifier", metavar="ISS", help="Its iss, if that is not its address.")
@click.option(
    "--audience",
    default="https://api.example",
    show_default=True,
    help="The audience of tokens, unless the request names one.",
)
@click.option("--algorithm", default="RS256", show_default=True, help="The algorithm that it signs with.")
@click.option(
    "--lifetime",
    default=300.0,
    show_default=True,
    type=click.FloatRange(1, 86400),
    help="How many seconds a token lives.",
)
@click.option("--fault", type=click.Choice([*FAULTS]), help="Start with this fault.")
@click.option("--unsafe-allow-remote", is_flag=True, help="Listen on an address that is not loopback.")
def command(
    *,
    host: str,
    port: int,
    identifier: str | None,
    audience: str,
    algorithm: str,
    lifetime: float,
    fault: str | None,
    unsafe_allow_remote: bool,
) -> int:
    """Run a local issuer: discovery, a JWK Set, and POST /token, which grants a token to anyone who asks.

    Ctrl-C ends it, with exit code 0.
    """
    if not is_loopback_host(host) and not unsafe_allow_remote:
        raise CommandError("--host: must be loopback: it grants tokens to anyone who asks (or --unsafe-allow-remote)")
    try:
        issuer = LocalIssuer(
            algorithms=[algorithm], audience=audience, lifetime=lifetime, host=host, port=port, identifier=identifier
        )
    except ValueError:
        raise CommandError("--algorithm: must be RS256, PS256, ES256, EdDSA or one of their kind") from None
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with closing(issuer):
        _listen(issuer)
        issuer.serve("/fault", lambda request: _switched(issuer, request))
        if fault is not None:
            _switch(issuer, fault)
        say(f"listening on {issuer.origin}, issuer {issuer.url}")
        while not stop.wait(0.5):  # a wait without a timeout may sleep through a signal
            pass
    return ExitCode.OK


def _listen(issuer: LocalIssuer) -> None:
    try:
        issuer.up()
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or "no such address"
        raise CommandError(f"--host, --port: must be an address that is free here ({reason})") from None


def _switched(issuer: LocalIssuer, request: Request) -> Response:
    if not is_loopback_host(request.client):
        return json_response({"error": "forbidden"}, 403)
    name = parse_qs(request.body.decode("latin-1")).get("fault", [""])[0]
    if request.method != "POST" or name not in FAULTS:
        return json_response({"faults": {fault: text for fault, (text, _) in FAULTS.items()}}, 400)
    _switch(issuer, name)
    return json_response({"fault": name})


def _switch(issuer: LocalIssuer, name: str) -> None:
    switch(issuer, name)
    issuer.serve("/fault", lambda request: _switched(issuer, request))
