"""What a gate reports: to observers, to the span of a call, and, in development, to the caller.

Rule of this file: it decides nothing. Each call is one event, whichever of the ways it went.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final

from bearward.errors import AuthError
from bearward.logs import show_unless_configured
from bearward.principal import Principal
from bearward.reporter import Reporter, concerning, correlation_id
from bearward.request_explanation import explain_request
from bearward.sender import BEARER
from bearward.verifier import Verifier
from bearward_grpc.call import Call
from bearward_grpc.method_rules.policy import Policy
from bearward_grpc.operations import Operations

__all__ = ["HTM", "Metadata", "ReportingGate"]

Metadata = Iterable[tuple[str, str | bytes]]
HTM: Final = "POST"
"""The method of every gRPC call, in a DPoP proof (gRPC over HTTP/2: `:method POST`)."""


class ReportingGate:
    """The part of a gate that reports; `Gate` is the part that decides."""

    __slots__ = (
        "_correlation_key",
        "_reporter",
        "annotated",
        "certificate_bound",
        "operations",
        "policy",
        "reports",
        "verifier",
    )

    def __init__(self, verifier: Verifier, policy: Policy, correlation_key: str | None) -> None:
        self.verifier: Verifier = verifier
        self.policy: Policy = policy
        self.certificate_bound: bool = False
        self._reporter = Reporter(verifier.observers, "grpc")
        self.reports: bool = self._reporter.verified_wanted
        """Whether a caller who is let in is an event: then `admit_cached_and_report` is the one to call."""
        self.annotated: bool = self._reporter.annotated
        """Whether spans are annotated, which begin with a handler."""
        self._correlation_key = correlation_key
        self.operations: Operations = Operations(name for name in policy.rules if not policy.names_service(name))

    def report_rules(self) -> None:
        """The policy is in force."""
        show_unless_configured()
        self._reporter.rules({**self.policy.rules, "default": self.policy.default})

    def report_refused(self, error: AuthError, method: str, metadata: Metadata) -> Callable[[], None] | None:
        """A call of `method` is refused with `error`; returns what annotates its span, to be called within it."""
        if self.verifier.explains and error.explanation is None:
            values, proofs = ([value for key, value in metadata if key == name] for name in ("authorization", "dpop"))
            error.explanation = explain_request(
                self.verifier,
                error,
                values,
                proofs=proofs,
                htm=HTM,
                path=method,
                access=self.policy.find(method),
                certificates=self.certificate_bound,
            )
        event = self._reporter.refused(error, self.operations.name_of(method), partial(self._correlation_id, metadata))
        return partial(self._reporter.annotate, event) if self.annotated and event is not None else None

    def explain_handler_refused(self, error: AuthError, call: Call | None) -> None:
        """Attach its explanation to what a handler of `call` raised: its token passed, and the handler said no.

        One that is bound to a key was judged by more than is left of the call, so nothing is said of it.
        """
        if not self.verifier.explains or call is None or call.token is None or call.principal is None:
            return
        if call.principal.proof is BEARER:
            error.explanation = self.verifier.explain(call.token, access=call.rule, refused=error)

    def report_handler_refused(self, error: AuthError, call: Call | None) -> None:
        """`call`, whose handler was found, is refused with `error`."""
        if call is None:
            self._reporter.refused(error)
            return
        if call.principal is not None:
            concerning(error, call.principal)
        identifier = call.correlation_id or self._correlation_id(())
        self._reporter.refused(error, self.operations.name_of(call.method), identifier)

    def report_ended(self, error: AuthError, call: Call, principal: Principal) -> None:
        """The stream of `call` is ended with `error`."""
        self._reporter.ended(error, principal, self.operations.name_of(call.method))

    def report_reauthenticated(self, call: Call, principal: Principal) -> None:
        """The caller goes on under another token."""
        self._reporter.verified(principal, self.operations.name_of(call.method), call.correlation_id)

    def _reported(self, call: Call, metadata: Metadata, began: float | None) -> Call:
        if call.principal is not None:
            if self._reporter.identified:
                call.correlation_id = self._correlation_id(metadata)
            if not self.certificate_bound:  # else only once its certificate is known
                took = None if began is None else self.verifier.monotonic() - began
                operation = self.operations.name_of(call.method)
                event = self._reporter.verified(call.principal, operation, call.correlation_id, took)
                call.event = event if self.annotated else None
        return call

    def _correlation_id(self, metadata: Metadata) -> str:
        name = self._correlation_key
        return correlation_id(lambda: next((value for key, value in metadata if key == name), None))
