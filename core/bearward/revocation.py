"""What was revoked before it expired: tokens by `jti`, subjects and sessions by a cut-off time, keys by thumbprint.

Rule of this file: in process, bounded, no I/O. `revision` grows with each revocation, so that a cached verification
knows at the cost of one comparison that nothing was revoked since. Entries go when the tokens that they concern would
have expired anyway.
"""

from __future__ import annotations

from collections.abc import Callable

from bearward.errors import AuthError, ConfigurationError, Refusal
from bearward.principal import Principal

__all__ = ["Revocations"]

_MAX_ENTRIES = 1_000_000


class Revocations:
    """A list of revoked tokens, subjects, sessions and keys; may be used from any thread.

    >>> revoked = Revocations()
    >>> revoked.revoke_token("https://login.example", "7f3a", until=2e9)
    >>> revoked
    <Revocations: 1 entries, revision 1>
    """

    def __init__(self) -> None:
        self.revision = 0
        self._until: dict[tuple[str, str, str], float] = {}
        self._cut_off: dict[tuple[str, str, str], tuple[float, float]] = {}
        self._listeners: list[Callable[[], None]] = []

    def revoke_token(self, issuer: str, token_id: str, *, until: float) -> None:
        """Revoke the token with this `jti`; the entry is kept `until` the token's `exp` (seconds since the epoch)."""
        self._add_until(("jti", issuer, token_id), until)

    def revoke_key(self, issuer: str, thumbprint: str, *, until: float = float("inf")) -> None:
        """Revoke a key by its RFC 7638 thumbprint, and with it every token that it signed."""
        self._add_until(("key", issuer, thumbprint), until)

    def revoke_subject(self, issuer: str, subject: str, *, before: float, until: float = float("inf")) -> None:
        """Revoke the subject's tokens that were issued before `before` (seconds since the epoch)."""
        self._add_cut_off(("sub", issuer, subject), before, until)

    def revoke_session(self, issuer: str, session: str, *, before: float, until: float = float("inf")) -> None:
        """Revoke the tokens of a session (`sid`) that were issued before `before`."""
        self._add_cut_off(("sid", issuer, session), before, until)

    def check(self, principal: Principal) -> None:
        """Raise `AuthError` (TOKEN_REVOKED) if the principal's token was revoked."""
        if self.revision and self._revoked(principal):
            raise AuthError(Refusal.TOKEN_REVOKED)

    def forget(self, now: float) -> None:
        """Drop the entries that no living token can match any more."""
        self._until = {entry: until for entry, until in self._until.items() if until > now}
        self._cut_off = {entry: cut for entry, cut in self._cut_off.items() if cut[1] > now}

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after each revocation, in the thread that revoked; returns how to stop that."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener) if listener in self._listeners else None

    def _revoked(self, principal: Principal) -> bool:
        issuer, claims = principal.issuer, principal.claims
        if ("key", issuer, principal.key) in self._until:
            return True
        token_id = principal.token_id
        if token_id is not None and ("jti", issuer, token_id) in self._until:
            return True
        return any(
            self._cut(("sub" if name == "sub" else "sid", issuer, held), principal.issued_at)
            for name in ("sub", "sid")
            if isinstance(held := claims.get(name), str)
        )

    def _cut(self, entry: tuple[str, str, str], issued_at: float | None) -> bool:
        cut = self._cut_off.get(entry)
        # A token that does not say when it was issued cannot prove that it is newer.
        return cut is not None and (issued_at is None or issued_at < cut[0])

    def _add_until(self, entry: tuple[str, str, str], until: float) -> None:
        self._check_room(known=entry in self._until)
        self._until[entry] = max(until, self._until.get(entry, until))
        self._changed()

    def _add_cut_off(self, entry: tuple[str, str, str], before: float, until: float) -> None:
        self._check_room(known=entry in self._cut_off)
        known = self._cut_off.get(entry, (before, until))
        self._cut_off[entry] = (max(before, known[0]), max(until, known[1]))
        self._changed()

    def _check_room(self, *, known: bool) -> None:
        if not known and len(self._until) + len(self._cut_off) >= _MAX_ENTRIES:
            raise ConfigurationError("revocations", f"must stay below {_MAX_ENTRIES} entries: call forget(now)")

    def _changed(self) -> None:
        self.revision += 1
        for listener in tuple(self._listeners):
            listener()

    def __repr__(self) -> str:
        return f"<Revocations: {len(self._until) + len(self._cut_off)} entries, revision {self.revision}>"
