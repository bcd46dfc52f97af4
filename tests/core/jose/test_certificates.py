"""`x5c` under configured authorities: whose certificates count, and whose do not."""

from __future__ import annotations

import datetime as dt
import json
import time
from base64 import b64encode, encodebytes
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from bearward import ConfigurationError
from bearward.jose.certificates import Authorities
from bearward.jose.jwk import KeyRejection, RejectedKeyError, read_key
from bearward.jose.jwk_set import JWKSet, JWKSetError
from bearward.jwks.options import JWKSOptions
from bearward.testing import SigningKey

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


class Holder:
    """Somebody with a key and a certificate, signed by `by` or by itself."""

    def __init__(
        self, name: str, by: Holder | None = None, *, authority: bool = False, ends: dt.datetime = NOW + DAY
    ) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        self.key = SigningKey(self.private, "ES256", kid=name)
        signer = by or self
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(
            issuer_name=subject if by is None else by.certificate.subject,
            subject_name=subject,
            public_key=self.private.public_key(),
            serial_number=x509.random_serial_number(),
            not_valid_before=NOW - DAY,
            not_valid_after=ends,
        )
        if authority:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        self.certificate: x509.Certificate = builder.sign(signer.private, hashes.SHA256())

    def jwk(self, *chain: Holder) -> dict[str, Any]:
        """The public key, with its own certificate and those of `chain`."""
        return self.key.public_jwk() | {"x5c": [b64(holder.certificate) for holder in (self, *chain)]}


