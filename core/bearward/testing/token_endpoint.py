"""The token endpoint: client credentials (RFC 6749 sections 3.2, 4.4 and 5, RFC 8707, RFC 9068), token exchange (RFC 8693).

Rule of this file: pure. A request and the issuer's settings in, a response out; the errors are those of RFC 6749
section 5.2 and RFC 8707 section 2.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit

from bearward.dpop.key import read_header
from bearward.dpop.policy import DPOP_ALGORITHMS
from bearward.errors import AuthError
from bearward.testing.exchange import Request, Response, json_response

__all__ = ["TokenEndpoint"]

_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"
_ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"
_SINGLE = (
    *("grant_type", "scope", "client_id", "client_secret", "lifetime"),
    *("subject_token", "subject_token_type", "actor_token", "actor_token_type"),
)


class _RefusedError(Exception):
    def __init__(self, error: str, description: str, status: int = 400, **headers: str) -> None:
        super().__init__(error)
        body = {"error": error, "error_description": description}
        self.response = json_response(body, status, Cache_Control="no-store", **headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenEndpoint:
    """Grants tokens to clients.

    `mint` makes the token from claims and its lifetime in seconds, which a form parameter `lifetime` may shorten (for
    trying out what happens when a token expires; no standard has it); `clients` maps a client's id to its secret, and None lets any client in (it
    is an issuer for development); `scopes` are those that may be asked for, None for any.
    """

    mint: Callable[[Mapping[str, Any], float], str]
    audience: str
    lifetime: float
    clients: Mapping[str, str] | None = None
    scopes: frozenset[str] | None = None
    read_token: Callable[[str], Mapping[str, Any] | None] = lambda _: None
    """The claims of a valid token of this issuer, for token exchange; None if it is none."""

    def respond(self, request: Request) -> Response:
        """The response to a request to the token endpoint."""
        try:
            return self._grant(request)
        except _RefusedError as refused:
            return refused.response

    def _grant(self, request: Request) -> Response:
        if request.method != "POST":
            raise _RefusedError("invalid_request", "the token endpoint takes POST", 405, Allow="POST")
        form = _form(request)
        client = self._client(request, form)
        if form.get("grant_type") is None:
            raise _RefusedError("invalid_request", "grant_type is missing")
        if form["grant_type"] == [_EXCHANGE]:
            caller, kind = self._exchanged(form, client), {"issued_token_type": _ACCESS_TOKEN}
        elif form["grant_type"] == ["client_credentials"]:
            caller, kind = {"sub": client, "client_id": client}, {}
        else:
            raise _RefusedError("unsupported_grant_type", "client_credentials and token-exchange are served here")
        return self._token(request, form, caller, kind)

    def _token(
        self, request: Request, form: Mapping[str, list[str]], caller: Mapping[str, Any], kind: Mapping[str, str]
    ) -> Response:
        scope, lifetime, jkt = self._scope(form), self._lifetime(form), _jkt(request)
        granted = {"scope": scope} if scope else {}
        bound = {} if jkt is None else {"cnf": {"jkt": jkt}}
        token = self.mint({**caller, "aud": self._audience(form), **bound, **granted}, lifetime)
        scheme = "Bearer" if jkt is None else "DPoP"
        body = {"access_token": token, "token_type": scheme, "expires_in": int(lifetime), **kind, **granted}
        # RFC 6749 section 5.1: a response with a token is never cached.
        return json_response(body, Cache_Control="no-store", Pragma="no-cache")

    def _exchanged(self, form: Mapping[str, list[str]], client: str) -> dict[str, Any]:
        """RFC 8693 section 2.1: the caller stays the subject, and the client becomes the party that acts for it."""
        if form.get("subject_token_type") != [_ACCESS_TOKEN]:
            raise _RefusedError("invalid_request", "subject_token_type must be that of an access token")
        subject = self.read_token(form.get("subject_token", [""])[0])
        if subject is None:
            raise _RefusedError("invalid_request", "subject_token is not a valid token of this issuer")
        actor = {"sub": self._actor(form) or client}
        before = subject.get("act")
        return {
            "sub": subject.get("sub"),
            "client_id": client,
            "act": actor if before is None else {**actor, "act": before},
        }

    def _actor(self, form: Mapping[str, list[str]]) -> str | None:
        if "actor_token" not in form:
            return None
        actor = self.read_token(form["actor_token"][0])
        if actor is None or form.get("actor_token_type") != [_ACCESS_TOKEN]:
            raise _RefusedError("invalid_request", "actor_token is not a valid token of this issuer")
        return str(actor.get("sub"))

    def _client(self, request: Request, form: Mapping[str, list[str]]) -> str:
        presented = request.headers.get("authorization")
        if presented is not None:
            if "client_secret" in form:
                raise _RefusedError("invalid_request", "one way of client authentication, not two")
            name, secret = _basic(presented)
        else:
            name, secret = form.get("client_id", [""])[0], form.get("client_secret", [""])[0]
        if self.clients is None:
            return name or "anonymous"
        expected = self.clients.get(name)
        if expected is None or not hmac.compare_digest(expected.encode(), secret.encode()):
            raise _unauthorized()
        return name

    def _scope(self, form: Mapping[str, list[str]]) -> str:
        """RFC 6749 section 3.3: scope = scope-token *( SP scope-token ); without one, none is granted."""
        asked = form.get("scope", [""])[0]
        tokens = asked.split(" ") if asked else []
        if any(not token or any(not "!" <= c <= "~" or c in '"\\' for c in token) for token in tokens):
            raise _RefusedError("invalid_scope", "the scope is malformed")
        if self.scopes is not None and not self.scopes.issuperset(tokens):
            raise _RefusedError("invalid_scope", "a scope is asked for that is not granted here")
        return " ".join(dict.fromkeys(tokens))

    def _lifetime(self, form: Mapping[str, list[str]]) -> float:
        asked = form.get("lifetime", [""])[0]
        if not asked:
            return self.lifetime
        if not asked.isascii() or not asked.isdigit() or not 0 < int(asked[:10]) <= self.lifetime:
            raise _RefusedError("invalid_request", f"lifetime must be from 1 to {int(self.lifetime)} seconds")
        return int(asked)

    def _audience(self, form: Mapping[str, list[str]]) -> str | list[str]:
        """`resource`, an absolute URI without fragment that may be repeated (RFC 8707), or the common `audience`."""
        resources = form.get("resource", [])
        for resource in resources:
            parts = urlsplit(resource)
            if not parts.scheme or "#" in resource:
                raise _RefusedError("invalid_target", "resource must be an absolute URI without a fragment")
        audiences = list(dict.fromkeys([*resources, *form.get("audience", [])])) or [self.audience]
        return audiences[0] if len(audiences) == 1 else audiences


def _jkt(request: Request) -> str | None:
    """The thumbprint of the key that a DPoP proof was made with (RFC 9449 section 5), None if none came."""
    proof = request.headers.get("dpop")
    if proof is None:
        return None
    try:
        return read_header(proof.partition(".")[0], DPOP_ALGORITHMS).key.thumbprint
    except AuthError:
        raise _RefusedError("invalid_dpop_proof", "the DPoP proof is malformed") from None


def _form(request: Request) -> dict[str, list[str]]:
    media_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise _RefusedError("invalid_request", "the body must be application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(request.body.decode("ascii"), keep_blank_values=False, errors="strict", max_num_fields=50)
    except ValueError:
        raise _RefusedError("invalid_request", "the form is malformed") from None
    form: dict[str, list[str]] = {}
    for name, value in pairs:
        form.setdefault(name, []).append(value)
    if any(len(form.get(name, ())) > 1 for name in _SINGLE):
        raise _RefusedError("invalid_request", "a parameter is repeated")
    return form


def _basic(presented: str) -> tuple[str, str]:
    """RFC 6749 section 2.3.1: id and secret are form-encoded before they go into HTTP Basic."""
    scheme, _, encoded = presented.partition(" ")
    try:
        name, separator, secret = base64.b64decode(encoded.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise _unauthorized() from None
    if scheme.lower() != "basic" or not separator:
        raise _unauthorized()
    return unquote_plus(name), unquote_plus(secret)


def _unauthorized() -> _RefusedError:
    challenge = {"WWW_Authenticate": 'Basic realm="token"'}
    return _RefusedError("invalid_client", "client authentication failed", 401, **challenge)
