"""The client certificate that a proxy forwards in a header field, for tokens bound to one (RFC 8705 section 3).

Rules of this file: pure. A field is used only if it comes from a sender that is allowed to set it, and this cannot be
left open: otherwise any caller could name any certificate, and certificates are public. Exactly one value, in one
format, for one certificate; anything else is refused. A certificate is compared by its thumbprint: checking possession
of its key, and trust in its issuer, is up to the proxy.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote_to_bytes

from bearward.allowed_senders import AllowedSender, checked_field_name, from_networks, from_secret, from_unix_socket
from bearward.confirmation import certificate_thumbprint
from bearward.errors import AuthError, ConfigurationError
from bearward.jose import base64url
from bearward.refusals import Refusal

__all__ = [
    "AllowedSender",
    "CertificateForm",
    "ForwardedCertificate",
    "ProvingProxy",
    "from_networks",
    "from_secret",
    "from_unix_socket",
]

CertificateForm = Literal["xfcc", "escaped-pem", "client-cert", "base64-der", "alb"]
"""How a proxy writes a certificate: Envoy's `x-forwarded-client-cert`, nginx's `$ssl_client_escaped_cert`, the
`Client-Cert` of RFC 9440, base64 of the DER (HAProxy's `ssl_c_der,base64`), the `x-amzn-mtls-clientcert` of AWS's ALB."""

_MAX_FIELD = 64 * 1024
_MAX_DER = 16 * 1024
_MAX_CHAIN = 8
_MAX_PAIRS = 256
_MAX_TRIPLETS = 2048
"""Twice what the largest certificate takes, whose `+`, `/`, `=` and ends of lines are encoded: each costs half a microsecond."""
_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")
_VISIBLE = re.compile(r"[!-~]+")
_NO_TRIPLET = re.compile(r"%(?![0-9A-Fa-f]{2})")
_PEM = re.compile(r"-----BEGIN CERTIFICATE-----\r?\n([A-Za-z0-9+/=\r\n]+)-----END CERTIFICATE-----(?:\r?\n)*")
_PROXY_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_HASH = re.compile(r"[0-9A-Fa-f]{64}")
# Envoy: elements are separated by commas, pairs by semicolons; a value with one of `,;="` is quoted, `"` is escaped.
_PAIR = re.compile(r'(?P<name>[A-Za-z]{1,16})=(?:"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<plain>[^",;=]*))')


class ForwardedCertificate:
    """A field in which a proxy forwards the client's certificate. Raises `ConfigurationError`.

    `form` is its format, `only_from` says who may set it (mandatory), and `name` is the name of the field if it differs
    from the proxy's default. From any other sender the field is ignored.

    >>> proxy = ForwardedCertificate("xfcc", only_from=from_networks("127.0.0.1"))
    >>> fields = {"x-forwarded-client-cert": ["Hash=" + "00" * 32]}
    >>> proxy.read("127.0.0.1", lambda name: fields.get(name, []))
    'AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
    >>> proxy.read("192.0.2.7", lambda name: fields.get(name, [])) is None
    True
    """

    __slots__ = ("_only_from", "_read", "form", "name")

    def __init__(self, form: CertificateForm, *, only_from: AllowedSender, name: str | None = None) -> None:
        if form not in _READERS:
            raise ConfigurationError("form", f"must be one of {', '.join(_READERS)}")
        if not isinstance(only_from, AllowedSender):
            raise ConfigurationError("only_from", "must say who may set the field: networks, a unix socket or a secret")
        own_name, self._read = _READERS[form]
        self.form: CertificateForm = form
        if name is None and own_name is None:
            raise ConfigurationError("name", f"must name the field: {form} has no default name")
        self.name: str = checked_field_name(own_name if name is None else name, "name")
        self._only_from = only_from

    def read(self, peer: str | None, values: Callable[[str], Sequence[str]]) -> str | None:
        """The thumbprint (`x5t#S256`) of the client's certificate, None if there is none; raise `AuthError`.

        `peer` and `values` are as for `AllowedSender.is_allowed`. Refusals: CLIENT_CERTIFICATE_REPEATED,
        CLIENT_CERTIFICATE_MALFORMED.
        """
        given = values(self.name)
        if not given or not self._only_from.is_allowed(peer, values):
            return None
        if len(given) != 1:
            raise AuthError(Refusal.CLIENT_CERTIFICATE_REPEATED)
        value = given[0]
        if not value:  # nginx sends an empty field where a client has no certificate
            return None
        if len(value) > _MAX_FIELD or not value.isascii():
            raise AuthError(Refusal.CLIENT_CERTIFICATE_MALFORMED)
        try:
            return self._read(value)
        except ValueError:
            raise AuthError(Refusal.CLIENT_CERTIFICATE_MALFORMED) from None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, ForwardedCertificate)
            and repr(self) == repr(other)
            and self._only_from == other._only_from
        )

    def __hash__(self) -> int:
        return hash((self.form, self.name))

    def __repr__(self) -> str:
        return f"<ForwardedCertificate {self.form} in {self.name}, only from {self._only_from!r}>"


@dataclass(frozen=True, slots=True)
class ProvingProxy:
    """A proxy that checks itself that a token's certificate is its sender's. Raises `ConfigurationError`.

    `name` is shown by `principal.proof`, events and explanations; `only_from` says how its requests are known. Nothing is
    checked here then: whoever can send such a request can use a stolen token. A token bound to a DPoP key needs its proof
    all the same.

    >>> ProvingProxy("kong", only_from=from_networks("10.1.0.0/16")).proves("10.1.2.3", lambda name: [])
    True
    """

    name: str
    only_from: AllowedSender = field(kw_only=True)

    def __post_init__(self) -> None:
        """Check both."""
        if not isinstance(self.name, str) or not _PROXY_NAME.fullmatch(self.name):
            raise ConfigurationError("unsafe_binding_proved_by.name", "must be 1 to 64 letters, digits, `.`, `_`, `-`")
        if not isinstance(self.only_from, AllowedSender):
            must = "must say how the proxy is known: networks, a unix socket or a secret"
            raise ConfigurationError("unsafe_binding_proved_by.only_from", must)

    def proves(self, peer: str | None, values: Callable[[str], Sequence[str]]) -> bool:
        """Whether a request comes from the proxy; `peer` and `values` are as for `AllowedSender.is_allowed`."""
        return self.only_from.is_allowed(peer, values)


def _from_xfcc(value: str) -> str:
    """Envoy's form. Two elements mean that a proxy appended to what came in, so the first is anybody's word."""
    pairs = _xfcc_pairs(value)
    found = set()
    if "hash" in pairs:
        if not _HASH.fullmatch(pairs["hash"]):
            raise ValueError
        found.add(base64url.encode(bytes.fromhex(pairs["hash"])).decode("ascii"))
    if "cert" in pairs:
        found.add(_from_escaped_pem(pairs["cert"]))
    if len(found) != 1:
        raise ValueError
    return found.pop()


def _xfcc_pairs(value: str) -> Mapping[str, str]:
    pairs: dict[str, str] = {}
    at = 0
    for _ in range(_MAX_PAIRS):
        pair = _PAIR.match(value, at)
        if pair is None:
            raise ValueError
        name, quoted = pair["name"].lower(), pair["quoted"]
        if name in pairs and name not in ("uri", "dns"):
            raise ValueError
        # Escapes are left as they are: what is read of an element, a hash and a certificate, has none.
        pairs[name] = pair["plain"] if quoted is None else quoted
        at = pair.end()
        if at == len(value):
            return pairs
        if value[at] == ",":
            raise AuthError(Refusal.CLIENT_CERTIFICATE_REPEATED)
        if value[at] != ";":
            raise ValueError
        at += 1
    raise ValueError


def _from_escaped_pem(value: str) -> str:
    """One certificate in PEM, percent-encoded; a `+` is a `+`."""
    chain = _certificates(_unescaped(value))
    if len(chain) != 1:
        raise ValueError
    return certificate_thumbprint(chain[0])


def _from_alb(value: str) -> str:
    """A chain in PEM, percent-encoded but for `+`, `=` and `/`; the client's own certificate comes first."""
    return certificate_thumbprint(_certificates(_unescaped(value))[0])


def _from_client_cert(value: str) -> str:
    """RFC 9440 section 2.2: a byte sequence (RFC 8941 section 3.3.5)."""
    if len(value) < 2 or value[0] != ":" or value[-1] != ":":
        raise ValueError
    return _from_base64_der(value[1:-1])


def _from_base64_der(value: str) -> str:
    return certificate_thumbprint(_der(value))


def _unescaped(value: str) -> str:
    if not _VISIBLE.fullmatch(value) or value.count("%") > _MAX_TRIPLETS or _NO_TRIPLET.search(value):
        raise ValueError
    return unquote_to_bytes(value).decode("latin-1")


def _certificates(pem: str) -> list[bytes]:
    chain: list[bytes] = []
    at = 0
    while at < len(pem):
        found = _PEM.match(pem, at)
        if found is None or len(chain) >= _MAX_CHAIN:
            raise ValueError
        chain.append(_der(found[1].replace("\r", "").replace("\n", "")))
        at = found.end()
    if not chain:
        raise ValueError
    return chain


def _der(text: str) -> bytes:
    """Canonical base64 of one DER certificate, checked by its outermost length only; the proxy has parsed the rest."""
    if not _BASE64.fullmatch(text):
        raise ValueError
    octets = b64decode(text, validate=True)
    if len(octets) > _MAX_DER or b64encode(octets).decode("ascii") != text or not _is_one_sequence(octets):
        raise ValueError
    return octets


def _is_one_sequence(octets: bytes) -> bool:
    """X.690 section 8.1: a SEQUENCE whose length, in its shortest form, reaches exactly to the end."""
    if len(octets) < 2 or octets[0] != 0x30:
        return False
    first = octets[1]
    if first < 0x80:
        return len(octets) == 2 + first
    size = first & 0x7F
    length = int.from_bytes(octets[2 : 2 + size], "big")
    return 1 <= size <= 3 and length >= 0x80 and octets[2] != 0 and len(octets) == 2 + size + length


_READERS: dict[str, tuple[str | None, Callable[[str], str]]] = {
    "xfcc": ("x-forwarded-client-cert", _from_xfcc),
    "escaped-pem": (None, _from_escaped_pem),
    "client-cert": ("client-cert", _from_client_cert),
    "base64-der": (None, _from_base64_der),
    "alb": ("x-amzn-mtls-clientcert", _from_alb),
}
