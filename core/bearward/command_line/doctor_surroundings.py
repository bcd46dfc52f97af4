"""The doctor's look at everything but issuers: what weakens checks, stores, secrets, certificates, limits.

Rules of this file: a store is asked with a key of its own, which is taken away again. A secret is judged by its length
and its variety, and never shown.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path

from cryptography import x509

from bearward.cache.client import CacheError, SharedCache
from bearward.cache.urls import backend_factory
from bearward.clock import SystemClock
from bearward.command_line.finding import Finding, fine, note, wrong
from bearward.explanation.wording import duration
from bearward.issuers.tenants import TenantIssuers
from bearward.revocation.shared import SharedRevocations
from bearward.settings import Settings
from bearward.settings.secret_files import file_variables
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["certificates", "limits", "revocation_store", "round_trip", "secret_files", "weak_secrets", "weakened"]

_TIMEOUT = 2.0
_SOON = 14 * 86400.0
_LEAST_VARIETY = 8
_OTHER_FIELDS = 1024
"""Octets that the other fields of a usual request need."""
_SANIC_DEFAULT, _GRPC_DEFAULT = 8192, 8192


def weakened(settings: Settings, *, but: frozenset[str] = frozenset()) -> Iterator[Finding]:
    """Settings that weaken a check, which must be meant; `but` those that the command itself set."""
    for issuer in settings.issuers:
        if isinstance(issuer, TrustedIssuer):
            for name in sorted({*_unsafe(issuer), *_unsafe(issuer.jwks_options)} - but):
                yield note("settings", issuer.issuer, f"{name} is set", "leave it out, unless you mean it")
    if settings.explain:
        said = "explain is set: whoever reaches the servers through a proxy on this machine is told why, too"
        yield note("settings", "explain", said, "keep it to development: false in production")
    if settings.unsafe_allow_unauthenticated_cache:
        said = "unsafe_allow_unauthenticated_cache is set: who writes the cache can plant keys"
        yield note("settings", "cache", said, "set cache_secret instead")


def _unsafe(given: object) -> list[str]:
    names = [item.name for item in fields(given)]  # type: ignore[arg-type]
    return [name for name in names if name.startswith("unsafe_") and getattr(given, name) is True]


async def round_trip(settings: Settings) -> Finding | None:
    """Whether the shared cache takes a value and gives it back; None where it is in this process."""
    make = backend_factory(settings.cache, timeout=_TIMEOUT)
    if make is None:
        return None
    cache = SharedCache(make, SystemClock(), timeout=_TIMEOUT)
    key, value = f"bearward:doctor:{secrets.token_hex(8)}", secrets.token_hex(8)
    try:
        await cache.put(key, value, 5.0)
        returned = await cache.get([key])
        await cache.release_lease(key, value)
    except CacheError as error:
        remedy = "correct cache: host, port, password, TLS; every process works on without it, and fetches keys itself"
        return wrong("cache", _scheme(settings.cache), f"no round trip: {error}", remedy)
    finally:
        await cache.aclose()
    if returned != [value]:
        return wrong("cache", _scheme(settings.cache), "gives back another value", "look whether it evicts or rewrites")
    return fine("cache", _scheme(settings.cache), "takes a value and gives it back")


async def revocation_store(settings: Settings) -> Finding | None:
    """Whether the shared store of revocations responds; None where a fleet shares none."""
    if settings.revocations is None:
        return None
    shared = settings.verifier(default_origins=("https://localhost",)).revocations
    if not isinstance(shared, SharedRevocations):
        return None
    await shared.start()
    try:
        if shared.store_responds:
            return fine("revocations", "store", shared.health())
        remedy = "correct revocations.cache (or cache): host, port, password, TLS"
        return wrong("revocations", "store", shared.health(), remedy)
    finally:
        await shared.aclose()


def weak_secrets(settings: Settings) -> Iterator[Finding]:
    """Secrets that could be guessed."""
    given = {
        "cache_secret": settings.cache_secret,
        "revocations.cache_secret": (settings.revocations or {}).get("cache_secret"),
        "dpop.nonce_secret": (settings.dpop or {}).get("nonce_secret"),
    }
    for name, secret in given.items():
        if isinstance(secret, bytes) and secret:
            weak = len(set(secret)) < _LEAST_VARIETY
            said = "has few different characters: it could be guessed"
            remedy = "make one: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            yield wrong("secrets", name, said, remedy) if weak else fine("secrets", name, f"{len(secret)} bytes")


def secret_files(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Files of secrets that everybody on this machine can read."""
    for variable, _ in file_variables(environ):
        path = environ[variable].strip()
        try:
            mode = Path(path).stat().st_mode
        except OSError:
            continue  # the settings say so
        if mode & stat.S_IROTH:
            yield note("secrets", variable, "the file can be read by every user of this machine", f"chmod o-r {path}")
        else:
            yield fine("secrets", variable, "the file is not for everybody")


def certificates(settings: Settings) -> Iterator[Finding]:
    """Files of certificates: readable, and not about to expire."""
    for issuer in settings.issuers:
        options = issuer.jwks_options
        for name in ("ca_file", "client_cert"):
            path = getattr(options, name)
            if path is not None:
                subject = issuer.template if isinstance(issuer, TenantIssuers) else issuer.issuer
                yield _certificate(name, os.fspath(path), subject)


def _scheme(url: str) -> str:
    """What may be shown of a cache's address, which may hold a password."""
    return url.partition("://")[0]


def _certificate(name: str, path: str, subject: str) -> Finding:
    try:
        with Path(path).open("rb") as file:
            found = x509.load_pem_x509_certificates(file.read(1024 * 1024))
    except OSError as error:
        return wrong("tls", subject, f"{name} cannot be read ({error.strerror})", f"set {name} to a file that is there")
    except ValueError:
        return wrong("tls", subject, f"{name} holds no certificate in PEM", f"set {name} to certificates in PEM")
    left = min(one.not_valid_after_utc.timestamp() for one in found) - SystemClock().now()
    if left <= 0:
        return wrong("tls", subject, f"a certificate of {name} expired {duration(left)} ago", "renew it")
    if left < _SOON:
        return note("tls", subject, f"a certificate of {name} expires in {duration(left)}", "renew it")
    return fine("tls", subject, f"{name} is valid for {duration(left)}")


def limits(token_size: int | None, sanic_limit: int | None) -> Iterator[Finding]:
    """Whether a token of that size gets through the limits of servers."""
    if token_size is None:
        return
    needed, limit = token_size + _OTHER_FIELDS, sanic_limit or _SANIC_DEFAULT
    if needed > limit:
        said = f"a token of {token_size} bytes does not fit into {limit} bytes of header fields"
        yield wrong("limits", "sanic", said, f"app.config.REQUEST_MAX_HEADER_SIZE = {2 * needed}; and so at each proxy")
    else:
        yield fine("limits", "sanic", f"{limit} bytes of header fields are enough")
    if needed > _GRPC_DEFAULT:
        said = f"a token of {token_size} bytes does not fit into {_GRPC_DEFAULT} bytes of metadata, gRPC's default"
        yield wrong("limits", "grpc", said, f"options=metadata_size_options({token_size}) at server and channel")
    else:
        yield fine("limits", "grpc", f"{_GRPC_DEFAULT} bytes of metadata, gRPC's default, are enough")
