"""One profile: what an issuer's tokens look like, as one row that a reviewer sees whole.

Rule of this file: data types only. A row says what is true of the issuer, and from where that is known; the functions
beside the rows add what only the user knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from bearward.claim_names import RightsFrom
from bearward.credential_place import CredentialPlace

__all__ = ["Certainty", "Profile", "Right", "Source", "TokenKind"]


class Certainty(Enum):
    """How a fact about an issuer is known. What is only remembered, not read, is no certainty and is not shipped."""

    DOCUMENTED = "documented"
    """The vendor's own documentation, or the standard."""
    SOURCE = "source code"
    """The source code of the issuer, or of the vendor's own verifier."""
    EXAMPLE = "example"
    """Tokens and documents that others published."""


class TokenKind(Enum):
    """What a profile accepts. A token of another kind is refused, whoever signed it."""

    ACCESS = "access tokens"
    ID = "ID tokens"
    SESSION = "session tokens"
    WORKLOAD = "identity tokens of workloads"
    ASSERTION = "assertions of a client"


@dataclass(frozen=True, slots=True)
class Source:
    """Where facts of a row come from: `says` names the facts."""

    title: str
    url: str
    says: str
    certainty: Certainty = Certainty.DOCUMENTED


@dataclass(frozen=True, slots=True)
class Right:
    """Where the rights of one sort of caller are, and a requirement that asks for one, as Python."""

    caller: str
    where: str
    requirement: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """What is true of every token of one issuer, whoever its user is.

    `{…}` in `issuer` and `jwks_uri` is filled in from the arguments of the profile's function.
    """

    name: str
    """Of the function in `bearward.profiles`, and of the setting `profile`."""
    title: str
    kind: TokenKind
    issuer: str
    jwks_uri: str | None = None
    """None: found by discovery below the issuer, or see `pem_uri`."""
    pem_uri: str | None = None
    """Where the keys are, if they are in PEM; `{kid}` stays, for keys that have a URL each."""
    algorithms: tuple[str, ...]
    token_types: tuple[str | None, ...] = (None, "JWT")
    """Accepted `typ` headers; None means an absent one."""
    required_claims: tuple[str, ...] = ()
    expected_claims: Mapping[str, tuple[Any, ...]] = field(default_factory=lambda: MappingProxyType({}))
    refused_claims: tuple[str, ...] = ()
    subject_claim: tuple[str, ...] = ()
    """Where it is not `sub`: claims of which the first that names somebody counts."""
    client_claim: str | None = None
    """Where it is neither `client_id` nor `azp`."""
    granted: tuple[str | tuple[str, ...] | RightsFrom, ...] = ()
    """Where `Principal.rights` come from, if not from the scopes alone."""
    keys_are_ours: bool = False
    single_use: bool = False
    """Whether each token counts once."""
    place: CredentialPlace | None = None
    """Where the tokens are, if not in `Authorization`."""
    audience: str
    """Whom the tokens are for: what `aud` holds, or what stands in for it."""
    subject: str = "sub"
    """Who calls, for the page."""
    client: str | None = None
    """The client that the token was issued to, for the page."""
    rights: tuple[Right, ...] = ()
    """Examples for the page."""
    apart: str
    """What keeps the issuer's other tokens out."""
    notes: str = ""
    """What its user should know, as paragraphs of Markdown."""
    sources: tuple[Source, ...]
