"""What a SPIFFE bundle says beside its keys: which is the newer one, and how soon to look again (pure).

A bundle is a JWK Set with two more members (SPIFFE Trust Domain and Bundle, sections 4.1.1 and 4.1.2): `spiffe_sequence`
grows with each change, and `spiffe_refresh_hint` is in seconds. Rule of this file: what is malformed says nothing.
"""

from __future__ import annotations

from typing import Any, Final

from bearward.jose.strict_json import JWKS_LIMITS, parse_object

__all__ = ["is_older", "refresh_hint"]

_SEQUENCE: Final = "spiffe_sequence"
_HINT: Final = "spiffe_refresh_hint"
_MAX_SEQUENCE: Final = 2**64


def is_older(document: bytes, held: bytes) -> bool:
    """Whether a bundle is one from before `held`: of a replica that lags behind, or sent again by somebody.

    >>> is_older(b'{"keys": [], "spiffe_sequence": 2}', b'{"keys": [], "spiffe_sequence": 3}')
    True
    """
    found, known = _whole_number(document, _SEQUENCE), _whole_number(held, _SEQUENCE)
    return found is not None and known is not None and found < known


def refresh_hint(document: bytes) -> float | None:
    """After how many seconds the publisher would have the bundle fetched again; None if it says nothing.

    >>> refresh_hint(b'{"keys": [], "spiffe_refresh_hint": 300}')
    300.0
    """
    hint = _whole_number(document, _HINT)
    return None if not hint else float(hint)


def _whole_number(document: bytes, name: str) -> int | None:
    if name.encode() not in document:  # no bundle, as most sets are none
        return None
    try:
        value: Any = parse_object(document, JWKS_LIMITS).get(name)
    except ValueError:
        return None
    return value if type(value) is int and 0 <= value < _MAX_SEQUENCE else None
