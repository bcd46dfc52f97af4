"""Rules from `.proto` files: the options of `bearward_grpc/v1/annotations.proto`, read from descriptors.

Rules of this file: a method's option replaces its service's, and if both are absent there is no rule. An option with a
field that this version does not know is an error, since it may be a restriction. Options are read from their serialized
form, so that it does not matter which pool a descriptor is in or which modules were imported before.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from bearward.access import Access, authenticated, optional, public, requires
from bearward.access_toml import requirement_from_parts
from bearward.errors import ConfigurationError

__all__ = ["proto_path", "rules_from_protos"]


_STRINGS = ("scopes", "any_scopes", "rights", "issuers", "actors", "acr_values")
_FLAGS = ("not_delegated", "sender_constrained")
_OPEN = {"ACCESS_PUBLIC": public, "ACCESS_OPTIONAL": optional}


def proto_path() -> str:
    """The directory to give to protoc (`-I`), so that `import "bearward_grpc/v1/annotations.proto"` is found."""
    return str(Path(__file__).resolve().parents[2])


def rules_from_protos(*sources: Any) -> dict[str, Access]:
    """Rules of every method of these generated modules (`notes_pb2`), file descriptors or service descriptors.

    Keyed by full method name, ready for `Policy` or for merging: `{**rules_from_protos(notes_pb2), …}`. A method
    without a rule is not in it. Raises `ConfigurationError` that names the method.
    """
    return dict(found for source in sources for service in _services(source) for found in _rules(service))


def _services(source: Any) -> Iterator[Any]:
    described = source.DESCRIPTOR if isinstance(source, ModuleType) else source
    if hasattr(described, "services_by_name"):
        yield from described.services_by_name.values()
    elif hasattr(described, "methods"):
        yield described
    else:
        raise ConfigurationError("policy", "must come from generated modules, file descriptors or service descriptors")


def _rules(service: Any) -> Iterator[tuple[str, Access]]:
    from google.protobuf import descriptor_pb2

    from bearward_grpc.v1 import annotations_pb2

    default = _option(service, descriptor_pb2.ServiceOptions, annotations_pb2.default_rule)
    for method in service.methods:
        own = _option(method, descriptor_pb2.MethodOptions, annotations_pb2.rule)
        written = default if own is None else own
        if written is not None:
            name = f"/{service.full_name}/{method.name}"
            yield name, _rule(f"policy[{name!r}]", written)


def _option(described: Any, options: Any, extension: Any) -> Any:
    held = options.FromString(described.GetOptions().SerializeToString())
    return held.Extensions[extension] if held.HasExtension(extension) else None


def _rule(setting: str, written: Any) -> Access:
    _refuse_unknown(setting, written)
    parts = _parts(setting, written)
    access = type(written).DESCRIPTOR.fields_by_name["access"].enum_type.values_by_number.get(written.access)
    if access is None:
        raise ConfigurationError(f"{setting}.access", "must be a value that this version knows")
    if access.name in _OPEN:
        if parts:
            raise ConfigurationError(setting, "must not be public or optional and require something")
        return _OPEN[access.name]
    if not parts and access.name == "ACCESS_AUTHENTICATED":
        return authenticated
    return requires(requirement_from_parts(setting, parts))


def _parts(setting: str, written: Any) -> dict[str, Any]:
    """What is asked, under the names that a file of rules has for it."""
    parts: dict[str, Any] = {part: list(getattr(written, part)) for part in _STRINGS if getattr(written, part)}
    parts |= {part: True for part in _FLAGS if getattr(written, part)}
    if written.HasField("max_age"):
        parts["max_age"] = written.max_age
    if written.claims:
        parts["claims"] = _by_name(f"{setting}.claims", written.claims)
    if written.authorization_details:
        where = f"{setting}.authorization_details"
        parts["authorization_details"] = [
            {"type": detail.type, **_by_name(where, detail.members, without="type")}
            for detail in written.authorization_details
        ]
    return parts


def _by_name(setting: str, pairs: Any, without: str = "") -> dict[str, list[str]]:
    found = {pair.name: list(pair.values) for pair in pairs}
    if len(found) < len(pairs) or not all(found) or without in found:
        raise ConfigurationError(setting, "must name each once, by a name that is not empty and no other field's")
    return found


def _messages(message: Any) -> Iterator[Any]:
    yield message
    for name in ("claims", "authorization_details", "members"):
        for part in getattr(message, name, ()):
            yield from _messages(part)


def _refuse_unknown(setting: str, message: Any) -> None:
    from google.protobuf.unknown_fields import UnknownFieldSet

    if any(len(UnknownFieldSet(part)) for part in _messages(message)):
        raise ConfigurationError(setting, "must not use options that this version does not know: update bearward")
