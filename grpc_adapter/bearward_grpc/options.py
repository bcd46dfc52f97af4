"""The options of both interceptors, checked once."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

from bearward.access import deny, public
from bearward.client_certificates import ForwardedCertificate, ProvingProxy
from bearward.errors import ConfigurationError
from bearward.jose.compact import MAX_TOKEN
from bearward.resource_url import checked_resource_url
from bearward_grpc.call import StreamTerms
from bearward_grpc.certificates import ClientCertificate, forwarded_certificate, vouched_certificate
from bearward_grpc.method_rules.policy import Policy, Rule

__all__ = [
    "StreamExpiry",
    "as_policy",
    "checked_certificate_finder",
    "checked_token_length",
    "metadata_size_options",
    "metadata_url",
    "stream_terms",
]

StreamExpiry = Literal["terminate", "ignore"]
_OTHER_METADATA = 8 * 1024
_KEY = re.compile(r"(?!.*-bin$)[0-9a-z_.-]{1,64}")
_WELL_KNOWN = "/.well-known/oauth-protected-resource"


def stream_terms(expiry: StreamExpiry, leeway: float) -> StreamTerms:
    """The terms of streams; raises `ConfigurationError`."""
    if expiry not in ("terminate", "ignore"):
        raise ConfigurationError("stream_expiry", "must be 'terminate' or 'ignore'")
    if isinstance(leeway, bool) or not isinstance(leeway, int | float) or not 0 <= leeway < math.inf:
        raise ConfigurationError("stream_leeway", "must be a finite number of seconds, 0 or more")
    return StreamTerms(terminate=expiry == "terminate", leeway=float(leeway))


def checked_certificate_finder(
    client_certificate: ClientCertificate | ForwardedCertificate | None, prover: ProvingProxy | None
) -> ClientCertificate | None:
    """The function as given, or that for a proxy; raises `ConfigurationError` for what cannot be one."""
    if prover is not None:
        if not isinstance(prover, ProvingProxy) or client_certificate is not None:
            must = "must be a ProvingProxy, and not be given together with client_certificate"
            raise ConfigurationError("unsafe_binding_proved_by", must)
        return vouched_certificate(prover)
    if isinstance(client_certificate, ForwardedCertificate):
        return forwarded_certificate(client_certificate)
    if client_certificate is not None and not callable(client_certificate):
        raise ConfigurationError("client_certificate", "must be callable")
    return client_certificate


def as_policy(
    policy: Policy | Mapping[str, Rule], *, default: Rule, health: Rule | None, reflection: Rule | bool
) -> Policy:
    """The policy as given, or built from a mapping; raises `ConfigurationError` if a policy would be contradicted."""
    if not isinstance(policy, Policy):
        return Policy(policy, default=default, health=health, reflection=reflection)
    given = {"default": (default, deny), "health": (health, public), "reflection": (reflection, False)}
    for setting, (value, unsaid) in given.items():
        if value is not unsaid and value != unsaid:
            raise ConfigurationError(setting, "must be given to the Policy where one is passed, or it has no effect")
    return policy


def metadata_url(resource: str | None, resource_metadata: str | None) -> str | None:
    """The URL of the RFC 9728 document for challenges: as given, or that of `resource` (section 3.1).

    >>> metadata_url("https://api.example/notes", None)
    'https://api.example/.well-known/oauth-protected-resource/notes'
    """
    if resource is None:
        return None if resource_metadata is None else checked_resource_url("resource_metadata", resource_metadata)
    if resource_metadata is not None:
        raise ConfigurationError("resource_metadata", "must not be given together with resource, from which it follows")
    parts = urlsplit(checked_resource_url("resource", resource))
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}://{parts.netloc}{_WELL_KNOWN}{parts.path.rstrip('/')}{query}"


def checked_docs(refusal_docs: str | None) -> str | None:
    """The URL of the catalogue of refusals, if it can be one; raises `ConfigurationError`."""
    return None if refusal_docs is None else checked_resource_url("refusal_docs", refusal_docs)


def checked_correlation_key(key: str | None) -> str | None:
    """The metadata key of a request's identifier, if it can be one; raises `ConfigurationError`."""
    if key is not None and not (isinstance(key, str) and _KEY.fullmatch(key)):
        raise ConfigurationError("correlation_key", "must be the name of a metadata key in lower case: x-request-id")
    return key


def checked_token_length(octets: int) -> int:
    """The longest token that is looked at; raises `ConfigurationError`."""
    if isinstance(octets, bool) or not isinstance(octets, int) or not 1 <= octets <= MAX_TOKEN:
        raise ConfigurationError("max_token_length", f"must be a number of octets from 1 to {MAX_TOKEN}")
    return octets


def metadata_size_options(max_token_length: int = MAX_TOKEN) -> tuple[tuple[str, int], tuple[str, int]]:
    """Options of a server, or a channel, that carries tokens of up to `max_token_length` octets.

    Without them gRPC refuses calls with more than 8 KiB of metadata at random, and all with more than 16 KiB, before or
    after an interceptor has seen them (RESOURCE_EXHAUSTED). Room for 8 KiB of other metadata is added. Raises
    `ConfigurationError`.

    >>> metadata_size_options()
    (('grpc.max_metadata_size', 24576), ('grpc.absolute_max_metadata_size', 49152))
    """
    soft = checked_token_length(max_token_length) + _OTHER_METADATA
    return ("grpc.max_metadata_size", soft), ("grpc.absolute_max_metadata_size", 2 * soft)
