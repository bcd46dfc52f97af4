"""TLS settings from files: which authorities are trusted, which certificate is shown, and whether the files changed.

Rules of this file: callers read from disk in a thread. Replaced files (by cert-manager, or a ConfigMap whose symlink is
swapped) are noticed by their version, and read again before the next fetch.
"""

from __future__ import annotations

import ssl
from functools import lru_cache

from bearward.fetch.settings import HTTPSettings
from bearward.file_versions import FileVersion, version_of

__all__ = ["context_of", "default_context", "versions_of"]


def versions_of(settings: HTTPSettings) -> tuple[FileVersion, ...]:
    """Shows whether a context made from `settings` still matches the files."""
    files = settings.ca_file, settings.client_cert, settings.client_key, ssl.get_default_verify_paths().cafile
    return tuple(None if path is None else version_of(path) for path in files)


def context_of(settings: HTTPSettings, *, with_certificate: bool) -> ssl.SSLContext:
    """The context for the issuer itself, with the client certificate or without; raises OSError (so does `ssl`)."""
    certificate = settings.client_cert if with_certificate else None
    if settings.ca_file is None and certificate is None:
        return default_context()
    context = ssl.create_default_context(cafile=settings.ca_file)
    if certificate is not None:
        context.load_cert_chain(certificate, settings.client_key)
    return context


def default_context() -> ssl.SSLContext:
    """With the authorities of the machine; shared, since reading them takes 20 ms, and keeping them a mebibyte, each time."""
    paths = ssl.get_default_verify_paths()  # `SSL_CERT_FILE` may name others
    return _default_context(paths, None if paths.cafile is None else version_of(paths.cafile))


@lru_cache(maxsize=4)
def _default_context(_: ssl.DefaultVerifyPaths, _version: FileVersion) -> ssl.SSLContext:
    return ssl.create_default_context()
