"""Who may set a header field that a proxy sets: known by network, by unix socket, or by a shared secret.

Rule of this file: pure. What is not known of the peer allows nothing.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hmac import compare_digest
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from bearward.errors import ConfigurationError

__all__ = ["AllowedSender", "checked_field_name", "from_networks", "from_secret", "from_unix_socket"]

_LEAST_SECRET = 16
_FIELD_NAME = re.compile(r"[a-z0-9!#$%&'*+.^_`|~-]{1,128}")


class AllowedSender(ABC):
    """Who may set a field."""

    @abstractmethod
    def is_allowed(self, peer: str | None, values: Callable[[str], Sequence[str]]) -> bool:
        """Whether a request comes from an allowed sender.

        `peer` is the IP address of the other end of the connection, `"unix"` for a unix socket, None if it is not
        known; `values` returns all values of a field by its name in lower case.
        """


def from_networks(*networks: str) -> AllowedSender:
    """Peers in these networks (`10.1.0.0/16`, `fd00::/8`) or at these addresses. Raises `ConfigurationError`.

    >>> from_networks("10.1.0.0/16").is_allowed("10.1.2.3", lambda name: [])
    True
    """
    if not networks:
        raise ConfigurationError("only_from", "must name at least one network")
    try:
        parsed = tuple(ip_network(network) for network in networks)
    except (ValueError, TypeError):
        raise ConfigurationError("only_from", "must be networks such as 10.1.0.0/16, without host bits") from None
    if any(network.prefixlen == 0 for network in parsed):
        raise ConfigurationError("only_from", "must not be the whole internet: anyone could set the field then")
    return _Networks(parsed)


def from_unix_socket() -> AllowedSender:
    """Peers on the unix socket that the server listens on; the permissions of the file decide who may connect.

    Not for a socket in the abstract name space of Linux, which has no file: gRPC does not say on which of the two a
    peer is, so do not let a server with this setting listen on `unix-abstract:`.
    """
    return _UnixSocket()


def from_secret(name: str, secret: str) -> AllowedSender:
    """Requests with `secret` (at least 16 characters) in the field `name`, which only the proxy knows and sets.

    Raises `ConfigurationError`.
    """
    lowered = checked_field_name(name, "only_from.name")
    if not isinstance(secret, str) or len(secret) < _LEAST_SECRET or not secret.isascii() or not secret.isprintable():
        raise ConfigurationError("only_from.secret", f"must be at least {_LEAST_SECRET} visible ASCII characters")
    return _Secret(lowered, secret)


@dataclass(frozen=True, slots=True)
class _Networks(AllowedSender):
    networks: tuple[IPv4Network | IPv6Network, ...]

    def is_allowed(self, peer: str | None, values: Callable[[str], Sequence[str]]) -> bool:
        try:
            address = ip_address(peer or "")
        except ValueError:
            return False
        if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
            address = address.ipv4_mapped
        return any(address in network for network in self.networks)


@dataclass(frozen=True, slots=True)
class _UnixSocket(AllowedSender):
    def is_allowed(self, peer: str | None, values: Callable[[str], Sequence[str]]) -> bool:
        return peer == "unix"


@dataclass(frozen=True, slots=True)
class _Secret(AllowedSender):
    name: str
    secret: str = field(repr=False)

    def is_allowed(self, peer: str | None, values: Callable[[str], Sequence[str]]) -> bool:
        given = values(self.name)
        return len(given) == 1 and compare_digest(given[0].encode("utf-8", "replace"), self.secret.encode("ascii"))


def checked_field_name(name: object, setting: str) -> str:
    """The name of a header field in lower case; raises `ConfigurationError` that names `setting`."""
    lowered = name.lower() if isinstance(name, str) else ""
    if not _FIELD_NAME.fullmatch(lowered):
        raise ConfigurationError(setting, "must be the name of a field")
    return lowered
