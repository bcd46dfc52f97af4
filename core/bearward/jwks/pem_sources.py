"""Keys that an issuer publishes in PEM: one document for each `kid`, or a JSON object from `kid` to PEM.

Rule of this file: what is fetched becomes a JWK Set, and from there on everything is as for every other source: the
limits of a fetch, freshness, the shared cache, and what is remembered of a `kid` that is not there. Each key is read in a
turn of the event loop of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from bearward.fetch.caching import Validators
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPClient
from bearward.jose.jwk_set import MAX_KEYS
from bearward.jose.pem import jwk_of_pem
from bearward.jose.strict_json import JWKS_LIMITS, parse_object
from bearward.jwks.source import Loaded
from bearward.jwks.sources import JWKSURI
from bearward.loop import in_turns
from bearward.steps import Steps

__all__ = ["PEMKey", "PEMMap"]

_FORBIDDEN: Final = 403
_UNREADABLE: Final = {"kty": "unreadable PEM"}
"""Rejected, and counted, where every key is."""


class PEMKey:
    """One key by its own URL, in PEM."""

    def __init__(self, url: str, kid: str) -> None:
        self._document = JWKSURI(url, setting="pem_uri")
        self._kid = kid

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Fetch it, conditionally if the last response allows it."""
        try:
            loaded = await self._document.load(client, known)
        except FetchError as error:
            if error.status != _FORBIDDEN:
                raise
            raise FetchError(FetchFailure.NOT_FOUND, error.status) from None  # how an S3 bucket says that there is none
        if loaded.document is None:
            return loaded
        return _converted(loaded, [_member(self._kid, _text(loaded.document))])

    def __repr__(self) -> str:
        return f"PEMKey({self._document.url!r})"


class PEMMap:
    """All keys of an issuer, as a JSON object whose members are named by `kid` and hold PEM."""

    def __init__(self, url: str) -> None:
        self._document = JWKSURI(url, setting="pem_uri")

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        """Fetch it, conditionally if the last response allows it."""
        loaded = await self._document.load(client, known)
        if loaded.document is None:
            return loaded
        try:
            members = parse_object(loaded.document, JWKS_LIMITS)
        except ValueError:
            raise FetchError(FetchFailure.NOT_A_KEY_SET, detail="it is not a JSON object from kid to PEM") from None
        return _converted(loaded, await in_turns(_read(members)))

    def __repr__(self) -> str:
        return f"PEMMap({self._document.url!r})"


def _converted(loaded: Loaded, members: list[dict[str, Any]]) -> Loaded:
    return Loaded(json.dumps({"keys": members}).encode("ascii"), loaded.lifetime, loaded.validators)


def _read(pems: Mapping[str, object]) -> Steps[list[dict[str, Any]]]:
    """The members of a set; those that it has no place for are not looked at."""
    members: list[dict[str, Any]] = []
    for kid, pem in pems.items():
        members.append(_member(kid, pem) if len(members) < MAX_KEYS else _UNREADABLE)
        yield
    return members


def _member(kid: str, pem: object) -> dict[str, Any]:
    try:
        return jwk_of_pem(pem, kid) if isinstance(pem, str) else _UNREADABLE
    except ValueError:
        return _UNREADABLE


def _text(document: bytes) -> str:
    return document.decode("ascii", "replace")
