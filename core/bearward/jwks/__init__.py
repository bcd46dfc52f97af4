"""Keys: where they come from, how they are fetched and kept, and what your own source needs.

    from bearward.jwks import JWKSOptions, Loaded, FetchError, FetchFailure

Everything that is not exported here is private to bearward and may change.
"""

from __future__ import annotations

from bearward.fetch.caching import Validators
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPClient, HTTPResponse
from bearward.jose.jwk import KeyRejection
from bearward.jose.jwk_set import JWKSet
from bearward.jwks.freshness import Freshness
from bearward.jwks.health import IssuerHealth
from bearward.jwks.options import JWKSOptions, MetadataKind, StartMode
from bearward.jwks.source import ChangeAwareSource, Loaded, Source
from bearward.jwks.sources import JWKSURI, Discovery, File, Static
from bearward.jwks.start import StartError
from bearward.jwks.store import JWKSStore

__all__ = [
    "JWKSURI",
    "ChangeAwareSource",
    "Discovery",
    "FetchError",
    "FetchFailure",
    "File",
    "Freshness",
    "HTTPClient",
    "HTTPResponse",
    "IssuerHealth",
    "JWKSOptions",
    "JWKSStore",
    "JWKSet",
    "KeyRejection",
    "Loaded",
    "MetadataKind",
    "Source",
    "StartError",
    "StartMode",
    "Static",
    "Validators",
]
