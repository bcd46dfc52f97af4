"""One claims set as issuers spell it, and tokens of the lengths that are met: all distinct, signed by one key.

Rule of this file: a shape is what some issuer writes, not what a parser likes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from bearward.testing import SigningKey, sign_segments

__all__ = ["AUDIENCE", "ISSUER", "SHAPES", "tokens_of"]

ISSUER = "https://login.example/realms/benchmark"
AUDIENCE = "https://api.example"

_ROLES = {f"client-{n}": {"roles": ["view-profile", "manage-account"]} for n in range(8)}


def _claims(number: int, **more: Any) -> dict[str, Any]:
    return {
        "iss": ISSUER,
        "sub": f"248289761{number:05d}",
        "aud": AUDIENCE,
        "client_id": "client",
        "iat": 1_700_000_000,
        "exp": 4_000_000_000,
        "jti": f"{number:032x}",
        "scope": "notes:read notes:write",
        **more,
    }


def _compact(claims: object) -> bytes:
    return json.dumps(claims, separators=(",", ":"), ensure_ascii=False).encode()


SHAPES: dict[str, Callable[[int], bytes]] = {
    "compact": lambda n: _compact(_claims(n)),
    "white space": lambda n: json.dumps(_claims(n)).encode(),
    "escaped slashes": lambda n: _compact(_claims(n)).replace(b"/", b"\\/"),
    "white space and escaped slashes": lambda n: json.dumps(_claims(n)).replace("/", "\\/").encode(),
    "\\u escapes": lambda n: json.dumps(_claims(n, name="Jürgen Müller"), separators=(",", ":")).encode(),
    "not ASCII": lambda n: _compact(_claims(n, name="Jürgen Müller")),
    "fractions": lambda n: _compact(_claims(n, iat=1_700_000_000.25, exp=4_000_000_000.0)),
    "exponents": lambda n: _compact(_claims(n)).replace(b"4000000000", b"4E9"),
    "nested roles": lambda n: _compact(_claims(n, resource_access=_ROLES)),
    "nested roles, white space": lambda n: json.dumps(_claims(n, resource_access=_ROLES)).encode(),
    "4,000 characters": lambda n: _compact(_claims(n, permissions=[f"resource-{i}:read" for i in range(125)])),
}


def tokens_of(shape: str, key: SigningKey, count: int) -> list[str]:
    """`count` distinct tokens."""
    header = _compact({"alg": key.alg, "kid": key.kid, "typ": "at+jwt"})
    return [sign_segments(header, SHAPES[shape](number), key) for number in range(count)]
