"""Who sends a request: the token is verified, and its sender has proved possession of whatever key it is bound to.

Rules of this file: every gate calls this, so that there is only one way in which a bound token is accepted. A proof is
recorded last, after all other checks have passed. Whoever waited for a check of the service's own is let in only with a
token that is still good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from bearward.access import Access
from bearward.errors import AuthError, RecordNeededError
from bearward.possession import Presented, check_sender
from bearward.principal import Principal, parsed_claims
from bearward.reporter import concerning
from bearward.sender import BEARER, attributed
from bearward.verifier import Verifier
from bearward.verify_functions import awaited_verify_function, verify_function

__all__ = ["authenticate", "authenticate_now", "authorization_refusal"]


def authenticate_now(verifier: Verifier, presented: Presented) -> Principal:
    """The principal of a request, from what is held; any thread may call.

    Raises:
        AuthError: the token or the proof is refused.
        KeysNeededError: the result needs a fetch, or a store that a fleet shares: await `authenticate` then.
    """
    principal: Principal | None = None
    try:
        principal = verify_function(verifier)(presented.token, True)
        now = verifier.now()
        sender, proof = check_sender(parsed_claims(principal), presented, verifier.dpop, now)
        if proof is not None:
            if verifier.replays.is_shared:
                raise RecordNeededError(principal)
            verifier.replays.record_now(proof, now)
    except AuthError as error:
        attributed(error if principal is None else concerning(error, principal), presented.scheme)
        raise
    return principal if sender is BEARER else principal.proven_by(sender)


async def authenticate(verifier: Verifier, presented: Presented) -> Principal:
    """The principal of a request; awaits where keys must be fetched, and where used proofs are shared by a fleet.

    Raises:
        AuthError: the token or the proof is refused, or the keys or the store that are needed are not available.
    """
    principal: Principal | None = None
    try:
        principal = await awaited_verify_function(verifier)(presented.token, True, None)
        now = verifier.now()
        sender, proof = check_sender(parsed_claims(principal), presented, verifier.dpop, now)
        if proof is not None:
            await verifier.replays.record(proof, now)
    except AuthError as error:
        attributed(error if principal is None else concerning(error, principal), presented.scheme)
        raise
    return principal if sender is BEARER else principal.proven_by(sender)


async def authorization_refusal(
    verifier: Verifier, rule: Access, principal: Principal, parameters: Mapping[str, Any] | None = None
) -> AuthError | None:
    """Why a verified caller may not pass by `rule`, whose asynchronous checks are awaited; None if the caller may.

    `parameters` are those of the request's path. Checks may take a minute, in which the token may expire, or be revoked:
    then its end is the refusal.
    """
    refused = await rule.refusal_awaiting(principal, verifier.now(), parameters)
    if refused is not None:
        return refused
    try:
        verifier.check_still_valid(principal)
    except AuthError as ended:
        return ended
    return None
