"""Requests of one client to one token endpoint (RFC 6749 section 3.2): how it is reached, and who asks.

Rule of this file: settings are checked when they are given; no `repr` shows a secret.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from bearward.client_credentials.grant import Grant, basic, form, parse_token_response, wants_nonce
from bearward.client_credentials.token_http import post
from bearward.errors import ConfigurationError
from bearward.fetch.urls import check_url
from bearward_grpc.client.dpop_key import DPoPKey

__all__ = ["TokenRequest"]


@dataclass(slots=True)
class TokenRequest:
    """A client at a token endpoint, with what its tokens are for. Raises `ConfigurationError`."""

    token_endpoint: str
    _: KW_ONLY
    client_id: str = field(repr=False)
    client_secret: str = field(repr=False)
    scopes: Sequence[str] = ()
    audience: str | None = None
    resource: str | None = None
    secret_in_body: bool = False
    timeout: float = 10.0
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    unsafe_allow_http: bool = False
    dpop_key: DPoPKey | None = field(default=None, repr=False)
    _nonce: str | None = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        """Check what the types do not say."""
        if isinstance(self.scopes, str):
            raise ConfigurationError("scopes", "must be a sequence of scopes, not one string")
        if not self.client_id or not self.client_secret:
            raise ConfigurationError("client_id", "must not be empty, and neither must client_secret")
        try:
            check_url(self.token_endpoint, unsafe_allow_http=self.unsafe_allow_http)
        except ValueError as error:
            raise ConfigurationError("token_endpoint", str(error)) from None

    def ask(self, grant_type: str, fields: Mapping[str, str], *, issued_token_type: bool = False) -> Grant:
        """Ask for a token, with a proof if tokens are to be bound to a key; once more if the endpoint wants its nonce.

        With `issued_token_type` the response must say that it is an access token (RFC 8693 section 2.2.1). Raises
        `TokenUnavailableError`.
        """
        body = self._form(grant_type, fields)
        if self.dpop_key is None:
            status, content, _ = self._post(body, None)
            return parse_token_response(status, content, issued_token_type=issued_token_type)
        status, content, nonce = self._post(body, self.dpop_key.proof(self.token_endpoint, nonce=self._nonce))
        self._nonce = nonce or self._nonce
        if nonce is not None and wants_nonce(status, content):
            status, content, _ = self._post(body, self.dpop_key.proof(self.token_endpoint, nonce=nonce))
        return parse_token_response(status, content, kind="dpop", issued_token_type=issued_token_type)

    def _form(self, grant_type: str, fields: Mapping[str, str]) -> bytes:
        client = {"client_id": self.client_id, "client_secret": self.client_secret} if self.secret_in_body else {}
        return form(grant_type, self.scopes, self.audience, self.resource, {**client, **fields})

    def _post(self, body: bytes, proof: str | None) -> tuple[int, bytes, str | None]:
        authorization = None if self.secret_in_body else basic(self.client_id, self.client_secret)
        return post(
            self.token_endpoint, authorization, body, timeout=self.timeout, context=self.ssl_context, proof=proof
        )
