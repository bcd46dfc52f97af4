"""One revocation, written to the store that a fleet shares.

Rule of this file: it returns once the store has it, so that every server refuses within a second.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from bearward.errors import ConfigurationError
from bearward.issuers.tenants import TenantIssuers
from bearward.revocation.shared import SharedRevocations
from bearward.settings import Settings
from bearward.trusted_issuer import TrustedIssuer
from bearward.verifier import Verifier

__all__ = ["KINDS", "issuer_of", "revoke"]

_Act = Callable[[SharedRevocations, str, str, float, float], None]

KINDS: Final[Mapping[str, _Act]] = MappingProxyType(
    {
        "token": lambda shared, issuer, name, _, until: shared.revoke_token(issuer, name, until=until),
        "session": lambda shared, issuer, name, now, until: shared.revoke_session(
            issuer, name, before=now, until=until
        ),
        "subject": lambda shared, issuer, name, now, until: shared.revoke_subject(
            issuer, name, before=now, until=until
        ),
        "key": lambda shared, issuer, name, _, until: shared.revoke_key(issuer, name, until=until),
    }
)


async def revoke(settings: Settings, issuer: str, kind: str, name: str, seconds: float) -> None:
    """Share one revocation, to be remembered for so many seconds.

    Raises `RevocationNotSharedError` if the store does not take it, `ConfigurationError` where none is configured.
    """
    verifier = settings.verifier(default_origins=("https://localhost",))
    shared = _shared(verifier, settings.prefix)
    await shared.start()
    try:
        now = verifier.now()
        KINDS[kind](shared, issuer, name, now, now + seconds)
        await shared.flush()
    finally:
        await shared.aclose()


def issuer_of(settings: Settings, asked: str | None) -> str:
    """The issuer that is meant: `asked`, or the only one; raises `ConfigurationError`."""
    names = [issuer.issuer for issuer in settings.issuers if isinstance(issuer, TrustedIssuer)]
    templates = [issuer for issuer in settings.issuers if isinstance(issuer, TenantIssuers)]
    if asked is None and len(set(names)) == 1 and not templates:
        return names[0]
    if asked is None or not (asked in names or any(tenants.issuer_for(asked) for tenants in templates)):
        raise ConfigurationError("--issuer", "must be one of the issuers in the settings")
    return asked


def _shared(verifier: Verifier, prefix: str) -> SharedRevocations:
    if not isinstance(verifier.revocations, SharedRevocations):
        name = "BEARWARD_REVOCATIONS_ON_FAILURE" if prefix else "revocations.on_failure"
        raise ConfigurationError(name, "must be set, here and for the servers: otherwise no server learns of it")
    return verifier.revocations
