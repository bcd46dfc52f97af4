"""The start-up check: every registered method has a rule, and every rule matches a registered method.

Rule of this file: what is registered is read from the registration itself, never assumed; a misspelt rule guards
nothing, and the method it was meant for is found here and not in production.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar, cast

import grpc

from bearward.access import Access, deny, mark_of
from bearward.errors import ConfigurationError
from bearward.mistakes import nearest
from bearward_grpc.method_rules.policy import HEALTH, REFLECTION, Policy, Rule
from bearward_grpc.method_rules.registry import MethodRegistry, ServiceDescriptor, registered_methods

__all__ = ["Registered", "check", "check_on_start", "rules", "watch_registration"]

S = TypeVar("S")
Registered: TypeAlias = (
    "MethodRegistry | grpc.GenericRpcHandler | ServiceDescriptor | Callable[[Any, Any], object] | str"
)
"""A registry, a generic handler, a service's descriptor, a generated `add_…Servicer_to_server`, or a full name."""

_OWN: Final = frozenset((*HEALTH, *REFLECTION))  # what grpc's own packages serve differs by release
_WAY_OUT: Final = "give each a rule (deny is one), or pass default=authenticated for all of them"


def rules(policy: Policy | Mapping[str, Rule], *registered: Registered) -> dict[str, Access]:
    """What was decided for each registered method, by full method name; no server need run.

    >>> from bearward.access import authenticated, public
    >>> rules({"notes.v1.Notes": authenticated, "/notes.v1.Notes/About": public},
    ...       "/notes.v1.Notes/List", "/notes.v1.Notes/About")
    {'/notes.v1.Notes/About': public, '/notes.v1.Notes/List': authenticated}

    Of a service that was registered as a whole, only the methods that a rule names are in it.
    """
    book, registry = _as_policy(policy), registered_methods(*registered)
    named = {name for name in book.rules if not book.names_service(name) and registry.serves(name)}
    return {name: book.find(name) for name in sorted(registry.names | named)}


def check(policy: Policy | Mapping[str, Rule], *registered: Registered) -> None:
    """Raise `ConfigurationError` naming each registered method without a rule and each rule that matches nothing.

    For a test of one's own rules: `check(RULES, add_NotesServicer_to_server)`; no server need run. Where the policy has
    a default other than `deny`, a method without its own rule is under that default, and nothing is wrong. Of a
    service that is registered as a whole, it is checked that some rule speaks of it. A method that is marked with
    another rule than the policy's would refuse every call, so it is named too.
    """
    book, registry = _as_policy(policy), registered_methods(*registered)
    faults = [*_without_rule(book, registry), *_without_method(book, registry), *_marked_otherwise(book, registry)]
    if faults:
        raise ConfigurationError("policy", "must match what is registered: " + "; ".join(faults))


def check_on_start(server: S, policy: Policy) -> S:
    """Have `server.start()`, of a grpc.aio or a grpc.server, first run `check` on what was registered until then.

    A server of `guarded_server` does so by itself.

        auth = AuthInterceptor(verifier, RULES)
        server = check_on_start(grpc.aio.server(interceptors=[auth]), auth.policy)

    Call it before services are registered. Returns `server` itself.
    """
    return watch_registration(server, policy, lambda _: None)


def watch_registration(
    server: S, policy: Policy, changed: Callable[[MethodRegistry], None], *, checked: bool = True
) -> S:
    """As `check_on_start`; `changed` is told what is registered when the server starts, and at each change after that."""
    watch = _Watch(server, policy if checked else None, changed)
    watched: Any = server
    watched.start, watched.add_generic_rpc_handlers = watch.start, watch.add_generic_rpc_handlers
    watched.bearward_rules = partial(rules, policy, watch.registry)  # for `bearward rules`, which is given the server
    if hasattr(type(server), "add_registered_method_handlers"):  # grpcio 1.66 has none, and generated code looks
        watched.add_registered_method_handlers = watch.add_registered_method_handlers
    return server


class _Watch:
    """Stands in a server's place where something is registered with it, and where it starts; it does not keep it."""

    def __init__(self, server: object, policy: Policy | None, changed: Callable[[MethodRegistry], None]) -> None:
        self.registry = MethodRegistry()
        self._policy = policy
        self._changed = changed
        self._started = False
        self._kept, self._kind = weakref.ref(server), cast("Any", type(server))

    def add_registered_method_handlers(self, service_name: str, method_handlers: dict[str, Any]) -> None:
        self.registry.add_registered_method_handlers(service_name, method_handlers)
        self._kind.add_registered_method_handlers(self._server(), service_name, method_handlers)
        self._tell()

    def add_generic_rpc_handlers(self, generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        handlers = tuple(generic_rpc_handlers)
        self.registry.add_generic_rpc_handlers(handlers)
        self._kind.add_generic_rpc_handlers(self._server(), handlers)
        self._tell()

    def start(self) -> Any:
        if self._policy is not None:
            check(self._policy, self.registry)
        self._started = True
        self._tell()
        return self._kind.start(self._server())

    def _tell(self) -> None:
        if self._started:
            self._changed(self.registry)

    def _server(self) -> object:
        alive = self._kept()
        if alive is None:
            raise ReferenceError("the server is gone")
        return alive


def _as_policy(policy: Policy | Mapping[str, Rule]) -> Policy:
    return policy if isinstance(policy, Policy) else Policy(policy)


def _without_rule(policy: Policy, registry: MethodRegistry) -> list[str]:
    """Each method, and each whole service, that is left to a default of `deny`."""
    if policy.default != deny:
        return []
    bare = [name for name in sorted(registry.names) if policy.decided(name) is None]
    spoken_of = {name.strip("/").split("/")[0] for name in policy.rules} | {_service(name) for name in _OWN}
    unnamed = registry.services - {_service(name) for name in registry.names}
    faults = [f"{name} has no rule" for name in bare]
    faults += [f"the service {name} has no rule" for name in sorted(unnamed - spoken_of)]
    return [*faults, _WAY_OUT] if faults else []


def _without_method(policy: Policy, registry: MethodRegistry) -> list[str]:
    """Each written rule that no registered method can be under."""

    def matches(name: str) -> bool:
        service = name.strip("/").split("/")[0]
        return (
            name in _OWN
            or policy.matches_any(name, registry.names)
            or registry.serves(name)
            or (service in registry.services and policy.names_service(name))
        )

    known = {*registry.names, *registry.services, *(f"/{name}/*" for name in registry.services)}
    faults = [name for name in sorted(policy.rules) if not matches(name)]
    return [f"the rule for {name!r} matches nothing{nearest(name, known)}" for name in faults]


def _marked_otherwise(policy: Policy, registry: MethodRegistry) -> list[str]:
    """Each method whose mark would refuse what the policy admits."""
    return [
        f"{name} is marked {mark!r} and the policy says {policy.find(name)!r}: merge rules_from_servicers(...)"
        for name, function in sorted(registry.functions.items())
        if (mark := mark_of(function)) is not None and not mark.admits_anonymous and mark != policy.find(name)
    ]


def _service(method: str) -> str:
    return method.split("/")[1]
