"""The faults that the local issuer can be switched to, by name.

Rule of this file: each is something that a service must survive; `none` takes all of them back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bearward.testing import LocalIssuer, Response

__all__ = ["FAULTS", "switch"]

_SLOW = 8.0
_HTML = {"Content-Type": "text/html"}


def _wrong_issuer(issuer: LocalIssuer) -> None:
    issuer.serve_discovery({**issuer.discovery(), "issuer": f"{issuer.url}/"})


def _redirect(issuer: LocalIssuer) -> None:
    issuer.serve("/jwks", Response(b"", 302, {"Location": f"{issuer.origin}/elsewhere"}))


FAULTS: Final[Mapping[str, tuple[str, Callable[[LocalIssuer], object]]]] = MappingProxyType(
    {
        "none": ("everything works again", lambda issuer: issuer.recover()),
        "slow": (f"each response takes {_SLOW:g} s", lambda issuer: issuer.slow(_SLOW)),
        "hang": ("responses never come", lambda issuer: issuer.hold()),
        "html": ("the keys are an HTML page", lambda issuer: issuer.serve("/jwks", Response(b"<html>", 200, _HTML))),
        "error": ("the keys are an error 503", lambda issuer: issuer.serve_jwks(b"", status=503)),
        "redirect": ("the keys are elsewhere", _redirect),
        "no-keys": ("the key set is empty", lambda issuer: issuer.serve_jwks({"keys": []})),
        "wrong-issuer": ("the metadata names the issuer with an extra slash", _wrong_issuer),
        "rotate": ("a new key signs; the old one stays published", lambda issuer: issuer.rotate()),
    }
)


def switch(issuer: LocalIssuer, name: str) -> None:
    """Take back what was switched before, and switch to this fault."""
    if name != "rotate":
        issuer.recover()
    FAULTS[name][1](issuer)
