"""One-time tickets: the token of a proven request, carried to the handshake of one websocket.

Rules of this file: a ticket replaces the place where a token is, and the proof of its key, and nothing else. The token
in it is verified again when the socket opens, so that revocation, expiry and changed settings count as they would for a
handshake with the token; it is recorded as used last, after all other checks have passed.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict
from typing import Any, Final

from bearward.credential_place import CredentialPlace
from bearward.dpop.proof import Proof, access_token_hash
from bearward.dpop.replay import Replays
from bearward.errors import AuthError, ConfigurationError
from bearward.jose import base64url
from bearward.possession import Presented, check_proven_earlier
from bearward.principal import Principal, parsed_claims
from bearward.refusals import Refusal
from bearward.reporter import concerning
from bearward.sealed_ticket import SALT, TicketSeal
from bearward.sender import BEARER
from bearward.verifier import Verifier
from bearward.verify_functions import awaited_verify_function

__all__ = ["SocketTickets"]

_MAX_LIFETIME: Final = 300.0
_INVALID_BY: Final = frozenset({Refusal.DPOP_REPLAYED, Refusal.DPOP_PROOF_EXPIRED})


class SocketTickets:
    """The tickets of a fleet that shares `secret` (at least 16 bytes); each opens one socket within `lifetime` seconds.

    `replays` is where used tickets are recorded, with the verifier's used proofs by default. For a fleet without DPoP
    give it a `SharedReplays`; otherwise each process has its own memory, and a ticket opens one socket in each. Raises
    `ConfigurationError`.
    """

    def __init__(self, secret: bytes, *, lifetime: float = 30.0, replays: Replays | None = None) -> None:
        self._seal = TicketSeal(secret)
        if isinstance(lifetime, bool) or not isinstance(lifetime, int | float) or not 1 <= lifetime <= _MAX_LIFETIME:
            raise ConfigurationError("lifetime", f"must be 1 to {_MAX_LIFETIME:g} seconds")
        if replays is not None and not isinstance(replays, Replays):
            raise ConfigurationError("replays", "must be LocalReplays or SharedReplays, or None")
        self.lifetime: float = float(lifetime)
        """Seconds."""
        self._replays = replays

    def issue(self, token: str, credential_place: CredentialPlace | None, *, place: str, now: float) -> str:
        """A ticket for a token whose request was admitted at `now`; it opens the socket that `place` names.

        `credential_place` is where the token was found, None for `Authorization`.
        """
        found = None if credential_place is None else asdict(credential_place)
        content = json.dumps({"token": token, "found": found, "expires": now + self.lifetime})
        return self._seal.seal(content.encode(), place, secrets.token_bytes(SALT))

    async def redeem(self, verifier: Verifier, presented: Presented, *, place: str) -> Principal:
        """The principal of the handshake of `place` with a ticket in the token's place; raise `AuthError`.

        `presented` also has the connection's client certificate, which a ticket does not replace. Refusals: TICKET_INVALID,
        those of the token, DPOP_UNAVAILABLE.
        """
        now = verifier.now()
        salt, content = self._open(presented.token, place, now)
        token, found = content["token"], content["found"]
        credential_place = None if found is None else CredentialPlace(**found)
        principal = await awaited_verify_function(verifier)(token, True, credential_place)
        try:
            sender = check_proven_earlier(parsed_claims(principal), presented, verifier.dpop)
            # By token, as the proofs of one key are counted together.
            used = Proof(f"ticket.{access_token_hash(token)}", salt, now, content["expires"])
            await self._record(verifier, used, now)
        except AuthError as error:
            raise concerning(error, principal) from None
        return principal if sender is BEARER else principal.proven_by(sender)

    async def aclose(self) -> None:
        """Close the connections of a memory of its own; the next ticket opens new ones."""
        if self._replays is not None:
            await self._replays.aclose()

    def _open(self, ticket: str, place: str, now: float) -> tuple[str, dict[str, Any]]:
        try:
            salt, octets = self._seal.open(ticket, place)
        except ValueError:
            raise AuthError(Refusal.TICKET_INVALID) from None
        content: dict[str, Any] = json.loads(octets)  # authentic: one of ours
        if not now < content["expires"]:
            raise AuthError(Refusal.TICKET_INVALID)
        return base64url.encode(salt).decode("ascii"), content

    async def _record(self, verifier: Verifier, used: Proof, now: float) -> None:
        replays = verifier.replays if self._replays is None else self._replays
        try:
            await replays.record(used, now)
        except AuthError as error:
            raise AuthError(Refusal.TICKET_INVALID) if error.refusal in _INVALID_BY else error from None

    def __repr__(self) -> str:
        return f"<SocketTickets: each opens one socket within {self.lifetime:g} s>"
