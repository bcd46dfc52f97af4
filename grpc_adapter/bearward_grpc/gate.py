"""The gate: the decision about a call, the same for both kinds of server.

Rules of this file: it knows no server and no handler. It reads the credentials, asks the core, and compares with the
rule; authentication goes before the rule, so that a caller who is not known cannot learn which methods exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bearward.credentials import bearer_token
from bearward.errors import AuthError, KeysNeededError, Refusal
from bearward.principal import Principal
from bearward.requirements import authorize
from bearward.verifier import Verifier
from bearward_grpc.call import Call
from bearward_grpc.certificates import ClientCertificate, peer_certificate
from bearward_grpc.rules.policy import Open, Policy, Rule, optional, public

__all__ = ["Gate", "StreamTerms"]

Metadata = Iterable[tuple[str, str | bytes]]
_MAX_TOKEN = 16 * 1024


@dataclass(frozen=True, slots=True)
class StreamTerms:
    """Whether a stream ends with its token, and how many seconds later it may."""

    terminate: bool
    leeway: float


class Gate:
    """A verifier, a policy, and what an adapter was told about tokens that are bound to a certificate."""

    __slots__ = ("_find", "certificate_bound", "client_certificate", "policy", "streams", "verifier")

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

    def admit_now(self, method: str, metadata: Metadata) -> Call | None:
        """The call, let in from the keys that are held; None for a caller who need not be known.

        Raises `AuthError`, or `KeysNeededError` where `admit_later` must be awaited.
        """
        rule = self._find(method)
        if rule is public:
            return None
        value: str | bytes | None = None
        # gRPC hands on repeated entries one by one, and only the lower-case key is valid HTTP/2 (RFC 9113, 8.2.1).
        for entry in metadata:
            if entry[0] == "authorization":
                if value is not None:
                    raise AuthError(Refusal.CREDENTIALS_REPEATED)
                value = entry[1]
        if value is None:
            if rule is optional:
                return None
            raise AuthError(Refusal.CREDENTIALS_MISSING)
        token, principal = self._judged(value)
        if rule is None:
            raise AuthError(Refusal.NO_RULE)
        if not isinstance(rule, Open):
            refused = rule.unmet(principal, self.verifier.now())
            if refused is not None:
                raise refused
        return Call(self, rule, principal, token)

    async def admit_later(self, method: str, metadata: Metadata) -> Call:
        """The call, let in once its keys were fetched; raises `AuthError`."""
        token = bearer_token([value for key, value in metadata if key == "authorization"])
        principal = await self.verify(token)
        rule = self._find(method)
        if rule is None:
            raise AuthError(Refusal.NO_RULE)
        self._authorize(rule, principal)
        return Call(self, rule, principal, token)

    async def verify(self, token: str) -> Principal:
        """Judge `token`, fetching keys if need be; raises `AuthError`."""
        return await self.verifier.verify(token, unsafe_allow_bound=self.certificate_bound)

    def readmit(self, call: Call, principal: Principal) -> None:
        """Check a token that is to prolong `call`: the same caller, and still allowed; raises `AuthError`."""
        if principal.issuer != call.principal.issuer:
            raise AuthError(Refusal.CLAIM_MISMATCH, claim="iss")
        if principal.subject != call.principal.subject:
            raise AuthError(Refusal.CLAIM_MISMATCH, claim="sub")
        self._authorize(call.rule, principal)

    def _judged(self, value: str | bytes) -> tuple[str, Principal]:
        """The token and its principal, from held keys.

        What verifies as a token is of a token's grammar, so on the usual path the grammar is not looked at first.
        """
        token = ""
        try:
            if value[:7] == "Bearer " and len(value) <= _MAX_TOKEN:  # bytes never equal it
                token = value[7:]  # type: ignore[assignment]
                return token, self.verifier.verify_now(token, unsafe_allow_bound=self.certificate_bound)
        except (AuthError, KeysNeededError):
            # Either the credentials are to blame, and then this raises, or the token itself.
            if bearer_token([value], max_length=_MAX_TOKEN) == token:
                raise
        token = bearer_token([value], max_length=_MAX_TOKEN)
        return token, self.verifier.verify_now(token, unsafe_allow_bound=self.certificate_bound)

    def _authorize(self, rule: Rule, principal: Principal) -> None:
        if not isinstance(rule, Open):
            authorize(principal, rule, self.verifier.now())
