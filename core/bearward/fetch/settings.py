"""What the HTTP client has to know: times, bounds, and what the operator configured for one issuer.

Rule of this file: values only; whoever builds them (`JWKSOptions`) checks them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["HTTPSettings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HTTPSettings:
    """Times are seconds, sizes bytes, files names of PEM files; `JWKSOptions` says what each of them means."""

    connect_timeout: float = 2.0
    read_timeout: float = 5.0
    total_timeout: float = 10.0
    max_body: int = 65_536
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca_file: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = field(default=None, repr=False)
    unsafe_allow_private_addresses: bool = False
    unsafe_allow_http: bool = False
