"""The gate where a proxy puts the tokens of some issuers under its own metadata key, beside `authorization`.

Rules of this file: a key belongs to one place; a token in two places at once is refused, whichever they are. Cookies are
not read: a gRPC client has none. A proxy cannot prove what a caller's key is, so a bound token is refused there. Where no
issuer has its own place, nothing of this is in the way of a call.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bearward.access import Kind
from bearward.credential_place import CredentialPlace
from bearward.errors import AuthError, AwaitNeededError, CheckNeededError
from bearward.principal import Principal
from bearward.refusals import Refusal
from bearward.verifier import Verifier
from bearward_grpc.call import Call
from bearward_grpc.gate import Gate
from bearward_grpc.reporting_gate import Metadata

__all__ = ["PlacedGate", "gate_type"]


def gate_type(verifier: Verifier) -> type[Gate]:
    """The gate that a verifier needs."""
    return PlacedGate if any(place.header is not None for place in verifier.places) else Gate


class PlacedGate(Gate):
    """A gate that looks under the keys of proxies too."""

    __slots__ = ()

    def admit_cached(self, method: str, metadata: Metadata) -> Call:
        """As `Gate.admit_cached`, for a token in any place."""
        rule = self._find(method)
        placed = None if rule.kind is Kind.PUBLIC else self._placed(metadata)
        if placed is None:
            return super().admit_cached(method, metadata)
        token, place = placed
        principal = self._verify_now(token, False, place)
        refused = rule.refusal(principal, self.verifier.now())
        if refused is not None:
            raise self._explained(method, refused, principal)
        return self._call(method, rule, principal, token)

    async def _identified(
        self, method: str, metadata: Metadata, needed: AwaitNeededError
    ) -> tuple[str | None, Principal]:
        placed = self._placed(metadata)
        if placed is None:
            return await super()._identified(method, metadata, needed)
        token, place = placed
        known: Principal | None = needed.principal if isinstance(needed, CheckNeededError) else None
        return token, known or await self._verify(token, False, place)

    def _placed(self, metadata: Metadata) -> tuple[str, CredentialPlace] | None:
        places = {place.header: place for place in self.verifier.places if place.header is not None}
        return _placed_token(places, metadata, self._max_token)


def _placed_token(
    places: Mapping[str, CredentialPlace], metadata: Iterable[tuple[str, str | bytes]], max_length: int
) -> tuple[str, CredentialPlace] | None:
    """The token under one of the keys, and its place; None if there is none.

    Raises `AuthError`: CREDENTIALS_REPEATED where another place, or `authorization`, holds one too.
    """
    found: dict[str, list[str | bytes]] = {}
    for key, value in metadata:
        if key in places or key == "authorization":
            found.setdefault(key, []).append(value)
    if found.keys() <= {"authorization"}:
        return None
    if len(found) > 1:
        raise AuthError(Refusal.CREDENTIALS_REPEATED)
    ((key, values),) = found.items()
    token = places[key].token(values, max_length=max_length)
    return None if token is None else (token, places[key])
