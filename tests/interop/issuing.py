"""Tokens for the rows that are about clients and neighbours: an issuer process, and what it signs.

Rule of this file: the tokens are joserfc's work, by way of `peers/maker.py`; nothing of bearward signs them.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from tests.interop import loopback
from tests.interop.pair import AUDIENCE, environment
from tests.interop.processes import Process
from tests.interop.sheet import ACCEPTED, Sheet

__all__ = ["Issuer", "wanted"]


class Issuer:
    """An issuer process; `library` makes its keys and tokens."""

    def __init__(self, sheet: Sheet, library: str = "joserfc", *, name: str = "issuer") -> None:
        self._sheet = sheet
        command = [sys.executable, "-m", "tests.interop.peers.maker", library]
        self.url = sheet.start(Process(name, command, sheet.folder, env=environment())).line("listening on ")

    @property
    def trust(self) -> dict[str, Any]:
        """For a configuration file."""
        return {"issuer": self.url, "audience": AUDIENCE}

    def document(self, name: str) -> Any:
        """`jwks`, `secrets` or `algorithms`."""
        return loopback.get(f"{self.url}/{name}").json()

    def mint(
        self, algorithm: str = "ES256", *, header: dict[str, Any] | None = None, issuer: str = "", **changes: Any
    ) -> str:
        """A token with these claims changed; None takes one away."""
        now = int(time.time())
        claims = {"iss": issuer or self.url, "aud": AUDIENCE, "sub": "ada", "iat": now, "exp": now + 300}
        claims = {
            name: value for name, value in ({**claims, "scope": "notes:read"} | changes).items() if value is not None
        }
        return self._minted({"algorithm": algorithm, "header": header or {}, "claims": claims})

    def _minted(self, order: dict[str, Any]) -> str:
        answer = loopback.post(f"{self.url}/mint", json=order)
        answer.raise_for_status()
        token: str = answer.json()["token"]
        return token

    def brief(self, seconds: float) -> str:
        """A token with every right, that lives so long from now."""
        return self._minted(self._brief_order(seconds))

    def brief_order(self, seconds: float) -> str:
        """For a program that asks for such a token itself, when it is ready: `{"url", "order"}` in JSON."""
        return json.dumps({"url": f"{self.url}/mint", "order": self._brief_order(seconds)})

    def _brief_order(self, seconds: float) -> dict[str, Any]:
        claims = {"iss": self.url, "aud": AUDIENCE, "sub": "ada", "scope": "notes:read notes:write"}
        return {"algorithm": "ES256", "header": {}, "claims": claims, "lifetime": seconds}

    def callers(self) -> dict[str, str | None]:
        """Five callers, by name: what each presents."""
        self._sheet.algorithms["ES256"] = None
        good = self.mint(scope="notes:read notes:write")
        head, body, tail = good.split(".")
        return {
            "writer": good,
            "reader": self.mint(scope="notes:read"),
            "expired": self.mint(scope="notes:read notes:write", iat=int(time.time()) - 600, exp=int(time.time()) - 1),
            "forger": f"{head}.{body}.{tail[:8]}AAAA{tail[12:]}",
            "nobody": None,
        }


def wanted(caller: str, scope: str | None) -> str:
    """The verdict that one of `Issuer.callers` must get where `scope` is needed (None: any valid token)."""
    if caller == "reader":
        return "scope_insufficient" if scope == "notes:write" else ACCEPTED
    refusals = {"expired": "token_expired", "forger": "signature_invalid", "nobody": "credentials_missing"}
    return refusals.get(caller, ACCEPTED)
