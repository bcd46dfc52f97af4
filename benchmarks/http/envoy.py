"""The configuration of Envoy with its filter `jwt_authn` in front of a constant response: what a gateway takes for a token."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["configuration"]

_V3 = "type.googleapis.com/envoy.extensions.filters"


def configuration(issuer: str, audience: str, jwks: Any, port: int) -> str:
    """As JSON; one listener, the key set inline, no cache of tokens."""
    provider = {"issuer": issuer, "audiences": [audience], "local_jwks": {"inline_string": json.dumps(jwks)}}
    filters = [
        {
            "name": "envoy.filters.http.jwt_authn",
            "typed_config": {
                "@type": f"{_V3}.http.jwt_authn.v3.JwtAuthentication",
                "providers": {"issuer": {**provider, "require_expiration": True}},
                "rules": [{"match": {"prefix": "/"}, "requires": {"provider_name": "issuer"}}],
            },
        },
        {
            "name": "envoy.filters.http.router",
            "typed_config": {"@type": f"{_V3}.http.router.v3.Router"},
        },
    ]
    body = {"inline_string": json.dumps({"message": "Access granted"})}
    route = {"match": {"prefix": "/"}, "direct_response": {"status": 200, "body": body}}
    manager = {
        "@type": f"{_V3}.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "benchmark",
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": filters,
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return json.dumps({"static_resources": {"listeners": [{"address": address, "filter_chains": [chain]}]}})
