"""The gate: the decision about a call, the same for both kinds of server.

Rules of this file: it knows no server and no handler. It reads the credentials, asks the core, and compares with the
rule; authentication goes before the rule, so that a caller who is not known cannot learn which methods exist.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from bearward.credentials import bearer_token
from bearward.errors import AuthError, Refusal
from bearward.principal import Principal
from bearward.requirements import authorize
from bearward.verifier import Verifier
from bearward_grpc.call import Call
from bearward_grpc.policy import Policy, Public, Rule

__all__ = ["Gate", "StreamTerms"]


@dataclass(frozen=True, slots=True)
class StreamTerms:
    """Whether a stream ends with its token, and how many seconds later it may."""

    terminate: bool
    leeway: float


class Gate:
    """A verifier, a policy, and what an adapter was told about tokens that are bound to a certificate."""

    __slots__ = ("certificate_bound", "policy", "streams", "verifier")

    def __init__(self, verifier: Verifier, policy: Policy, *, streams: StreamTerms, certificate_bound: bool) -> None:
        self.verifier = verifier
        self.policy = policy
        self.streams = streams
        self.certificate_bound = certificate_bound

    def token(self, metadata: Iterable[tuple[str, str | bytes]]) -> str:
        """The one bearer token of a call's metadata.

        gRPC hands on repeated entries one by one, and only the lower-case key can be valid HTTP/2 (RFC 9113, 8.2.1).
        """
        return bearer_token([value for key, value in metadata if key == "authorization"])

    def verify_now(self, token: str) -> Principal:
        """Judge `token` from held keys; raises `AuthError` or `KeysNeeded`."""
        if self.certificate_bound:
            return self.verifier.verify_now(token, allow_bound=True)
        return self.verifier.verify_now(token)

    async def verify(self, token: str) -> Principal:
        """Judge `token`, fetching keys if need be; raises `AuthError`."""
        if self.certificate_bound:
            return await self.verifier.verify(token, allow_bound=True)
        return await self.verifier.verify(token)

    def admit(self, rule: Rule | None, principal: Principal, token: str) -> Call:
        """Let `principal` in by `rule`, or raise `AuthError`."""
        if rule is None:
            raise AuthError(Refusal.METHOD_NOT_ALLOWED)
        if not isinstance(rule, Public):
            authorize(principal, rule, self.verifier.now())
        return Call(self, rule, principal, token)

    def readmit(self, call: Call, principal: Principal) -> None:
        """Check a token that is to prolong `call`: the same caller, and still allowed; raises `AuthError`."""
        if principal.issuer != call.principal.issuer:
            raise AuthError(Refusal.CLAIM_MISMATCH, claim="iss")
        if principal.subject != call.principal.subject:
            raise AuthError(Refusal.CLAIM_MISMATCH, claim="sub")
        if not isinstance(call.rule, Public):
            authorize(principal, call.rule, self.verifier.now())
