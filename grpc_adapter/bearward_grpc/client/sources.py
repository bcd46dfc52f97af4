"""Where the tokens of outgoing calls come from.

Rules of this file: a token is kept until shortly before it expires; one fetch at a time serves all waiting callers, in
threads and on event loops alike; a caller that gives up does not stop the others. No `repr` shows a token or a secret.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Protocol

from bearward.clock import SystemClock
from bearward.errors import ConfigurationError, UsageError
from bearward.fetch.urls import check_url
from bearward_grpc.call import CALL
from bearward_grpc.client.dpop_key import DPoPKey
from bearward_grpc.client.grant import Grant, TokenUnavailableError, basic, form, parse_token_response, wants_nonce
from bearward_grpc.client.token_http import post

__all__ = ["CallerToken", "ClientCredentials", "TokenSource"]


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
        call = CALL.get()
        if call is None or call.token is None:
            raise UsageError("there is no verified caller whose token could be forwarded")
        return call.token

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
    replaced `refresh_margin` seconds before it expires, `timeout` seconds bound each step of a fetch.

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
        if isinstance(scopes, str):
            raise ConfigurationError("scopes", "must be a sequence of scopes, not one string")
        if not client_id or not client_secret:
            raise ConfigurationError("client_id", "must not be empty, and neither must client_secret")
        try:
            self._url = check_url(token_endpoint, unsafe_allow_http=unsafe_allow_http)
        except ValueError as error:
            raise ConfigurationError("token_endpoint", str(error)) from None
        inline: Mapping[str, str] = {"client_id": client_id, "client_secret": client_secret} if secret_in_body else {}
        self._authorization = None if secret_in_body else basic(client_id, client_secret)
        self._form = form(scopes, audience, resource, inline)
        self._refresh_margin, self._timeout, self._context = refresh_margin, timeout, ssl_context
        self._monotonic = monotonic
        self.dpop_key: DPoPKey | None = dpop_key
        """What the tokens are bound to, and each call proves."""
        self._nonce: str | None = None
        self._lock = threading.Lock()
        self._held: tuple[str, float] | None = None
        self._in_flight: Future[str] | None = None

    def token(self) -> str:
        """A token; blocks while one is fetched."""
        held = self._current()
        return held if held is not None else self._fetching().result()

    async def token_async(self) -> str:
        """A token; awaits while one is fetched."""
        held = self._current()
        return held if held is not None else await asyncio.shield(asyncio.wrap_future(self._fetching()))

    def invalidate(self, token: str) -> bool:
        """Forget `token`, unless it was replaced already."""
        with self._lock:
            if self._held is not None and self._held[0] == token:
                self._held = None
        return True

    def __repr__(self) -> str:
        return f"<ClientCredentials at {self._url}>"

    def _current(self) -> str | None:
        held = self._held
        return held[0] if held is not None and self._monotonic() < held[1] else None

    def _fetching(self) -> Future[str]:
        """The fetch that is under way, or a new one in its own thread, which no waiter that gives up can stop."""
        with self._lock:
            if self._in_flight is None:
                self._in_flight = Future()
                threading.Thread(
                    target=self._fetch, args=(self._in_flight,), name="bearward-token", daemon=True
                ).start()
            return self._in_flight

    def _fetch(self, in_flight: Future[Any]) -> None:
        try:
            asked = self._monotonic()
            grant = self._ask()
            self._store_result(self._kept(grant, asked))
            in_flight.set_result(grant.token)
        except TokenUnavailableError as error:
            self._store_result(None)
            in_flight.set_exception(error)
        except BaseException as error:  # noqa: BLE001  (waiting callers must not wait forever)
            self._store_result(None)
            in_flight.set_exception(TokenUnavailableError(type(error).__name__))

    def _ask(self) -> Grant:
        """Ask the token endpoint, with a proof where tokens are to be bound; once more where it wants its nonce."""
        if self.dpop_key is None:
            return parse_token_response(*self._post(None)[:2])
        status, body, nonce = self._post(self.dpop_key.proof(self._url, nonce=self._nonce))
        self._nonce = nonce or self._nonce
        if nonce is not None and wants_nonce(status, body):
            status, body, _ = self._post(self.dpop_key.proof(self._url, nonce=nonce))
        return parse_token_response(status, body, kind="dpop")

    def _post(self, proof: str | None) -> tuple[int, bytes, str | None]:
        return post(
            self._url, self._authorization, self._form, timeout=self._timeout, context=self._context, proof=proof
        )

    def _store_result(self, held: tuple[str, float] | None) -> None:
        with self._lock:
            self._held, self._in_flight = held, None

    def _kept(self, grant: Grant, asked: float) -> tuple[str, float]:
        # A token that lives shorter than `refresh_margin` is still used for half of its life.
        return grant.token, asked + max(grant.lifetime - self._refresh_margin, grant.lifetime / 2)
