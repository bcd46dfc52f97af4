"""The whole table, in the order of its classes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from tests.attack import algorithms, claims, form, headers, json_text, rsa_signatures, signatures
from tests.attack.case import Case
from tests.attack.good import good
from tests.attack.token_factory import TokenFactory

__all__ = ["table"]

_HOSTILE: tuple[Callable[[TokenFactory], Iterator[Case]], ...] = (
    form.header_syntax,
    form.structure,
    form.base64url,
    json_text.header_json,
    json_text.payload_json,
    algorithms.none,
    algorithms.hmac_confusion,
    algorithms.key_binding,
    signatures.integrity,
    signatures.ecdsa,
    rsa_signatures.rsa_signatures,
    signatures.eddsa,
    headers.key_injection,
    headers.kid,
    headers.crit,
    headers.jwe,
    headers.json_serialization,
    headers.typ,
    claims.time,
    claims.issuer_and_audience,
    claims.cost,
)


def table(forge: TokenFactory) -> list[Case]:
    """All hostile and good cases."""
    return [*(case for rows in _HOSTILE for case in rows(forge)), *good(forge)]
