"""Places for calls of verified callers that wait, shared so that nobody leaves others without.

Rule of this file: a caller takes another place while its own and its issuer's together are fewer than those that are free.
So one caller alone has a third of the places, and all callers of one issuer have half: who fills them must be many, and
of several issuers.
"""

from __future__ import annotations

import threading
from collections import Counter
from typing import NamedTuple, TypeVar

from bearward.forks import fork_safe
from bearward.principal import Principal

__all__ = ["Caller", "FairPlaces", "caller_of"]

K = TypeVar("K")


class Caller(NamedTuple):
    """Whose place it is. Tokens that name no subject count as their client's."""

    issuer: str
    subject: str


def caller_of(principal: Principal) -> Caller:
    """The caller of a verified token.

    >>> caller_of(Principal({"iss": "https://login.example", "client_id": "app"}, key_thumbprint="k1"))
    Caller(issuer='https://login.example', subject='app')
    """
    return Caller(principal.issuer, str(principal.subject or principal.client_id or ""))


class FairPlaces:
    """A number of places, taken and given back by any thread.

    >>> places, ada = FairPlaces(3), Caller("https://login.example", "ada")
    >>> places.take(ada), places.take(ada), places.take(Caller("https://other.example", "eve"))
    (True, False, True)
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._of_caller: Counter[Caller] = Counter()
        self._of_issuer: Counter[str] = Counter()
        self._lock = fork_safe(threading.Lock())

    def take(self, caller: Caller) -> bool:
        """Take a place; False if there is none for this caller."""
        with self._lock:
            if self._of_caller[caller] + self._of_issuer[caller.issuer] >= self._free:
                return False
            self._free -= 1
            self._of_caller[caller] += 1
            self._of_issuer[caller.issuer] += 1
            return True

    def give_back(self, caller: Caller) -> None:
        """Give back one of this caller's places."""
        with self._lock:
            self._free += 1
            _count_down(self._of_caller, caller)
            _count_down(self._of_issuer, caller.issuer)


def _count_down(counts: Counter[K], key: K) -> None:
    """One fewer; who has none is forgotten, since callers are without number."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]
