"""What the targets are set against: a real issuer, the issuers of the odd sets, and a canary that nobody may ask.

Rule of this file: everything listens on loopback, on free ports, and ends with its context.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bearward.testing import LocalIssuer, Request, Response
from bearward.testing.exchange import json_response
from bearward.testing.loopback import LoopbackServer
from tests.attack.case import Case, KeySet
from tests.attack.odd_sets import odd_sets
from tests.attack.table import table
from tests.attack.token_factory import TokenFactory

__all__ = ["Fixtures", "fixtures"]

AUDIENCE = "https://api.example"


@dataclass(frozen=True, slots=True)
class Fixtures:
    """The table, and the servers that its tokens speak of."""

    issuer: LocalIssuer
    canary: LoopbackServer
    forge: TokenFactory
    cases: list[Case]
    odd: list[KeySet]

    def settings(self) -> list[dict[str, Any]]:
        """The issuers to trust, as the tables of a settings file; the odd ones are asked when first needed."""
        main = {"issuer": self.forge.issuer, "audience": AUDIENCE, "jwks_uri": self.issuer.jwks_uri}
        lazy = {"start": "lazy"}
        return [
            main,
            *(
                {
                    "issuer": self.forge.issuer + key_set.path,
                    "audience": AUDIENCE,
                    "jwks_uri": self.issuer.origin + key_set.path,
                    "keys": lazy,
                }
                for key_set in self.odd
            ),
        ]

    def toml(self) -> str:
        """The same as a settings file."""
        return "\n".join(_toml(table) for table in self.settings())

    def fetches(self) -> int:
        """How often the main issuer's key set was asked for so far."""
        return self.issuer.requests("/jwks")

    def lured(self) -> int:
        """Requests that a token made somebody send where only the token pointed; must stay 0."""
        return self.canary.requests()


@contextmanager
def fixtures() -> Iterator[Fixtures]:
    """Fixtures with tokens minted now."""
    canary = LoopbackServer(lambda _: json_response({"keys": []}))
    canary.up()
    try:
        with LocalIssuer(audience=AUDIENCE) as issuer:
            forge = TokenFactory(issuer.url, AUDIENCE, int(time.time()), f"http://127.0.0.1:{canary.port}")
            issuer.serve_jwks(forge.jwks())
            odd = list(odd_sets(forge))
            for key_set in odd:
                issuer.serve(key_set.path, _Served(key_set))
            yield Fixtures(issuer, canary, forge, table(forge), odd)
    finally:
        canary.close()


class _Served:
    def __init__(self, key_set: KeySet) -> None:
        self._set = key_set

    def __call__(self, _: Request) -> Response:
        body = self._set.body
        if not self._set.chunked:
            return Response(body, 200, self._set.headers)
        return Response(iter([body[:7], body[7:20], body[20:]]), 200, self._set.headers)


def _toml(table: Mapping[str, Any]) -> str:
    lines = ["[[issuers]]"]
    lines += [f"{name} = {json.dumps(value)}" for name, value in table.items() if not isinstance(value, dict)]
    for name, inner in table.items():
        if isinstance(inner, dict):
            lines += [f"[issuers.{name}]", *(f"{key} = {json.dumps(value)}" for key, value in inner.items())]
    return "\n".join(lines) + "\n"
