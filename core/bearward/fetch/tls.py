"""TLS settings from files: which authorities are trusted, which certificate is shown, and whether the files changed.

Rules of this file: callers read from disk in a thread. Replaced files (by cert-manager, or a ConfigMap whose symlink is
swapped) are noticed by their version, and read again before the next fetch.
"""

from __future__ import annotations

import os
import ssl
from functools import lru_cache

from bearward.fetch.settings import HTTPSettings

__all__ = ["FileVersion", "context_of", "default_context", "versions_of"]

FileVersion = tuple[int, int, int] | None
"""Time of change, size and number of the file that a path leads to; None if there is none."""


def versions_of(settings: HTTPSettings) -> tuple[FileVersion, ...]:
    """Shows whether a context made from `settings` still matches the files."""
    files = settings.ca_file, settings.client_cert, settings.client_key, ssl.get_default_verify_paths().cafile
    return tuple(None if path is None else _version(path) for path in files)


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
    return _default_context(paths, None if paths.cafile is None else _version(paths.cafile))


@lru_cache(maxsize=4)
def _default_context(_: ssl.DefaultVerifyPaths, _version: FileVersion) -> ssl.SSLContext:
    return ssl.create_default_context()


def _version(path: str) -> FileVersion:
    try:
        status = os.stat(path)  # noqa: PTH116  (follows symlinks; no Path is needed)
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
