"""Certificate chains in `x5c` (RFC 7517 section 4.7), if the operator configured authorities for them.

Rules of this file: pure; the time is an argument. A chain is accepted if it leads to a configured authority by
signatures, names, validity and basic constraints (RFC 5280 section 6, as verified by `cryptography`), or if its first
certificate is itself configured. Nothing else is accepted; nothing is fetched, and revocation lists are not consulted.
There is one way through a chain, so that checking it costs no more than a signature for each of its certificates.
"""

from __future__ import annotations

import datetime as dt
from base64 import b64decode

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import verification

from bearward.jose.verifying_key import PublicKey

__all__ = ["Authorities", "certificate_matches"]

_MAX_CHAIN = 8
_MAX_CERTIFICATE = 16 * 1024
_SPKI_DER = Encoding.DER, PublicFormat.SubjectPublicKeyInfo


class Authorities:
    """Certification authorities, from one or more certificates in PEM. Raises `ValueError` if there is none.

    >>> Authorities("nonsense")
    Traceback (most recent call last):
    ValueError: no certificate in PEM
    """

    def __init__(self, pem: str | bytes) -> None:
        try:
            found = x509.load_pem_x509_certificates(pem.encode() if isinstance(pem, str) else pem)
        except ValueError:
            raise ValueError("no certificate in PEM") from None
        self._certificates = tuple(found)

    def trusts(self, x5c: object, now: float) -> bool:
        """Whether the chain of a JWK leads to one of them. `now` is in seconds since the epoch."""
        try:
            first, *others = _read(x5c)
            between = self._between(others)
        except Exception:  # noqa: BLE001  (InvalidVersion has no base class, and a strange serial number is a warning)
            return False
        moment = dt.datetime.fromtimestamp(now, dt.UTC)
        if first in self._certificates:
            return first.not_valid_before_utc <= moment <= first.not_valid_after_utc
        return self._chain_is_valid(first, between, moment)

    def _between(self, others: list[x509.Certificate]) -> list[x509.Certificate]:
        """Those of a chain that are neither its first nor configured; raises `ValueError` if two have the same subject.

        Each would have to be tried in the place of each, again and again: two of them cost as much as eighty signatures.
        """
        between = [one for one in dict.fromkeys(others) if one not in self._certificates]
        if len({one.subject for one in between}) < len(between):
            raise ValueError
        return between

    def _chain_is_valid(self, first: x509.Certificate, between: list[x509.Certificate], moment: dt.datetime) -> bool:
        # A certificate for signing keys names no host and no use, so its own extensions are not checked.
        anything = verification.ExtensionPolicy.permit_all()
        authority = anything.require_present(x509.BasicConstraints, verification.Criticality.AGNOSTIC, None)
        policy = verification.PolicyBuilder().store(verification.Store(list(self._certificates)))
        policy = policy.time(moment.replace(tzinfo=None)).extension_policies(ca_policy=authority, ee_policy=anything)
        policy = policy.max_chain_depth(len(between))  # one that certifies itself would be tried eight times
        try:
            policy.build_client_verifier().verify(first, between)
        except (verification.VerificationError, ValueError, UnsupportedAlgorithm):
            return False
        return True

    def __repr__(self) -> str:
        return f"<Authorities: {len(self._certificates)}>"


def certificate_matches(x5c: object, key: PublicKey) -> bool | None:
    """Whether the first certificate of a chain is for `key`; None if it cannot be read."""
    first = x5c[0] if isinstance(x5c, list | tuple) and x5c else None
    if not isinstance(first, str) or len(first) > _MAX_CERTIFICATE:
        return None
    try:
        held = x509.load_der_x509_certificate(b64decode(first)).public_key()
        return held.public_bytes(*_SPKI_DER) == key.public_bytes(*_SPKI_DER)
    except Exception:  # noqa: BLE001  (InvalidVersion has no base class, and a strange serial number is a warning)
        return None


def _read(x5c: object) -> list[x509.Certificate]:
    if not isinstance(x5c, list | tuple) or not 0 < len(x5c) <= _MAX_CHAIN:
        raise ValueError
    if not all(isinstance(text, str) and len(text) <= _MAX_CERTIFICATE for text in x5c):
        raise ValueError
    return [x509.load_der_x509_certificate(b64decode(text)) for text in x5c]
