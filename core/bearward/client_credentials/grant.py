"""Requests to a token endpoint, and its responses (RFC 6749 sections 4.4 and 5, RFC 8693 section 2).

Rules of this file: pure. Nothing from the body of a response gets into an error except the `error` code of RFC 6749
section 5.2, and that only if it is a valid one: a body may hold secrets.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus, urlencode

from bearward.errors import BearwardError

__all__ = ["Grant", "TokenUnavailableError", "basic", "form", "parse_token_response", "wants_nonce"]

_FARTHEST = 1e15  # seconds
_DEFAULT_LIFETIME = 60.0  # RFC 6749 section 5.1 only recommends `expires_in`
_ACCESS_TOKENS = (
    "urn:ietf:params:oauth:token-type:access_token",
    "urn:ietf:params:oauth:token-type:jwt",
)
_ERROR_CODE = re.compile(r"[a-z_]{1,64}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")  # b64token, RFC 6750 section 2.1


class TokenUnavailableError(BearwardError):
    """No token could be got for an outgoing call. The text is fixed, but for an error code of RFC 6749.

    >>> str(TokenUnavailableError("invalid_client"))
    'no token for the outgoing call: invalid_client'
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"no token for the outgoing call: {why}")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and how many seconds it lives. `repr` shows no token."""

    token: str
    lifetime: float

    def __repr__(self) -> str:
        return f"<Grant for {self.lifetime:g} s>"


def form(
    grant_type: str, scopes: Sequence[str], audience: str | None, resource: str | None, more: Mapping[str, str]
) -> bytes:
    """The body of the request."""
    fields = {"grant_type": grant_type, **more}
    if scopes:
        fields["scope"] = " ".join(scopes)
    if audience is not None:
        fields["audience"] = audience
    if resource is not None:
        fields["resource"] = resource  # RFC 8707
    return urlencode(fields).encode("ascii")


def basic(client_id: str, client_secret: str) -> str:
    """The `Authorization` value of a client (RFC 6749 section 2.3.1: both parts are form-encoded first).

    >>> basic("me", "a:b")
    'Basic bWU6YSUzQWI='
    """
    pair = f"{quote_plus(client_id)}:{quote_plus(client_secret)}"
    return "Basic " + base64.b64encode(pair.encode("ascii")).decode("ascii")


def wants_nonce(status: int, body: bytes) -> bool:
    """Whether the token endpoint refused a proof for want of its nonce (RFC 9449 section 8)."""
    return status == 400 and _object(body).get("error") == "use_dpop_nonce"


def parse_token_response(status: int, body: bytes, *, kind: str = "bearer", issued_token_type: bool = False) -> Grant:
    """The token in the response, of the `kind` that was asked for; raises `TokenUnavailableError`.

    With `issued_token_type` the response must say that it is an access token (RFC 8693 section 2.2.1).

    >>> parse_token_response(200, b'{"access_token": "abc", "token_type": "bearer", "expires_in": 300}')
    <Grant for 300 s>
    """
    response = _object(body)
    if status != 200:
        error = response.get("error")
        known = isinstance(error, str) and _ERROR_CODE.fullmatch(error)
        raise TokenUnavailableError(str(error) if known else f"the token endpoint responded with {status}")
    token, sent = response.get("access_token"), response.get("token_type")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise TokenUnavailableError("the token endpoint sent none")
    if not isinstance(sent, str) or sent.lower() != kind:
        raise TokenUnavailableError(f"the token endpoint sent no {kind} token")
    if issued_token_type and response.get("issued_token_type") not in _ACCESS_TOKENS:
        raise TokenUnavailableError("the token endpoint sent no access token")
    return Grant(token, _lifetime(response.get("expires_in")))


def _object(body: bytes) -> dict[str, Any]:
    try:
        response = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return response if isinstance(response, dict) else {}


def _lifetime(value: Any) -> float:
    if isinstance(value, str) and value.isascii() and value.isdigit():
        value = int(value[:12])  # some issuers send it as a string
    # Compared, never converted first: a number of a thousand digits is no float.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < _FARTHEST:
        return _DEFAULT_LIFETIME
    return float(value)
