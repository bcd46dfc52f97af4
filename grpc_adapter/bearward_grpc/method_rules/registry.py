"""Which methods are registered, found without a server.

Rule of this file: nothing is guessed; a handler that does not list its methods is recorded as a whole service.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, runtime_checkable

import grpc

from bearward.errors import ConfigurationError
from bearward_grpc.rpc_handlers import behavior_of

__all__ = ["MethodRegistry", "ServiceDescriptor", "registered_methods"]

_METHOD = re.compile(r"/[^/\s]+/[^/\s]+")
_SERVICE = re.compile(r"[^/\s]+")


@runtime_checkable
class ServiceDescriptor(Protocol):
    """A service as protobuf describes it: `notes_pb2.DESCRIPTOR.services_by_name["Notes"]`."""

    @property
    def full_name(self) -> str:
        """Its name with its package."""

    @property
    def methods(self) -> Sequence[Any]:
        """Its methods, each with a `name`."""


class MethodRegistry:
    """Records which methods are registered; give it to `add_…Servicer_to_server` in a server's place."""

    def __init__(self) -> None:
        self._functions: dict[str, object] = {}
        self._generic: list[grpc.GenericRpcHandler] = []
        self._services: set[str] = set()

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, object]) -> None:
        """As a server's; called by generated code."""
        for method, handler in method_handlers.items():
            self._functions[f"/{service_name}/{method}"] = _function(handler)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """As a server's; called by generated code and by hand."""
        self._generic.extend(generic_rpc_handlers)

    def add_name(self, name: str) -> None:
        """A method or a service that is registered elsewhere, by its full name; raises `ConfigurationError`."""
        if _METHOD.fullmatch(name):
            self._functions.setdefault(name, None)
        elif _SERVICE.fullmatch(name):
            self._services.add(name)
        else:
            must = "must be names such as '/package.Service/Method' or 'package.Service'"
            raise ConfigurationError("registered", must)

    def update(self, other: MethodRegistry) -> None:
        """Take over what another registry recorded."""
        self._functions.update(other._functions)
        self._generic.extend(other._generic)
        self._services.update(other._services)

    @property
    def names(self) -> frozenset[str]:
        """Full names of the methods that were registered by name."""
        return frozenset(self._functions)

    @property
    def functions(self) -> Mapping[str, object]:
        """The functions that serve the methods which were registered by name; None if that is not known."""
        return self._functions

    @property
    def services(self) -> frozenset[str]:
        """Names of the services that were registered as a whole."""
        named = (getattr(handler, "service_name", lambda: None)() for handler in self._generic)
        return frozenset((*self._services, *(name for name in named if name is not None)))

    def constant_handlers(self, stock: type) -> dict[str, grpc.RpcMethodHandler[Any, Any]]:
        """The handlers of the methods that were registered by name, where only `stock` generic handlers are asked for them.

        Those answer alike each time; any other may answer by the metadata.
        """
        found: dict[str, grpc.RpcMethodHandler[Any, Any]] = {}
        if all(type(generic) is stock for generic in self._generic):
            for method in self._functions:
                details: Any = _Details(method, ())
                answers = (generic.service(details) for generic in self._generic)
                handler = next((answer for answer in answers if answer is not None), None)
                if handler is not None:
                    found[method] = handler
        return found

    def serves(self, method: str) -> bool:
        """Whether a call of `method` would find a handler."""
        details: Any = _Details(method, ())
        return method in self._functions or any(handler.service(details) is not None for handler in self._generic)


class _Details(NamedTuple):
    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...]


class _AnyServicer:
    """A servicer with every method, for learning a service's methods without one."""

    def __getattr__(self, name: str) -> object:
        return None


def registered_methods(
    *registered: MethodRegistry | grpc.GenericRpcHandler | ServiceDescriptor | Callable[[Any, Any], object] | str,
) -> MethodRegistry:
    """What the generated `add_…Servicer_to_server` functions register, without a server.

    Generic handlers, descriptors of services, full names of methods and services, and other registries may stand
    beside them. Raises `ConfigurationError` for anything else.
    """
    registry = MethodRegistry()
    for one in registered:
        _add(registry, one)
    return registry


def _add(registry: MethodRegistry, one: object) -> None:
    if isinstance(one, MethodRegistry):
        registry.update(one)
    elif isinstance(one, grpc.GenericRpcHandler):
        registry.add_generic_rpc_handlers((one,))
    elif isinstance(one, str):
        registry.add_name(one)
    elif isinstance(one, ServiceDescriptor):
        for method in one.methods:
            registry.add_name(f"/{one.full_name}/{method.name}")
    elif callable(one):
        one(_AnyServicer(), registry)
    else:
        raise ConfigurationError("registered", "must be add_…Servicer_to_server functions, handlers or names")


def _function(handler: object) -> object:
    try:
        return behavior_of(handler)  # type: ignore[arg-type]
    except AttributeError:  # what is registered need not be a handler here
        return None
