"""`bearward token`: a token by the client credentials grant (RFC 6749 section 4.4).

Rules of this file: the secret comes from a file, from the environment or from a hidden prompt, never from the arguments.
The token goes to stdout alone, so that it can be piped to `bearward explain`.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from bearward.client_credentials.grant import Grant, TokenUnavailableError, basic, form, parse_token_response
from bearward.client_credentials.token_http import post
from bearward.command_line.ending import CommandError, ExitCode
from bearward.command_line.output import print_json, say
from bearward.command_line.token_input import read_secret
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.urls import check_url, openid_metadata_url
from bearward.jose.strict_json import JSONLimits, parse_object
from bearward.jwks.options import JWKSOptions

__all__ = ["command"]

_SECRET = "BEARWARD_CLIENT_SECRET"
_TIMEOUT = 10.0
_LIMITS = JSONLimits(depth=16, containers=1024)


@click.command("token")
@click.option("--issuer", metavar="ISS", help="The issuer whose metadata names the token endpoint.")
@click.option("--token-endpoint", metavar="URL", help="The token endpoint itself, in place of --issuer.")
@click.option("--client-id", metavar="ID", required=True, help="The client.")
@click.option("--client-secret-file", metavar="FILE", help=f"Its secret; without it {_SECRET}, or a hidden prompt.")
@click.option("--scope", "scopes", metavar="SCOPE", multiple=True, help="A scope to ask for; repeatable.")
@click.option("--audience", metavar="AUD", help="The audience to ask for, where the issuer has such a parameter.")
@click.option("--resource", metavar="URL", help="The resource to ask for (RFC 8707).")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the lifetime.")
def command(
    *,
    issuer: str | None,
    token_endpoint: str | None,
    client_id: str,
    client_secret_file: str | None,
    scopes: tuple[str, ...],
    audience: str | None,
    resource: str | None,
    as_json: bool,
) -> int:
    """Get a token with the client credentials grant, and print it.

    Exit code 0: printed, 1: the issuer grants none, 3: the issuer cannot be reached.
    """
    if (issuer is None) == (token_endpoint is None):
        raise CommandError("give one of --issuer and --token-endpoint")
    url = token_endpoint or asyncio.run(_discovered(str(issuer)))
    try:
        check_url(url)
    except ValueError as error:
        raise CommandError(f"--token-endpoint: {error}") from None
    grant = _ask(
        url, basic(client_id, _secret(client_secret_file)), form("client_credentials", scopes, audience, resource, {})
    )
    if as_json:
        print_json({"access_token": grant.token, "expires_in": grant.lifetime})
    else:
        say(grant.token)
    return ExitCode.OK


def _ask(url: str, authorization: str, body: bytes) -> Grant:
    try:
        status, response, _ = post(url, authorization, body, timeout=_TIMEOUT, context=None)
    except TokenUnavailableError as error:
        raise CommandError(_why(error), ExitCode.UNAVAILABLE) from None
    try:
        return parse_token_response(status, response)
    except TokenUnavailableError as error:
        raise CommandError(_why(error), ExitCode.NO) from None


def _why(error: TokenUnavailableError) -> str:
    return f"no token: {str(error).partition(': ')[2]}"


def _secret(path: str | None) -> str:
    if path is None:
        return os.environ.get(_SECRET) or read_secret(
            "client secret (hidden): ", f"set {_SECRET}, or --client-secret-file"
        )
    try:
        return Path(path).read_text("utf-8").strip("\r\n")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no UTF-8"
        raise CommandError(f"--client-secret-file: must be a readable file ({reason})") from None


async def _discovered(issuer: str) -> str:
    """The token endpoint that the issuer's metadata names."""
    client = IssuerHTTPClient(JWKSOptions(unsafe_allow_private_addresses=True).http_settings())
    try:
        async with asyncio.timeout(_TIMEOUT):
            response = await client.get(openid_metadata_url(issuer))
        metadata = parse_object(response.body or b"", _LIMITS)
    except TimeoutError:
        raise CommandError(f"{issuer}: {FetchError(FetchFailure.TIMEOUT).reason}", ExitCode.UNAVAILABLE) from None
    except FetchError as error:
        raise CommandError(f"{issuer}: {error.reason}", ExitCode.UNAVAILABLE) from None
    except ValueError:
        raise CommandError(
            f"{issuer}: its metadata is not a JSON object, or it is not a URL", ExitCode.UNAVAILABLE
        ) from None
    finally:
        await client.aclose()
    if metadata.get("issuer") != issuer:  # RFC 8414 section 3.3: then nothing in it may be used, least with a secret
        raise CommandError(f"{issuer}: its metadata is that of another issuer, compared exactly", ExitCode.UNAVAILABLE)
    endpoint = metadata.get("token_endpoint")
    if not isinstance(endpoint, str):
        raise CommandError(f"{issuer}: its metadata names no token_endpoint", ExitCode.UNAVAILABLE)
    return endpoint
