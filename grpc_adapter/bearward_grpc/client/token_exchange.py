"""Token exchange (RFC 8693): for the next hop a token of its own, in the name of the caller that is being served.

Rules of this file: what was exchanged for one caller's token is used with that token alone; callers are told apart by a
hash, their number is bounded, and no `repr` shows a token.
"""

from __future__ import annotations

import ssl
import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from hashlib import sha256

from bearward.client_credentials.grant import Grant
from bearward.clock import SystemClock
from bearward.errors import ConfigurationError
from bearward.forks import fork_safe
from bearward_grpc.client.dpop_key import DPoPKey
from bearward_grpc.client.held_token import HeldToken
from bearward_grpc.client.sources import TokenSource, callers_token
from bearward_grpc.client.token_request import TokenRequest

__all__ = ["TokenExchange"]

_GRANT_TYPE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"


class TokenExchange:
    """Exchanges the token of the call that is being served for one that is meant for the next service.

    Where `CallerToken` forwards the token itself, the issuer here makes another one: for `audience`, `resource` (RFC
    8707) or `scopes`, with the caller as its subject and, if the issuer does so, this service as its actor (`act`). With
    an `actor` its token is sent as `actor_token`.

    `token_endpoint` must be https, or anywhere with `unsafe_allow_http`; `client_id` and `client_secret` are sent by HTTP
    Basic, or with `secret_in_body` in the form; `ssl_context` is for the connection, and `timeout` is in seconds for a
    whole request, from the look-up of the name to the last octet. With a `dpop_key` the result is bound to it. `monotonic` is the clock by which results expire.

    Each caller's token is exchanged once for all its calls until `refresh_margin` seconds before the result expires;
    the results of `max_callers` callers are kept, the least recently used is dropped.

    Raises `ConfigurationError`; the methods raise `TokenUnavailableError`, and `UsageError` outside a call with a
    verified caller.
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
        actor: TokenSource | None = None,
        secret_in_body: bool = False,
        refresh_margin: float = 30.0,
        timeout: float = 10.0,
        ssl_context: ssl.SSLContext | None = None,
        unsafe_allow_http: bool = False,
        dpop_key: DPoPKey | None = None,
        max_callers: int = 1000,
        monotonic: Callable[[], float] = SystemClock.monotonic,
    ) -> None:
        if not (scopes or audience or resource):
            raise ConfigurationError("audience", "must be given, or resource or scopes: the next service's own")
        if isinstance(max_callers, bool) or not isinstance(max_callers, int) or max_callers < 1:
            raise ConfigurationError("max_callers", "must be a whole number from 1")
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
        self._actor = actor
        self._refresh_margin, self._monotonic = refresh_margin, monotonic
        self._max_callers = max_callers
        self._lock = fork_safe(threading.Lock())
        self._held: OrderedDict[bytes, HeldToken] = OrderedDict()

    def token(self) -> str:
        """The token for the next service; blocks while it is fetched."""
        return self._of_caller().token()

    async def token_async(self) -> str:
        """The token for the next service; awaits while it is fetched."""
        return await self._of_caller().token_async()

    def invalidate(self, token: str) -> bool:
        """Forget `token`, unless it was replaced already; any thread may call, also one that serves no call."""
        with self._lock:
            held = tuple(self._held.values())
        for one in held:
            one.invalidate(token)
        return True

    def __repr__(self) -> str:
        return f"<TokenExchange at {self._request.token_endpoint}, {len(self._held)} callers>"

    def _of_caller(self) -> HeldToken:
        subject = callers_token()
        digest = sha256(subject.encode()).digest()
        with self._lock:
            held = self._held.get(digest)
            if held is None:
                held = self._held[digest] = HeldToken(
                    lambda: self._exchange(subject), refresh_margin=self._refresh_margin, monotonic=self._monotonic
                )
            self._held.move_to_end(digest)
            if len(self._held) > self._max_callers:
                self._held.popitem(last=False)
            return held

    def _exchange(self, subject: str) -> Grant:
        fields = {
            "subject_token": subject,
            "subject_token_type": _ACCESS_TOKEN,
            "requested_token_type": _ACCESS_TOKEN,
        }
        if self._actor is not None:
            fields |= {"actor_token": self._actor.token(), "actor_token_type": _ACCESS_TOKEN}
        return self._request.ask(_GRANT_TYPE, fields, issued_token_type=True)
