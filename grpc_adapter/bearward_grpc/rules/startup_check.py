"""The start-up check: every served method has a rule, and every rule a served method.

Rule of this file: what is served is learnt from what is registered, never from what somebody believes is registered;
a rule that is misspelt guards nothing, and the method it was meant for is found out here and not in production.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

import grpc

from bearward.errors import ConfigurationError
from bearward_grpc.rules.policy import HEALTH, REFLECTION, Policy

__all__ = ["ServedMethods", "check_policy", "checked", "served_by"]

S = TypeVar("S")
_OPTIONAL = frozenset((*HEALTH, *REFLECTION))  # what grpc's own packages serve differs by release


class ServedMethods:
    """Records which methods are registered; give it to `add_…Servicer_to_server` in a server's place."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._generic: list[grpc.GenericRpcHandler] = []

    def add_registered_method_handlers(self, service_name: str, method_handlers: Mapping[str, object]) -> None:
        """As a server's; called by generated code."""
        self._names.update(f"/{service_name}/{method}" for method in method_handlers)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        """As a server's; called by generated code and by hand."""
        self._generic.extend(generic_rpc_handlers)

    @property
    def names(self) -> frozenset[str]:
        """Full names of the methods that were registered by name."""
        return frozenset(self._names)

    def serves(self, method: str) -> bool:
        """Whether a call of `method` would find a handler."""
        details: Any = _Details(method, ())
        return method in self._names or any(handler.service(details) is not None for handler in self._generic)

    @property
    def services(self) -> frozenset[str]:
        """Names of the services that were registered as a whole."""
        named = (getattr(handler, "service_name", lambda: None)() for handler in self._generic)
        return frozenset(name for name in named if name is not None)


class _Details(NamedTuple):
    method: str
    invocation_metadata: tuple[tuple[str, str | bytes], ...]


class _AnyServicer:
    """A servicer with every method, for learning a service's methods without one."""

    def __getattr__(self, name: str) -> object:
        return None


def served_by(*add_to_server: Callable[[Any, Any], object]) -> ServedMethods:
    """What the generated `add_…Servicer_to_server` functions register, without a server."""
    served = ServedMethods()
    for add in add_to_server:
        add(_AnyServicer(), served)
    return served


def check_policy(policy: Policy, served: ServedMethods | Iterable[str]) -> None:
    """Raise `ConfigurationError` naming each served method without a rule and each rule without a served method.

    `served` is a `ServedMethods`, or full method names. Of a service that is registered only as a generic handler
    without names, it is checked that some rule speaks of it.
    """
    if not isinstance(served, ServedMethods):
        names, served = served, ServedMethods()
        served._names.update(names)  # noqa: SLF001
    known = served.names
    faults = [f"{name} is served and has no rule" for name in sorted(known) if policy.find(name) is None]
    faults += [f"the rule for {name!r} names nothing that is served" for name in _idle(policy, served)]
    spoken = {name.strip("/").split("/")[0] for name in policy.written} | {name.split("/")[1] for name in _OPTIONAL}
    unnamed = served.services - {name.split("/")[1] for name in known}
    faults += [f"the service {name} is served and has no rule" for name in sorted(unnamed - spoken)]
    if faults:
        raise ConfigurationError("policy", "must match what is served: " + "; ".join(faults))


def _idle(policy: Policy, served: ServedMethods) -> list[str]:
    def matches(name: str) -> bool:
        service = name.strip("/").split("/")[0]
        return (
            name in _OPTIONAL
            or policy.covers(name, served.names)
            or served.serves(name)
            or (service in served.services and not policy.is_method(name))
        )

    return sorted(name for name in policy.written if not matches(name))


class _CheckedServer:
    """A server that compares its policy with what is registered when it starts."""

    def __init__(self, server: Any, policy: Policy) -> None:
        self._server = server
        self._policy = policy
        self._served = ServedMethods()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Any]) -> None:
        self._served.add_registered_method_handlers(service_name, method_handlers)
        # grpcio 1.66 has no such method; generated code calls it only where it exists, and so do we.
        add = getattr(self._server, "add_registered_method_handlers", None)
        if add is not None:
            add(service_name, method_handlers)

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        handlers = tuple(generic_rpc_handlers)
        self._served.add_generic_rpc_handlers(handlers)
        self._server.add_generic_rpc_handlers(handlers)

    def start(self) -> Any:
        check_policy(self._policy, self._served)
        return self._server.start()


def checked(server: S, policy: Policy) -> S:
    """`server`, sync or aio, whose `start()` first runs `check_policy` on what was registered through it.

        auth = AuthInterceptor(verifier, rules)
        server = checked(grpc.aio.server(interceptors=[auth]), auth.policy)

    Register every service through what is returned here.
    """
    wrapped: Any = _CheckedServer(server, policy)
    typed: S = wrapped
    return typed
