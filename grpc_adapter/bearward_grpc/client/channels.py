"""Channels whose calls carry tokens.

Rules of this file: over TLS, or to this machine; anything else must say `unsafe_`. A token sent over a network in
plaintext can be used by whoever listens (RFC 6750 section 5.2).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import grpc
import grpc.aio

from bearward.errors import ConfigurationError
from bearward.fetch.urls import is_loopback_host
from bearward_grpc.client.aio import aio_interceptors
from bearward_grpc.client.sources import TokenSource
from bearward_grpc.client.sync import ClientAuthInterceptor

__all__ = ["aio_channel", "channel", "is_local"]

Options = Sequence[tuple[str, Any]]
_ADDRESS = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+):[1-9][0-9]{0,4}")
_PROXY = "grpc.enable_http_proxy"


def channel(
    target: str,
    source: TokenSource,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    unsafe_plaintext: bool = False,
    origin: str | None = None,
    options: Options = (),
) -> grpc.Channel:
    """A sync channel to `target` whose calls carry tokens of `source`.

    With `credentials` (`grpc.ssl_channel_credentials()`) over TLS, without only to loopback, past any proxy, or with
    `unsafe_plaintext`; `ConfigurationError` otherwise. `origin` is the server's public origin for DPoP proofs, where it is
    not `target`.
    """
    if credentials is not None:
        made = grpc.secure_channel(target, credentials, options)
    else:
        made = grpc.insecure_channel(target, _plaintext(target, options, unsafe=unsafe_plaintext))
    plaintext = credentials is None
    named = origin or _origin(target, plaintext=plaintext)
    return grpc.intercept_channel(made, ClientAuthInterceptor(source, unsafe_plaintext=plaintext, origin=named))


def aio_channel(
    target: str,
    source: TokenSource,
    *,
    credentials: grpc.ChannelCredentials | None = None,
    unsafe_plaintext: bool = False,
    origin: str | None = None,
    options: Options = (),
    interceptors: Sequence[Any] = (),
) -> grpc.aio.Channel:
    """`channel` for grpc.aio; `interceptors` are further ones, outside of ours."""
    plaintext = credentials is None
    named = origin or _origin(target, plaintext=plaintext)
    ours = [*interceptors, *aio_interceptors(source, unsafe_plaintext=plaintext, origin=named)]
    if credentials is not None:
        return grpc.aio.secure_channel(target, credentials, options, interceptors=ours)
    return grpc.aio.insecure_channel(target, _plaintext(target, options, unsafe=unsafe_plaintext), interceptors=ours)


def is_local(target: str) -> bool:
    """Whether a gRPC target is on this machine by its very text.

    >>> [is_local(t) for t in ("localhost:1", "127.0.0.1:1", "[::1]:1", "ipv6:[::1]:1", "unix:/run/x", "dns:///localhost:1")]
    [True, True, True, True, True, True]
    >>> [is_local(t) for t in ("api.example:1", "localhost.example:1", "dns://8.8.8.8/localhost:1", "ipv4:127.0.0.1:1,10.0.0.1:1")]
    [False, False, False, False]
    """
    scheme, colon, rest = target.partition(":")
    if colon and scheme in ("unix", "unix-abstract"):
        return True
    if colon and scheme in ("dns", "ipv4", "ipv6"):
        target = rest.removeprefix("///")
    if "/" in target or "," in target:  # another resolver, a name server, or several addresses
        return False
    host = target[1 : target.find("]")] if target.startswith("[") else target.partition(":")[0]
    return is_loopback_host(host)


def _origin(target: str, *, plaintext: bool) -> str | None:
    """The origin that proofs name for a plaintext target; over TLS grpc says itself what it connects to."""
    if not plaintext or not _ADDRESS.fullmatch(target):
        return None
    return f"http://{target}"


def _plaintext(target: str, options: Options, *, unsafe: bool) -> Options:
    """The options of a plaintext channel; raises `ConfigurationError` for one that would leave this machine.

    gRPC obeys `http_proxy` for loopback too, so a proxy on another machine would be handed the token.
    """
    if unsafe:
        return options
    if not is_local(target):
        must = "must be given for a target that is not on loopback, or say unsafe_plaintext=True"
        raise ConfigurationError("credentials", must)
    return [*(option for option in options if option[0] != _PROXY), (_PROXY, 0)]