def b64(certificate: x509.Certificate) -> str:
    """RFC 7517 section 4.7: standard base64 of DER."""
    return b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _of_no_version(holder: Holder) -> str:
    """The certificate as X.509 version 6, which makes `cryptography` raise its own exception class."""
    der = holder.certificate.public_bytes(Encoding.DER)
    return b64encode(der.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05", 1)).decode()


def pem(*holders: Holder) -> str:
    """What an operator configures."""
    return "".join(holder.certificate.public_bytes(Encoding.PEM).decode() for holder in holders)


ROOT = Holder("root", authority=True)
INTERMEDIATE = Holder("intermediate", ROOT, authority=True)
NO_AUTHORITY = Holder("no authority", ROOT)
UNTRUSTED = Holder("untrusted", authority=True)
LEAF = Holder("leaf", INTERMEDIATE)
DIRECT = Holder("direct", ROOT)
EXPIRED = Holder("expired", ROOT, ends=NOW - DAY / 2)
BELOW_NO_AUTHORITY = Holder("below", NO_AUTHORITY)
PINNED = Holder("pinned")
AUTHORITIES = pem(ROOT, PINNED)

COUNTS = {
    "through an intermediate": LEAF.jwk(INTERMEDIATE),
    "through an intermediate, with the root": LEAF.jwk(INTERMEDIATE, ROOT),
    "signed by the root": DIRECT.jwk(),
    "itself configured": PINNED.jwk(),
    "eight certificates": LEAF.jwk(INTERMEDIATE, *[ROOT] * 6),
    "with line breaks": LEAF.jwk()
    | {"x5c": [encodebytes(one.certificate.public_bytes(Encoding.DER)).decode() for one in (LEAF, INTERMEDIATE)]},
}
DOES_NOT = {
    "no certificate at all": LEAF.key.public_jwk(),
    "without the intermediate": LEAF.jwk(),
    "expired": EXPIRED.jwk(),
    "signed by somebody who is no authority": BELOW_NO_AUTHORITY.jwk(NO_AUTHORITY),
    "another authority": Holder("other", UNTRUSTED).jwk(UNTRUSTED),
    "signed by nobody": Holder("self").jwk(),
    "too long": LEAF.jwk(*[INTERMEDIATE] * 8),
    "a broken certificate further on": LEAF.jwk() | {"x5c": [b64(LEAF.certificate), "AAAA"]},
    "no text": LEAF.jwk() | {"x5c": [b64(LEAF.certificate), 1]},
    "a first certificate that cannot be read": LEAF.jwk() | {"x5c": ["AAAA", b64(INTERMEDIATE.certificate)]},
    "an empty chain": LEAF.jwk() | {"x5c": []},
    "a certificate of no known version first": LEAF.jwk() | {"x5c": [_of_no_version(LEAF)]},
    "a certificate of no known version further on": LEAF.jwk()
    | {"x5c": [b64(LEAF.certificate), _of_no_version(INTERMEDIATE)]},
}


def read(*members: dict[str, Any], authorities: Authorities | None, now: dt.datetime = NOW) -> JWKSet:
    """Parse a set of these and of one key that counts."""
    document = json.dumps({"keys": [*members, DIRECT.jwk()]}).encode()
    return JWKSet.parse(document, authorities=authorities, now=now.timestamp())


@pytest.mark.parametrize("how", COUNTS)
def test_key_with_a_chain_to_an_authority_is_trusted(how: str) -> None:
    """By signatures, names, validity and basic constraints."""
    assert read(COUNTS[how], authorities=Authorities(AUTHORITIES)).rejected in ((), (KeyRejection.DUPLICATE,))


@pytest.mark.parametrize("why", DOES_NOT)
def test_key_without_a_chain_is_rejected(why: str) -> None:
    """The others stay usable; without authorities the same key is as good as any."""
    assert read(DOES_NOT[why], authorities=Authorities(AUTHORITIES)).rejected == (KeyRejection.CERTIFICATE_UNTRUSTED,)
    assert read(DOES_NOT[why], authorities=None).rejected == ()


TWIN = Holder("intermediate", ROOT, authority=True)
LOOP = Holder("loop", authority=True)
BELOW_LOOP = Holder("below loop", LOOP)
HOSTILE = {
    "it certifies itself": BELOW_LOOP.jwk(LOOP),
    "two of one subject": LEAF.jwk(INTERMEDIATE, TWIN),
    "seven of one subject": BELOW_LOOP.jwk(*(Holder("loop", LOOP, authority=True) for _ in range(7))),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_hostile_chain_costs_no_more_than_an_ordinary_one(how: str) -> None:
    """There is one way through it, whose certificates are each looked at once."""
    authorities = Authorities(AUTHORITIES)
    assert not authorities.trusts(HOSTILE[how]["x5c"], NOW.timestamp())
    assert cost_of(authorities, HOSTILE[how]) < 2.5 * cost_of(authorities, LEAF.jwk(INTERMEDIATE))


def cost_of(authorities: Authorities, jwk: dict[str, Any]) -> float:
    """Seconds of CPU for a look at its chain, the least of several times."""
    costs = []
    for _ in range(30):
        began = time.thread_time()
        authorities.trusts(jwk["x5c"], NOW.timestamp())
        costs.append(time.thread_time() - began)
    return min(costs)


def test_certificate_must_be_for_its_key() -> None:
    """A good chain of somebody else's proves nothing."""
    borrowed = UNTRUSTED.key.public_jwk() | {"x5c": [b64(DIRECT.certificate)]}
    assert read(borrowed, authorities=Authorities(AUTHORITIES)).rejected == (KeyRejection.CERTIFICATE_UNFIT,)


@pytest.mark.parametrize("holder", [DIRECT, PINNED])
def test_certificates_expire(holder: Holder) -> None:
    """A set in which no chain counts any more is refused."""
    document = json.dumps({"keys": [holder.jwk()]}).encode()
    authorities = Authorities(AUTHORITIES)
    assert JWKSet.parse(document, authorities=authorities, now=NOW.timestamp()).keys
    with pytest.raises(JWKSetError):
        JWKSet.parse(document, authorities=authorities, now=(NOW + 2 * DAY).timestamp())


@pytest.mark.parametrize(
    "value", ["", "nonsense", b"\xff", 1, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_authorities_need_at_least_one_certificate(value: Any) -> None:
    """When the options are built, by the name of the setting."""
    with pytest.raises(ConfigurationError) as refused:
        JWKSOptions(x5c_authorities=value)
    assert refused.value.setting == "x5c_authorities"


def test_authorities_come_as_text_or_octets() -> None:
    """As a file of several certificates is read."""
    assert repr(JWKSOptions(x5c_authorities=AUTHORITIES).authorities) == "<Authorities: 2>"
    assert repr(JWKSOptions(x5c_authorities=AUTHORITIES.encode()).authorities) == "<Authorities: 2>"


def test_unsupported_curve_raises_no_exception() -> None:
    """What `cryptography` cannot verify does not count."""
    odd = Holder("odd", ROOT)
    odd.private = ec.generate_private_key(ec.SECP256K1())
    assert not Authorities(pem(ROOT)).trusts([b64(Holder("below odd", odd).certificate)], NOW.timestamp())


def test_certificate_with_unreadable_key_trusts_no_key() -> None:
    """A configured certificate on a curve that nobody here knows: it could be presented with any key beside it."""
    der = PINNED.certificate.public_bytes(Encoding.DER).replace(_P256, _P239)
    odd: x509.Certificate = x509.load_der_x509_certificate(der)
    authorities = Authorities(odd.public_bytes(Encoding.PEM))
    assert authorities.trusts([b64(odd)], NOW.timestamp())
    unreadable = UNTRUSTED.key.public_jwk() | {"x5c": [b64(odd)]}
    with pytest.raises(RejectedKeyError) as refused:
        read_key(unreadable, certified=True)
    assert refused.value.reason is KeyRejection.CERTIFICATE_UNTRUSTED
    with pytest.raises(JWKSetError):
        JWKSet.parse(json.dumps({"keys": [unreadable]}).encode(), authorities=authorities, now=NOW.timestamp())
    assert read_key(unreadable).kid == UNTRUSTED.key.kid


_P256, _P239 = (bytes.fromhex("06082a8648ce3d0301" + last) for last in ("07", "06"))


@pytest.mark.parametrize("moment", [NOW - DAY, NOW + DAY])
def test_certificate_validity_includes_both_ends(moment: dt.datetime) -> None:
    """RFC 5280 section 4.1.2.5: both ends are within."""
    authorities = Authorities(AUTHORITIES)
    assert authorities.trusts([b64(PINNED.certificate)], moment.timestamp())
    beyond = moment + (moment - NOW) / 86_400
    assert not authorities.trusts([b64(PINNED.certificate)], beyond.timestamp())


def test_invalid_certificates_have_a_constant_message() -> None:
    """Nothing of the text is in it."""
    with pytest.raises(ValueError, match=r"\Ano certificate in PEM\Z"):
        Authorities("nonsense")
