"""Which network addresses may be connected to (pure).

Rule of this file: judged is the address that a name resolved to, at the moment of the connection, so that neither a
discovered `jwks_uri` nor a name server can lead a fetch to the machine's own network. Link-local, metadata, multicast
and unspecified addresses are always refused, private ones unless allowed, loopback unless the URL itself says it.
An IPv4 address inside an IPv6 one (mapped, 6to4, Teredo, NAT64) is judged as the IPv4 address that it leads to.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from bearward.fetch.urls import is_loopback_host

__all__ = ["is_allowed"]

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


def is_allowed(address: str, *, host: str, unsafe_allow_private: bool = False) -> bool:
    """Whether a fetch from `host` may connect to `address`, which `host` resolved to.

    >>> is_allowed("93.184.216.34", host="login.example")
    True
    >>> is_allowed("127.0.0.1", host="localhost"), is_allowed("127.0.0.1", host="login.example")
    (True, False)
    >>> is_allowed("::ffff:169.254.169.254", host="login.example", unsafe_allow_private=True)
    False
    """
    ip = _innermost(ip_address(address.partition("%")[0]))
    if ip.is_loopback or is_loopback_host(host):
        return ip.is_loopback and (is_loopback_host(host) or unsafe_allow_private)
    if ip in _METADATA or ip.is_link_local or ip.is_multicast or ip.is_unspecified or ip.is_reserved:
        return False
    if ip.is_site_local if isinstance(ip, IPv6Address) else ip in _THIS_NETWORK:
        return False
    return ip.is_global or unsafe_allow_private


def _innermost(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    if isinstance(ip, IPv4Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo is not None else None)
    if inner is None and ip in _NAT64:
        inner = IPv4Address(int(ip) & _LOW_32_BITS)
    return inner or ip
