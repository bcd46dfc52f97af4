"""`python -m samples.playground`: issuer, three servers and the page, up until Ctrl-C.

Rule of this file: it starts, serves and ends. It listens on loopback and nowhere else.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path

from bearward import ConfigurationError
from samples.command_line import Parser, run_command
from samples.playground.scene import running_scene
from samples.playground.serving import PAGE_TOKEN_LIFETIME, page_socket, serve_page
from samples.processes import exit_on_signals

__all__ = ["main"]

NAME = "samples.playground"
PORT = 7000
LEAST_LIFETIME, MOST_LIFETIME = 10, 3600


def main() -> None:
    """Serve until Ctrl-C or SIGTERM."""
    parser = Parser("python -m samples.playground", description="A page to watch tokens being judged.")
    parser.add_address(PORT)
    parser.add_argument("--issuer-port", type=int, default=0, help="of the local issuer (default: any free port)")
    parser.add_argument(
        "--page-token-lifetime", type=int, default=PAGE_TOKEN_LIFETIME, help="seconds (default: %(default)s)"
    )
    arguments = parser.parse_args()
    lifetime: int = arguments.page_token_lifetime
    if not LEAST_LIFETIME <= lifetime <= MOST_LIFETIME:
        raise ConfigurationError("--page-token-lifetime", f"must be from {LEAST_LIFETIME} to {MOST_LIFETIME} seconds")
    sock = page_socket(arguments.host, arguments.port)
    exit_on_signals()
    with ExitStack() as stack:
        stack.enter_context(sock)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bearward-playground-")))
        scene = stack.enter_context(running_scene(folder, issuer_port=arguments.issuer_port))
        serve_page(scene, sock, arguments.host, lifetime=lifetime)


if __name__ == "__main__":
    run_command(NAME, main)
