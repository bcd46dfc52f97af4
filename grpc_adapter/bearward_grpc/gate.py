"""The gate: the decision about a call, the same for both kinds of server.

Rules of this file: it knows no server and no handler. It reads the credentials, asks the core, and compares with the
rule; authentication goes before the rule, so that an anonymous caller cannot learn which methods exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from bearward.access import Access, Kind, optional, public
from bearward.confirmation import is_bound
from bearward.credentials import bearer_token
from bearward.errors import AuthError, KeysNeededError, Refusal
from bearward.principal import Principal, same_caller
from bearward.verifier import Verifier, verify_function
from bearward_grpc.call import Call, StreamTerms
from bearward_grpc.certificates import ClientCertificate, check_binding, peer_certificate
from bearward_grpc.method_rules.policy import Policy
from bearward_grpc.method_rules.unruled import UnruledMethods

__all__ = ["Gate"]

Metadata = Iterable[tuple[str, str | bytes]]
_MAX_TOKEN = 16 * 1024
_PUBLIC: Final = Kind.PUBLIC
_OPTIONAL: Final = Kind.OPTIONAL


class Gate:
    """A verifier, a policy, and what an adapter was told about tokens that are bound to a certificate."""

    __slots__ = (
        "_anonymous",
        "_find",
        "_public",
        "_unruled",
        "_verify_now",
        "certificate_bound",
        "client_certificate",
        "policy",
        "streams",
        "verifier",
    )

    def __init__(
        self,
        verifier: Verifier,
        policy: Policy,
        *,
        streams: StreamTerms,
        certificate_bound: bool,
        client_certificate: ClientCertificate | None,
    ) -> None:
        self.verifier: Verifier = verifier
        self.policy: Policy = policy
        self.streams: StreamTerms = streams
        self.certificate_bound: bool = certificate_bound or client_certificate is not None
        self.client_certificate: ClientCertificate = client_certificate or peer_certificate
        self._find = policy.find
        self._verify_now = verify_function(verifier)
        self._unruled = UnruledMethods(policy)
        # Nothing of these two ever changes, so all anonymous calls share them.
        self._public = Call(self, public, None, None)
        self._anonymous = Call(self, optional, None, None)

    def admit_cached(self, method: str, metadata: Metadata) -> Call:
        """The call, let in from the keys that are held.

        Raises `AuthError`, or `KeysNeededError` where `admit` must be awaited.
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
            if kind is _OPTIONAL:
                return self._anonymous
            raise AuthError(Refusal.CREDENTIALS_MISSING)
        token, principal = self._verify_header(value)
        refused = rule.refusal(principal, self.verifier.now())
        if refused is not None:
            self._unruled.report(method, refused)
            raise refused
        return Call(self, rule, principal, token)

    async def admit(self, method: str, metadata: Metadata) -> Call:
        """The call, let in once its keys were fetched; raises `AuthError`."""
        token = bearer_token([value for key, value in metadata if key == "authorization"], max_length=_MAX_TOKEN)
        principal = await self.verify(token)
        rule = self._find(method)
        try:
            self._authorize(rule, principal)
        except AuthError as refused:
            self._unruled.report(method, refused)
            raise
        return Call(self, rule, principal, token)

    async def verify(self, token: str) -> Principal:
        """Verify `token`, fetching keys if need be; raises `AuthError`."""
        return await self.verifier.verify(token, unsafe_allow_bound=self.certificate_bound)

    def check_reauthentication(self, call: Call, principal: Principal) -> None:
        """Check a token that is to prolong `call`: the same caller, and still allowed; raises `AuthError`."""
        held = call.principal
        if held is None or not same_caller(held, principal):
            raise AuthError(Refusal.CLAIM_MISMATCH, claim=_differing_claim(held, principal))
        if _confirmation(principal) != _confirmation(held):
            raise AuthError(Refusal.TOKEN_SENDER_CONSTRAINED)
        self._authorize(call.rule, principal)

    def check_certificate(self, principal: Principal, context: Any) -> None:
        """Raise `AuthError` if the token is bound to another certificate than the caller's (RFC 8705 section 3)."""
        check_binding(principal, self.client_certificate, context)

    def _verify_header(self, value: str | bytes) -> tuple[str, Principal]:
        """The token and its principal, from held keys.

        What verifies as a token is of a token's grammar, so on the usual path the grammar is not looked at first.
        """
        token = ""
        try:
            if value[:7] == "Bearer " and len(value) <= _MAX_TOKEN:  # bytes never equal it
                token = value[7:]  # type: ignore[assignment]
                return token, self._verify_now(token, self.certificate_bound)
        except (AuthError, KeysNeededError):
            # Either the credentials are to blame, and then this raises, or the token itself.
            if bearer_token([value], max_length=_MAX_TOKEN) == token:
                raise
        token = bearer_token([value], max_length=_MAX_TOKEN)
        return token, self._verify_now(token, self.certificate_bound)

    def _authorize(self, rule: Access, principal: Principal) -> None:
        refused = rule.refusal(principal, self.verifier.now())
        if refused is not None:
            raise refused


def _differing_claim(held: Principal | None, principal: Principal) -> str:
    """The first claim by which two callers differ, for the text of the refusal."""
    before = {} if held is None else held.claims
    differing = (name for name in ("iss", "sub", "client_id", "azp") if before.get(name) != principal.claims.get(name))
    return next(differing, "sub")


def _confirmation(principal: Principal) -> object:
    return principal.claims["cnf"] if is_bound(principal) else None
