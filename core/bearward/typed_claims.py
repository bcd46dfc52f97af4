"""Claims as an object of the application's own type: a dataclass, or a `msgspec.Struct`.

Rules of this file: pure. msgspec converts strictly, so that `"1"` is no number; no message holds a claim's value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeVar

import msgspec

from bearward.errors import AuthError, ConfigurationError
from bearward.refusals import Refusal

__all__ = ["check_claims_type", "claims_as", "may_be_shared"]

T = TypeVar("T")

_MISSING = re.compile(r"required field `([^`]+)`$")
_AT = re.compile(r" - at `\$\.([^.\[`]+)")


def check_claims_type(kind: Any) -> None:
    """Raise `ConfigurationError` unless claims can be converted to `kind`; None asks for nothing."""
    if kind is None:
        return
    if not isinstance(kind, type) or not (is_dataclass(kind) or issubclass(kind, msgspec.Struct)):
        raise ConfigurationError("claims_type", "must be a dataclass or a msgspec.Struct")
    try:
        msgspec.convert({}, kind)
    except msgspec.ValidationError:
        return
    except (TypeError, NameError) as error:
        must = "must have only fields that JSON can be converted to"
        raise ConfigurationError("claims_type", must) from error


def claims_as(claims: Mapping[str, Any], kind: type[T]) -> T:
    """The claims as a `kind`; claims that it does not name are left out.

    Raises `AuthError`: CLAIM_MISSING or CLAIM_MALFORMED, with the name of the field.

    >>> from dataclasses import dataclass
    >>> @dataclass(frozen=True)
    ... class Claims:
    ...     sub: str
    ...     roles: tuple[str, ...] = ()
    >>> claims_as({"sub": "ada", "roles": ["editor"], "exp": 2e9}, Claims)
    Claims(sub='ada', roles=('editor',))
    """
    try:
        return msgspec.convert(claims, kind)
    except msgspec.ValidationError as error:
        raise _refusal(str(error), kind) from None
    except Exception:  # noqa: BLE001  (of the type's own code, whose text may hold a claim)
        raise AuthError(Refusal.CLAIM_MALFORMED) from None


def may_be_shared(made: Any) -> bool:
    """Whether an object may be given to all requests that bring the same token: neither it nor what it holds can be changed."""
    if not _is_frozen(type(made)):
        return False
    try:
        hash(tuple(getattr(made, name) for name in _attributes(type(made))))
    except TypeError:  # a list, or an object of JSON
        return False
    return True


def _is_frozen(kind: type[Any]) -> bool:
    if is_dataclass(kind):
        parameters: Any = kind.__dict__["__dataclass_params__"]
        return bool(parameters.frozen)
    return bool(kind.__struct_config__.frozen)


def _refusal(message: str, kind: type[Any]) -> AuthError:
    """What msgspec found, by the names that the type itself has: no text of a token."""
    at, missing = _AT.search(message), _MISSING.search(message)
    found = at or missing
    name = found.group(1) if found is not None and found.group(1) in _names(kind) else None
    return AuthError(Refusal.CLAIM_MISSING if at is None and missing else Refusal.CLAIM_MALFORMED, claim=name)


def _names(kind: type[Any]) -> set[str]:
    if is_dataclass(kind):
        return {item.name for item in fields(kind)}
    return {item.encode_name for item in msgspec.structs.fields(kind)}


def _attributes(kind: type[Any]) -> tuple[str, ...]:
    return tuple(item.name for item in fields(kind)) if is_dataclass(kind) else kind.__struct_fields__
