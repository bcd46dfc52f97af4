"""`AuthInterceptor`: bearer tokens for grpc.aio servers.

Rule of this file: settings only; what becomes of a call is decided behind the door.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, TypeVar

import grpc
import grpc.aio

from bearward.access import deny, public
from bearward.client_certificates import ForwardedCertificate, ProvingProxy
from bearward.jose.compact import MAX_TOKEN
from bearward.verifier import Verifier
from bearward_grpc.aio.door import Continuation, Door
from bearward_grpc.certificates import ClientCertificate
from bearward_grpc.method_rules.policy import Policy, Rule
from bearward_grpc.options import (
    StreamExpiry,
    as_policy,
    checked_certificate_finder,
    checked_correlation_key,
    checked_docs,
    checked_token_length,
    metadata_url,
    stream_terms,
)
from bearward_grpc.placed import gate_type
from bearward_grpc.recent_values import RecentValues
from bearward_grpc.status import StatusMapper

__all__ = ["AuthInterceptor"]

Req = TypeVar("Req")
Res = TypeVar("Res")
Handler = grpc.RpcMethodHandler  # subscripted in annotations only: at run time it is no generic


class AuthInterceptor(grpc.aio.ServerInterceptor):  # type: ignore[misc,unused-ignore]
    """Guards every method of a grpc.aio server by `policy`.

    `verifier` must be started on the server's event loop. `policy` is a `Policy`, or a mapping from which one is
    built: what no rule names is denied unless `default` says `authenticated` or `requires(...)`, `grpc.health.v1.Health`
    is public (`health`), and reflection is denied (`reflection=True` makes it public, a rule guards it). `realm` and
    `resource_metadata` go into the challenge (RFC 6750 section 3, RFC 9728 section 5.1; `resource` stands for the URL of
    its metadata, RFC 9728 section 3.1), `error_domain` into `google.rpc.ErrorInfo`.

    Streams end with UNAUTHENTICATED when their token expires (`stream_leeway` seconds later), is revoked, or its key
    is withdrawn; `stream_expiry="ignore"` lets them live. `certificate_bound=True` accepts tokens that are bound to
    the peer's certificate (RFC 8705) and checks the binding; `client_certificate`, a function of the call's context
    or a `ForwardedCertificate`, does so with a certificate that a proxy in front forwards. Otherwise such tokens are refused.
    `unsafe_binding_proved_by`, a `ProvingProxy`, relies on a proxy that checks the binding itself.

    Longer tokens than `max_token_length`, in octets, are refused unread.

    `correlation_key` is the metadata key of a request's identifier, for events: `x-request-id`. `refusal_docs` is the URL
    of the catalogue of refusals, where you serve it: `google.rpc.Help` links to the section of the code.

    Raises `ConfigurationError` for an invalid policy or setting.
    """

    def __init__(
        self,
        verifier: Verifier,
        policy: Policy | Mapping[str, Rule],
        *,
        default: Rule = deny,
        realm: str | None = "api",
        error_domain: str = "bearward",
        resource: str | None = None,
        resource_metadata: str | None = None,
        health: Rule | None = public,
        reflection: Rule | bool = False,
        stream_expiry: StreamExpiry = "terminate",
        stream_leeway: float = 0.0,
        max_token_length: int = MAX_TOKEN,
        certificate_bound: bool = False,
        client_certificate: ClientCertificate | ForwardedCertificate | None = None,
        unsafe_binding_proved_by: ProvingProxy | None = None,
        correlation_key: str | None = None,
        refusal_docs: str | None = None,
    ) -> None:
        given = dict(locals())
        self.given: dict[str, Any] = {name: given[name] for name in given if name not in ("self", "verifier")}
        """What it was made with, beside the verifier."""
        self.policy: Policy = as_policy(policy, default=default, health=health, reflection=reflection)
        gate = gate_type(verifier)(
            verifier,
            self.policy,
            streams=stream_terms(stream_expiry, stream_leeway),
            max_token_length=checked_token_length(max_token_length),
            certificate_bound=certificate_bound,
            client_certificate=checked_certificate_finder(client_certificate, unsafe_binding_proved_by),
            correlation_key=checked_correlation_key(correlation_key),
        )
        gate.recent = RecentValues(verifier)
        gate.report_rules()
        metadata = metadata_url(resource, resource_metadata)
        mapper = StatusMapper(
            verifier,
            realm=realm,
            error_domain=error_domain,
            resource_metadata=metadata,
            refusal_docs=checked_docs(refusal_docs),
        )
        self._door = Door(gate, mapper)

    def intercept_service(  # type: ignore[override,unused-ignore]
        self, continuation: Continuation[Req, Res], handler_call_details: grpc.HandlerCallDetails
    ) -> Awaitable[grpc.RpcMethodHandler[Req, Res] | None]:
        """Called by grpc for each call, before its body is read."""
        return self._door.intercept(continuation, handler_call_details)


def door_of(auth: AuthInterceptor) -> Door:
    """The door behind which `auth` lets callers; another one while a test has given it another verifier."""
    return auth._door  # noqa: SLF001
