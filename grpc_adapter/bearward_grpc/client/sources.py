"""Where the tokens of outgoing calls come from.

Rules of this file: a token is kept until shortly before it expires; one fetch at a time serves all waiting callers, in
threads and on event loops alike; a caller that gives up does not stop the others. No `repr` shows a token or a secret.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Sequence
from typing import Protocol

from bearward.client_credentials.grant import Grant
from bearward.clock import SystemClock
from bearward.errors import UsageError
from bearward_grpc.call import CALL
from bearward_grpc.client.dpop_key import DPoPKey
from bearward_grpc.client.held_token import HeldToken
from bearward_grpc.client.token_request import TokenRequest

__all__ = ["CallerToken", "ClientCredentials", "TokenSource", "callers_token"]


class TokenSource(Protocol):
    """Gives tokens for outgoing calls; used from threads and from event loops."""

    def token(self) -> str:
        """A token; may block. Raises `TokenUnavailableError`."""
        ...

    async def token_async(self) -> str:
        """A token; raises `TokenUnavailableError`."""
        ...

    def invalidate(self, token: str) -> bool:
        """A server refused `token` as UNAUTHENTICATED: drop it. Returns whether another may be available."""
        ...


class CallerToken:
    """Forwards the token of the call that is being served: the callee sees the original caller.

    Only for a callee that is meant by the same audience, and only in a call whose caller is known: `UsageError`
    otherwise. In a handler's own thread or task, and in what those start with their context.
    """

    def token(self) -> str:
        """The caller's token."""
        return callers_token()

    async def token_async(self) -> str:
        """The caller's token."""
        return self.token()

    def invalidate(self, token: str) -> bool:
        """Only the caller can get another."""
        return False


class ClientCredentials:
    """Gets tokens by the client credentials grant (RFC 6749 section 4.4) and keeps each until shortly before its end.

    `token_endpoint` must be https (http on loopback). `client_secret` is sent by HTTP Basic, or with
    `secret_in_body` in the form. `scopes`, `audience` and `resource` (RFC 8707) say what the token is for. A token is
    replaced `refresh_margin` seconds before it expires. `timeout` is in seconds for a whole request, from the look-up of
    the name to the last octet, however slowly the endpoint sends.

    With a `dpop_key` tokens are bound to it (RFC 9449 section 5), and each call proves it.

    Raises `ConfigurationError`; the methods raise `TokenUnavailableError`.
    """

    def __init__(
        self,
        token_endpoint: str,
        *,
        client_id: str,
        client_secret: str,
        scopes: Sequence[str] = (),
        audience: str | None = None,
        resource: str | None = None,
        secret_in_body: bool = False,
        refresh_margin: float = 30.0,
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        unsafe_allow_http: bool = False,
        dpop_key: DPoPKey | None = None,
        monotonic: Callable[[], float] = SystemClock.monotonic,
    ) -> None:
        self._request = TokenRequest(
            token_endpoint,
            client_id=client_id,
            client_secret=client_secret,
            scopes=scopes,
            audience=audience,
            resource=resource,
            secret_in_body=secret_in_body,
            timeout=timeout,
            ssl_context=ssl_context,
            unsafe_allow_http=unsafe_allow_http,
            dpop_key=dpop_key,
        )
        self.dpop_key: DPoPKey | None = dpop_key
        """What the tokens are bound to, and each call proves."""
        self._held = HeldToken(self._ask, refresh_margin=refresh_margin, monotonic=monotonic)

    def token(self) -> str:
        """A token; blocks while one is fetched."""
        return self._held.token()

    async def token_async(self) -> str:
        """A token; awaits while one is fetched."""
        return await self._held.token_async()

    def invalidate(self, token: str) -> bool:
        """Forget `token`, unless it was replaced already."""
        self._held.invalidate(token)
        return True

    def __repr__(self) -> str:
        return f"<ClientCredentials at {self._request.token_endpoint}>"

    def _ask(self) -> Grant:
        return self._request.ask("client_credentials", {})


def callers_token() -> str:
    """The token of the call that is being served; raises `UsageError` without a verified caller."""
    call = CALL.get()
    if call is None or call.token is None:
        raise UsageError("there is no verified caller whose token could be forwarded or exchanged")
    return call.token
