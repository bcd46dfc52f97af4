"""Which network addresses may be connected to (pure).

Rules of this file: what matters is the address to which the name resolved, at the moment of the connection, so that
neither a discovered `jwks_uri` nor a name server can direct a fetch into our own network. Link-local, metadata,
multicast and unspecified addresses are always refused; private ones unless the operator allows them; loopback unless
the URL itself names it. A discovered URL reaches loopback or a private network only if the document that named it came
from there. An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) is treated as that IPv4 address.
"""

from __future__ import annotations

from enum import Enum
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from bearward.fetch.urls import is_loopback_host

__all__ = ["Network", "is_allowed", "network_of", "network_of_host"]

_METADATA = frozenset(
    ip_address(text)
    for text in (
        "169.254.169.254",  # AWS, Azure, Google, and most others
        "fd00:ec2::254",  # AWS over IPv6
        "fd20:ce::254",  # Google over IPv6
        "100.100.100.200",  # Alibaba
        "192.0.0.192",  # Oracle
        "168.63.129.16",  # Azure's wire server, in public space
    )
)
_NAT64 = IPv6Network("64:ff9b::/96")
_THIS_NETWORK = IPv4Network("0.0.0.0/8")  # RFC 791 section 3.2: no destination, and on many systems this machine
_LOW_32_BITS = 0xFFFF_FFFF


class Network(Enum):
    """What kind of network an address belongs to."""

    PUBLIC = "public"
    PRIVATE = "private"
    """RFC 1918, RFC 4193 (unique local), RFC 6598, and everything else that is not globally routed."""
    LOOPBACK = "loopback"
    REFUSED = "refused"
    """Link-local, cloud metadata, multicast, unspecified, reserved: no place for keys."""


def network_of(address: str) -> Network:
    """The network of a numeric address; raises `ValueError` for anything else.

    >>> network_of("::ffff:169.254.169.254"), network_of("fd12::1"), network_of("93.184.216.34")
    (<Network.REFUSED: 'refused'>, <Network.PRIVATE: 'private'>, <Network.PUBLIC: 'public'>)
    """
    ip = _embedded_ipv4(ip_address(address.partition("%")[0]))
    if ip.is_loopback:
        return Network.LOOPBACK
    if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return Network.REFUSED
    if ip.is_site_local if isinstance(ip, IPv6Address) else ip in _THIS_NETWORK:
        return Network.REFUSED
    return Network.PUBLIC if ip.is_global else Network.PRIVATE


def network_of_host(host: str) -> Network | None:
    """The network that a URL's host names by its very text, or None if only a name server can say.

    Other spellings of an IPv4 address, which some resolvers take, name a network that is refused.

    >>> network_of_host("login.example"), network_of_host("0x7f.1")
    (None, <Network.REFUSED: 'refused'>)
    """
    if is_loopback_host(host):
        return Network.LOOPBACK
    try:
        return network_of(host.strip("[]"))
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2].lower()
        return Network.REFUSED if last.isdigit() or last.startswith("0x") else None


def is_allowed(
    address: str, *, host: str, unsafe_allow_private: bool = False, discovered_in: Network | None = None
) -> bool:
    """Whether a fetch from `host` may connect to `address`, which `host` resolved to.

    `discovered_in` is the network of the document that named the URL; None if the operator wrote it.

    >>> is_allowed("93.184.216.34", host="login.example")
    True
    >>> is_allowed("127.0.0.1", host="localhost"), is_allowed("127.0.0.1", host="login.example")
    (True, False)
    >>> is_allowed("127.0.0.1", host="localhost", discovered_in=Network.PUBLIC)
    False
    """
    network = network_of(address)
    if network is Network.LOOPBACK or is_loopback_host(host):
        named = is_loopback_host(host) or unsafe_allow_private
        return network is Network.LOOPBACK and named and discovered_in in (None, Network.LOOPBACK)
    if network is Network.PRIVATE:
        return unsafe_allow_private and discovered_in in (None, Network.PRIVATE)
    return network is Network.PUBLIC


def _embedded_ipv4(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)
    if inner is None and ip in _NAT64:
        inner = IPv4Address(int(ip) & _LOW_32_BITS)
    return inner or ip
