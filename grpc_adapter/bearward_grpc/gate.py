"""The gate: the decision about a call, the same for both kinds of server.

Rules of this file: it knows no server and no handler. It reads the credentials, asks the core, and applies the rule;
authentication comes before the rule, so that an anonymous caller cannot learn which methods exist.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from bearward.access import Access, Kind, optional, public
from bearward.authentication import authenticate, authenticate_now, authorization_refusal
from bearward.confirmation import is_bound
from bearward.credentials import SCHEMES, bearer_token, presented_token
from bearward.errors import AuthError, AwaitNeededError, CheckNeededError, KeysNeededError
from bearward.jose.compact import MAX_TOKEN
from bearward.possession import Presented
from bearward.principal import Principal, same_caller
from bearward.refusals import Refusal
from bearward.reporter import concerning
from bearward.sender import Scheme, attributed
from bearward.stand_in import stand_in
from bearward.verifier import Verifier
from bearward.verify_functions import awaited_verify_function, verify_function
from bearward_grpc.call import Call, StreamTerms
from bearward_grpc.certificates import ClientCertificate, check_binding, peer_certificate
from bearward_grpc.method_rules.policy import Policy
from bearward_grpc.method_rules.unruled import UnruledMethods
from bearward_grpc.recent_values import RecentValues
from bearward_grpc.reporting_gate import HTM, Metadata, ReportingGate

__all__ = ["Gate"]

_PUBLIC: Final = Kind.PUBLIC
_OPTIONAL: Final = Kind.OPTIONAL


class Gate(ReportingGate):
    """A verifier, a policy, and the adapter's options for tokens bound to a certificate."""

    __slots__ = (
        "_anonymous",
        "_find",
        "_identify",
        "_max_token",
        "_public",
        "_schemes",
        "_unruled",
        "_verify",
        "_verify_now",
        "client_certificate",
        "gives_nonces",
        "recent",
        "streams",
    )

    def __init__(
        self,
        verifier: Verifier,
        policy: Policy,
        *,
        streams: StreamTerms,
        certificate_bound: bool,
        client_certificate: ClientCertificate | None,
        max_token_length: int = MAX_TOKEN,
        correlation_key: str | None = None,
    ) -> None:
        super().__init__(verifier, policy, correlation_key)
        self.streams: StreamTerms = streams
        self.certificate_bound: bool = certificate_bound or client_certificate is not None
        self.client_certificate: ClientCertificate = client_certificate or peer_certificate
        self._max_token = max_token_length
        self.recent: RecentValues | None = None
        """What recent calls brought, on a server that has an event loop."""
        self._find = policy.find
        self._verify_now = verify_function(verifier)
        self._verify = awaited_verify_function(verifier)
        self._schemes = _accepted_schemes(verifier, certificates=self.certificate_bound)
        self._identify = self._verify_bearer if self._schemes is None else self._authenticate
        self._unruled = UnruledMethods(policy)
        self.gives_nonces: bool = verifier.dpop is not None and verifier.dpop.nonces is not None
        # Nothing of these two ever changes, so all anonymous calls share them.
        self._public = Call(self, public, None, None)
        self._anonymous = Call(self, optional, None, None)

    def admit_cached(self, method: str, metadata: Metadata) -> Call:
        """The call, admitted from the keys that are held.

        Raises `AuthError`, or `AwaitNeededError` where `admit` must be awaited.
        """
        rule = self._find(method)
        kind = rule.kind
        if kind is _PUBLIC:
            return self._public
        value: str | bytes | None = None
        # gRPC hands on repeated entries one by one, and only the lower-case key is valid HTTP/2 (RFC 9113, 8.2.1).
        for entry in metadata:
            if entry[0] == "authorization":
                if value is not None:
                    raise AuthError(Refusal.CREDENTIALS_REPEATED)
                value = entry[1]
        if value is None:
            return self._without_credentials(method, rule)
        recent = self.recent
        # Who comes with every call is known here, without another function (ADR 0011).
        known = None if recent is None else recent.get(value)
        try:
            token, principal = self._identify(value, method, metadata) if known is None else known
        except AuthError as error:
            return self._without_credentials(method, rule, error)
        refused = rule.refusal(principal, self.verifier.now())
        if refused is not None:
            raise self._explained(method, refused, principal)
        return Call(self, rule, principal, token, method)

    def admit_cached_and_report(self, method: str, metadata: Metadata) -> Call:
        """As `admit_cached`, with an event for a caller who is let in."""
        verifier = self.verifier
        began, verified = verifier.monotonic(), verifier.signatures_verified
        call = self.admit_cached(method, metadata)
        # Measuring what is remembered would cost more than remembering it.
        return self._reported(call, metadata, None if verifier.signatures_verified == verified else began)

    async def admit(self, method: str, metadata: Metadata, needed: AwaitNeededError) -> Call:
        """The call, admitted once what `admit_cached` needed was awaited, with an event for a caller who is let in.

        Raises `AuthError`.
        """
        began = self.verifier.monotonic()
        token, principal = await self._identified(method, metadata, needed)
        rule = self._find(method)
        try:
            await self._authorize(rule, principal)
        except AuthError as refused:
            raise self._explained(method, refused, principal) from None
        call = self._call(method, rule, principal, token)
        return self._reported(call, metadata, began) if self.reports else call

    async def _identified(
        self, method: str, metadata: Metadata, needed: AwaitNeededError
    ) -> tuple[str | None, Principal]:
        """The token and its principal; who was verified before a check was needed is not verified twice."""
        values = [value for key, value in metadata if key == "authorization"]
        known: Principal | None = needed.principal if isinstance(needed, CheckNeededError) else None
        if known is not None and not values:
            return None, known  # whom a test put in the place of a caller
        if self._schemes is None:
            token = bearer_token(values, max_length=self._max_token)
            return token, known or await self._verify(token, False, None)
        presented = self._presented(method, metadata, *values)
        return presented.token, known or await authenticate(self.verifier, presented)

    async def reauthenticate(self, call: Call, token: str, proof: str | None) -> Principal:
        """The caller by a token that is to prolong `call`: the same one, and still allowed; raises `AuthError`."""
        principal = await self._verify_within(call, token, proof)
        held = call.principal
        if held is None or not same_caller(held, principal):
            raise AuthError(Refusal.CLAIM_MISMATCH, claim=_differing_claim(held, principal))
        if _confirmation(principal) != _confirmation(held):
            raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
        await self._authorize(call.rule, principal)
        return principal

    async def _verify_within(self, call: Call, token: str, proof: str | None) -> Principal:
        """Verify a token that came within `call`, with a DPoP proof of its own where it is bound; raises `AuthError`."""
        if self._schemes is None:
            return await self._verify(token, False, None)
        scheme, proofs = (Scheme.BEARER, ()) if proof is None else (Scheme.DPOP, (proof,))
        principal = await authenticate(self.verifier, self._about(call.method, scheme, token, proofs))
        held = None if call.principal is None else call.principal.proof
        if held is None or held.vouched_by is None:
            return principal
        # It is the connection of the same proxy still; `reauthenticate` sees that the certificate is the same.
        return principal.proven_by(principal.proof._replace(vouched_by=held.vouched_by))

    def enter(self, call: Call, context: Any) -> None:
        """The handler of `call` begins, in its own context, and in its own span if there is one.

        Raises `AuthError` if the token is bound to another certificate than the caller's (RFC 8705 section 3).
        """
        principal = call.principal
        if principal is None:
            return
        try:
            principal = call.principal = check_binding(principal, self.client_certificate, context)
        except AuthError as refused:
            raise concerning(refused, principal) from None
        if self.gives_nonces and principal.proof.jkt is not None:
            # RFC 9449 section 8.2. A handler that sets trailers of its own replaces it, and its caller asks again.
            context.set_trailing_metadata((("dpop-nonce", self.verifier.dpop_nonce()),))
        if self.reports and self.certificate_bound:  # not before: until now it could be refused
            self._reporter.verified(principal, self.operations.name_of(call.method), call.correlation_id)
        elif call.event is not None:
            self._reporter.annotate(call.event)

    def _without_credentials(self, method: str, rule: Access, error: AuthError | None = None) -> Call:
        """The call of nobody; raises `error` where there is a token. Credentials of another scheme are none."""
        if error is not None and error.refusal is not Refusal.CREDENTIALS_MISSING:
            raise error
        principal = stand_in()
        if principal is None:
            if rule.kind is _OPTIONAL:
                return self._anonymous
            raise error or AuthError(Refusal.CREDENTIALS_MISSING)
        refused = rule.refusal(principal, self.verifier.now())
        if refused is not None:
            raise self._explained(method, refused, principal)
        return self._call(method, rule, principal, None)

    def _verify_bearer(self, value: str | bytes, _method: str, _metadata: Metadata) -> tuple[str, Principal]:
        """The token and its principal, from held keys.

        What verifies as a token is of a token's grammar, so on the usual path the grammar is not looked at first.
        """
        recent = self.recent
        token = ""
        try:
            if value[:7] == "Bearer " and len(value) <= self._max_token:  # bytes never equal it
                token = value[7:]  # type: ignore[assignment]
                principal = self._verify_now(token, False)
                if recent is not None:
                    recent.verified(value, token)
                return token, principal
        except (AuthError, KeysNeededError):
            # Either the credentials are to blame, and then this raises, or the token itself.
            if bearer_token([value], max_length=self._max_token) == token:
                raise
        token = bearer_token([value], max_length=self._max_token)
        return token, self._verify_now(token, False)

    def _authenticate(self, value: str | bytes, method: str, metadata: Metadata) -> tuple[str, Principal]:
        """The same, where a token may be bound to a key. A bearer token costs nothing more: it is refused if it is bound."""
        if value[:7] == "Bearer " and not self.certificate_bound:
            return self._verify_bearer(value, method, metadata)
        presented = self._presented(method, metadata, value)
        return presented.token, authenticate_now(self.verifier, presented)

    def _presented(self, method: str, metadata: Metadata, *values: str | bytes) -> Presented:
        """What a call brings, where more than bearer tokens are accepted; raises `AuthError`."""
        scheme, token = presented_token(values, self._schemes or {}, max_length=self._max_token)
        proofs = [value for key, value in metadata if key == "dpop"] if scheme is Scheme.DPOP else ()
        return self._about(method, scheme, token, proofs)

    def _about(self, method: str, scheme: Scheme, token: str, proofs: Sequence[str | bytes]) -> Presented:
        # The peer's certificate is known to the handler's context only; `check_certificate` sees to it there.
        return Presented(scheme, token, proofs, HTM, method, certificate_later=self.certificate_bound)

    def _call(self, method: str, rule: Access, principal: Principal, token: str | None) -> Call:
        return Call(self, rule, principal, token, method)

    def _explained(self, method: str, refused: AuthError, principal: Principal) -> AuthError:
        self._unruled.report(method, refused)
        return attributed(concerning(refused, principal), Scheme.BEARER if principal.proof.jkt is None else Scheme.DPOP)

    async def _authorize(self, rule: Access, principal: Principal) -> None:
        refused = await authorization_refusal(self.verifier, rule, principal)
        if refused is not None:
            raise refused


def _accepted_schemes(verifier: Verifier, *, certificates: bool) -> dict[bytes, Scheme] | None:
    """The schemes by which a token may come; None for bearer tokens alone, which are not bound to anything."""
    accepted = {Scheme.BEARER}
    if verifier.dpop is not None:
        accepted.add(Scheme.DPOP)
    if certificates:
        accepted.add(Scheme.MTLS_POP)
    if len(accepted) == 1:
        return None
    return {name: scheme for name, scheme in SCHEMES.items() if scheme in accepted}


def _differing_claim(held: Principal | None, principal: Principal) -> str:
    """The first claim by which two callers differ, for the text of the refusal."""
    before = {} if held is None else held.claims
    differing = (name for name in ("iss", "sub", "client_id", "azp") if before.get(name) != principal.claims.get(name))
    return next(differing, "sub")


def _confirmation(principal: Principal) -> object:
    return principal.claims["cnf"] if is_bound(principal) else None
