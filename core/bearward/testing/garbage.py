"""What broken issuers respond with in place of their keys, by name.

Rule of this file: data. Each is something that a relying party has met and must survive with the keys that it holds.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bearward.testing.exchange import Response

__all__ = ["GARBAGE"]

_JSON: Final = {"Content-Type": "application/json"}
_HTML: Final = {"Content-Type": "text/html"}


def _json(document: object, status: int = 200) -> Callable[[], Response]:
    return lambda: Response(json.dumps(document).encode(), status, _JSON)


GARBAGE: Mapping[str, Callable[[], Response]] = MappingProxyType(
    {
        "an error page": lambda: Response(b"<h1>502 Bad Gateway</h1>", 502, _HTML),
        "a login page": lambda: Response(b"<form>who are you?</form>", 200, _HTML),
        "an empty body": lambda: Response(b"", 200, _JSON),
        "truncated JSON": lambda: Response(b'{"keys":[{"kty":"RSA","n":', 200, _JSON),
        "a list": _json([]),
        "no keys": _json({"keys": []}),
        "keys that are null": _json({"keys": None}),
        "keys of unknown types": _json({"keys": [{"kty": "quantum", "kid": "1"}]}),
        "a shared secret": _json({"keys": [{"kty": "oct", "kid": "1", "k": "c2VjcmV0"}]}),
        "an internal error": _json({"error": "server_error"}, 500),
        "too many requests": lambda: Response(b"", 429, {"Retry-After": "3600"}),
        "a redirect to elsewhere": lambda: Response(b"", 302, {"Location": "https://attacker.example/jwks"}),
        "a body without an end": lambda: Response(itertools.repeat(b" " * 65536), 200, _JSON),
    }
)
"""Responses by name; `issuer.serve_garbage(name)` serves one in place of the JWK Set."""
