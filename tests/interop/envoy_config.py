"""Envoy's configuration, as data: what an operator would write in YAML.

Rule of this file: pure. `edge` ends TLS for both samples and forwards the token as it came; `mutual` asks for a
client certificate and forwards it in `x-forwarded-client-cert`, whatever the caller sent there, with a secret by which
our side knows Envoy; `passthrough` hands
the TLS connection on as it is.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

__all__ = ["configuration"]

_TYPE = "type.googleapis.com/envoy."
_MANAGER = "extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"


def configuration(
    ports: dict[str, int], upstreams: dict[str, str], server: tuple[Path, Path], client_ca: Path, secret: str
) -> dict[str, Any]:
    """Listeners on `ports` (edge, mutual, passthrough) before `upstreams` (http, grpc, bound, bound-grpc, tls: host:port)."""
    by_kind: list[dict[str, Any]] = [
        {
            "match": {
                "prefix": "/",
                "headers": [{"name": "content-type", "string_match": {"prefix": "application/grpc"}}],
            },
            "route": {"cluster": "grpc", "timeout": "0s"},
        },
        {"match": {"prefix": "/"}, "route": {"cluster": "http", "timeout": "0s"}},
    ]
    # RFC 8705: the authority signs the client's certificate, Envoy proves its key, the resource server the binding
    trusted = {"trusted_ca": {"filename": str(client_ca)}}
    forward = {"forward_client_cert_details": "SANITIZE_SET", "set_current_client_cert_details": {"cert": True}}
    ours = {"header": {"key": "x-proxy-secret", "value": secret}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    to_bound = [
        {
            "match": {"prefix": prefix},
            "route": {"cluster": cluster, "timeout": "0s"},
            "request_headers_to_add": [ours],
        }
        for prefix, cluster in (("/bearward.", "bound-grpc"), ("/", "bound"))
    ]
    listeners = [
        _listener("edge", ports["edge"], _http("edge", by_kind, {}), _tls(server, None)),
        _listener("mutual", ports["mutual"], _http("mutual", to_bound, forward), _tls(server, trusted)),
        _listener("passthrough", ports["passthrough"], _tcp("tls"), None),
    ]
    clusters = [_cluster(name, address, http2=name.endswith("grpc")) for name, address in upstreams.items()]
    return {"static_resources": {"listeners": listeners, "clusters": clusters}}


def _listener(name: str, port: int, network: dict[str, Any], tls: dict[str, Any] | None) -> dict[str, Any]:
    chain: dict[str, Any] = {"filters": [network]}
    if tls is not None:
        chain["transport_socket"] = tls
    return {"name": name, "address": _address("127.0.0.1", port), "filter_chains": [chain]}


def _address(host: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": host, "port_value": port}}


def _http(name: str, routes: list[dict[str, Any]], more: dict[str, Any]) -> dict[str, Any]:
    router = {
        "name": "envoy.filters.http.router",
        "typed_config": {"@type": f"{_TYPE}extensions.filters.http.router.v3.Router"},
    }
    manager = {
        "@type": _TYPE + _MANAGER,
        "stat_prefix": name,
        "codec_type": "AUTO",
        "upgrade_configs": [{"upgrade_type": "websocket"}],
        "route_config": {"virtual_hosts": [{"name": name, "domains": ["*"], "routes": routes}]},
        "http_filters": [router],
        **more,
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def _tcp(cluster: str) -> dict[str, Any]:
    proxy = {
        "@type": f"{_TYPE}extensions.filters.network.tcp_proxy.v3.TcpProxy",
        "stat_prefix": "tcp",
        "cluster": cluster,
    }
    return {"name": "envoy.filters.network.tcp_proxy", "typed_config": proxy}


def _tls(server: tuple[Path, Path], client: dict[str, Any] | None) -> dict[str, Any]:
    certificate, key = server
    common: dict[str, Any] = {
        "alpn_protocols": ["h2", "http/1.1"],
        "tls_certificates": [
            {"certificate_chain": {"filename": str(certificate)}, "private_key": {"filename": str(key)}}
        ],
    }
    if client is not None:
        common["validation_context"] = client
    context = {
        "@type": f"{_TYPE}extensions.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": common,
        "require_client_certificate": client is not None,
    }
    return {"name": "envoy.transport_sockets.tls", "typed_config": context}


def _cluster(name: str, address: str, *, http2: bool) -> dict[str, Any]:
    host, _, port = address.rpartition(":")
    endpoint = {"endpoint": {"address": _address(host, int(port))}}
    cluster: dict[str, Any] = {
        "name": name,
        "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }
    if http2:
        options = {
            "@type": f"{_TYPE}extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": options
        }
    return cluster
