"""Authentication: from a request to its principal, or to the refusal.

Rules of this file: synchronous unless something must be awaited, because this is the hot path; a refusal is returned,
since raising one costs as much as a whole request. Awaited functions raise instead. There is no way in which a token
bound to a certificate passes here without that certificate.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from sanic import Request

from bearward import AuthError, KeysNeededError, Principal, Refusal, Verifier
from bearward.adapters import awaited_verify_function, verify_function
from bearward.authentication import authenticate, authenticate_now
from bearward.client_certificates import ForwardedCertificate
from bearward.confirmation import certificate_thumbprint
from bearward.credential_place import CredentialPlace
from bearward.credentials import bearer_token
from bearward.possession import Presented
from bearward.sender import Scheme, attributed
from bearward.socket_tickets import SocketTickets
from bearward_sanic.bodies import receive_body
from bearward_sanic.connection_memory import AUTHORIZATION, NONE, ConnectionMemory, SeenCredentials
from bearward_sanic.credentials import FORM_AT_MOST, TokenReader, socket_place
from bearward_sanic.route_rules import RouteRule
from bearward_sanic.settings import AdapterSettings

__all__ = ["Authenticator", "Found"]

Found = Principal | AuthError | Awaitable[Principal]


class Authenticator:
    """Finds and verifies the one token of a request."""

    def __init__(self, settings: AdapterSettings, verifier: Verifier, memory: ConnectionMemory) -> None:
        self._placed = bool(verifier.places)
        self._reader = TokenReader(settings, verifier.places)
        self._verifier = verifier
        self._verify_now = verify_function(verifier)
        self._verify_awaiting = awaited_verify_function(verifier)
        self._find_certificate = settings.client_certificate
        self._prover = settings.unsafe_binding_proved_by
        self._bound = settings.accepts_certificates
        self._memory = memory
        elsewhere = settings.cookie is not None or settings.query or self._placed
        self.remembers: bool = not elsewhere and not self._bound
        """Whether the `Authorization` value alone says who calls, so that it can be recognized."""
        self._header_only = not elsewhere and not settings.form
        self._schemes = _other_schemes(verifier, certificates=self._bound)
        self._max_length = settings.max_token_length
        self._tickets = settings.socket_tickets

    def verify_header(self, values: list[str]) -> Principal | AuthError | None:
        """The principal or the refusal of a plain `Bearer` value, by the keys that are held; None if it is not that.

        What verifies as a token is of a token's grammar, so on the usual path the grammar is not looked at. Only for
        verifiers whose tokens are nowhere else (`remembers`).
        """
        if len(values) != 1 or not values[0].startswith("Bearer ") or len(values[0]) > self._max_length + 7:
            return None
        token = values[0][7:]
        try:
            return self._verify_now(token, False)
        except AuthError as error:
            return error if _is_token(values, token) else None
        except Exception:  # noqa: BLE001  (keys are needed, or it is a bug: the usual path sees to either)
            return None

    def authenticate(self, request: Request, rule: RouteRule) -> Found:
        """The principal, a refusal, or what to await for the principal (which may raise `AuthError`)."""
        values = request.headers.getall(AUTHORIZATION, NONE)
        if not values and self._header_only and not rule.websocket:
            return AuthError(Refusal.CREDENTIALS_MISSING)
        if self._schemes and (proven := self._presented(request, rule, values)) is not None:
            return proven if isinstance(proven, AuthError) else self._authenticate(proven)
        if rule.websocket:
            return self._verify_handshake(request, rule, values)
        if not self.remembers:
            return self._verify(request, rule, values, None)
        seen = self._memory.look_up(request, values)
        if seen is None:
            return self._verify(request, rule, values, None)
        principal, refusal = self._memory.principal_of(seen), self._memory.recent_refusal(seen)
        if principal is not None:
            return principal
        return self._verify(request, rule, values, seen) if refusal is None else refusal

    def remember_refusal(self, request: Request, values: list[str], error: AuthError) -> None:
        """The values were refused by `verify_header`."""
        seen = self._memory.look_up(request, values)
        if seen is not None:
            self._memory.refuse(seen, error)

    def brings_nothing(self, request: Request, rule: RouteRule) -> bool:
        """Whether the request shows no credential in any place that is looked at before its body."""
        values = request.headers.getall(AUTHORIZATION, NONE)
        if self._reader.may_be_in_form(request) or self._other_scheme(values) is not None:
            return False
        if rule.websocket and self._offers_proof(request):
            return False
        try:
            self._reader.read(request, values, rule.websocket)
        except AuthError as error:
            return error.refusal is Refusal.CREDENTIALS_MISSING
        return False

    def brings_another(self, request: Request) -> bool:
        """Whether the body that was received holds a token beside the one that was accepted."""
        return self._reader.also_in_form(request)  # of a token that was in the form itself, nothing is left to receive

    def _verify_handshake(self, request: Request, rule: RouteRule, values: list[str]) -> Found:
        tickets = self._tickets
        if tickets is not None and self._reader.offers_ticket(request):
            return self._redeem(tickets, request, values)
        return self._verify(request, rule, values, None)

    async def _redeem(self, tickets: SocketTickets, request: Request, values: list[str]) -> Principal:
        presented = self._bearer(request, self._reader.read_ticket(request, values))
        return await tickets.redeem(self._verifier, presented, place=socket_place(request))

    def _verify(self, request: Request, rule: RouteRule, values: list[str], seen: SeenCredentials | None) -> Found:
        token, place = "", None
        try:
            token, place = self._reader.read(request, values, rule.websocket)
            if place is not None:
                principal = self._verify_now(token, False, place)
            elif self._bound:
                principal = self._verify_bound(request, token)
            else:
                principal = self._verify_now(token, False)
        except AuthError as error:
            if error.refusal is Refusal.CREDENTIALS_MISSING and rule.route is not None:
                return self._verify_form(request) if self._reader.may_be_in_form(request) else error
            if seen is not None:
                self._memory.refuse(seen, error)
            return error
        except KeysNeededError:
            return self._fetch_and_verify(request, token, place)
        if seen is not None:
            self._memory.accept(seen, token)
        return principal

    def _presented(self, request: Request, rule: RouteRule, values: list[str]) -> Presented | AuthError | None:
        """What a request brings under another scheme than `Bearer`, None if it is not one of those."""
        offered = rule.websocket and self._offers_proof(request)
        scheme = Scheme.DPOP if offered else self._other_scheme(values)
        if scheme is None:
            return None
        try:
            if offered:
                token, proofs = self._reader.read_subprotocol(request, values)
            else:
                scheme, token = self._reader.read_presented(request, values, rule.websocket)
                proofs = request.headers.getall("dpop", NONE)
            certificate, vouched_by = self._thumbprint(request), self._vouched_by(request)
        except AuthError as error:
            return attributed(error, scheme)
        return Presented(
            scheme, token, proofs, request.method, request.path, certificate=certificate, vouched_by=vouched_by
        )

    def _offers_proof(self, request: Request) -> bool:
        return Scheme.DPOP.value.lower() in self._schemes and self._reader.offers_proof(request)

    def _other_scheme(self, values: list[str]) -> Scheme | None:
        return self._schemes.get(values[0].lstrip()[:9].partition(" ")[0].lower()) if values else None

    def _authenticate(self, presented: Presented) -> Found:
        try:
            return authenticate_now(self._verifier, presented)
        except AuthError as error:
            return error
        except KeysNeededError:
            return authenticate(self._verifier, presented)

    def _verify_bound(self, request: Request, token: str) -> Principal:
        return authenticate_now(self._verifier, self._bearer(request, token))

    def _bearer(self, request: Request, token: str) -> Presented:
        certificate, vouched_by = self._thumbprint(request), self._vouched_by(request)
        return Presented(Scheme.BEARER, token, certificate=certificate, vouched_by=vouched_by)

    async def _fetch_and_verify(self, request: Request, token: str, place: CredentialPlace | None) -> Principal:
        if not self._bound or place is not None:
            return await self._verify_awaiting(token, False, place)
        return await authenticate(self._verifier, self._bearer(request, token))

    def _thumbprint(self, request: Request) -> str | None:
        """The thumbprint of the client's certificate, where certificates are looked for."""
        find = self._find_certificate
        if isinstance(find, ForwardedCertificate):
            return find.read(_peer_address(request), _values_of(request))
        certificate = None if find is None else find(request)
        return None if certificate is None else certificate_thumbprint(certificate)

    def _vouched_by(self, request: Request) -> str | None:
        """The name of the proxy that has checked the certificate of a token, if the request comes from one."""
        prover = self._prover
        if prover is None or not prover.proves(_peer_address(request), _values_of(request)):
            return None
        return prover.name

    async def _verify_form(self, request: Request) -> Principal:
        """The principal of a token in a form that is short enough to look into (RFC 6750 section 2.2)."""
        length = request.headers.get("content-length", "")
        if not length.isdigit() or int(length) > FORM_AT_MOST:
            raise AuthError(Refusal.CREDENTIALS_MISSING)
        await receive_body(request)
        return await self._fetch_and_verify(request, self._reader.read_form(request), None)


def _is_token(values: list[str], token: str) -> bool:
    """Whether the refusal of `token` is that of the values, and not one of their form."""
    try:
        return bearer_token(values, max_length=len(token)) == token
    except AuthError:
        return False


def _peer_address(request: Request) -> str | None:
    """The address at the other end of the connection: never what a field says about it."""
    conn_info = request.conn_info
    if conn_info is None:
        return None
    return "unix" if isinstance(conn_info.sockname, str) else conn_info.client_ip or None


def _values_of(request: Request) -> Callable[[str], list[str]]:
    return lambda name: request.headers.getall(name, NONE)


def _other_schemes(verifier: Verifier, *, certificates: bool) -> dict[str, Scheme]:
    """The schemes beside `Bearer` by which a token may come, by their names in lower case."""
    accepted = [] if verifier.dpop is None else [Scheme.DPOP]
    if certificates:
        accepted.append(Scheme.MTLS_POP)
    return {scheme.value.lower(): scheme for scheme in accepted}
