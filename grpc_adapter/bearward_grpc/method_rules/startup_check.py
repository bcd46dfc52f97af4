"""The start-up check: every registered method has a rule, and every rule matches a registered method.

Rule of this file: what is registered is read from the registration itself, never assumed; a misspelt rule guards
nothing, and the method it was meant for is found here and not in production.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

import grpc

from bearward.access import Access, deny, mark_of
from bearward.errors import ConfigurationError
from bearward_grpc.method_rules.policy import HEALTH, REFLECTION, Policy, Rule
from bearward_grpc.method_rules.registry import MethodRegistry, ServiceDescriptor, registered_methods

__all__ = ["Registered", "check", "check_on_start", "rules"]

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

        auth = AuthInterceptor(verifier, RULES)
        server = check_on_start(grpc.aio.server(interceptors=[auth]), auth.policy)

    Call it before services are registered. Returns `server` itself.
    """
    registry, kept, kind = MethodRegistry(), weakref.ref(server), type(server)

    def the_server() -> Any:
        alive = kept()
        if alive is None:
            raise ReferenceError("the server is gone")
        return alive

    def add_registered_method_handlers(service_name: str, method_handlers: dict[str, Any]) -> None:
        registry.add_registered_method_handlers(service_name, method_handlers)
        kind.add_registered_method_handlers(the_server(), service_name, method_handlers)  # type: ignore[attr-defined]

    def add_generic_rpc_handlers(generic_rpc_handlers: Iterable[grpc.GenericRpcHandler]) -> None:
        handlers = tuple(generic_rpc_handlers)
        registry.add_generic_rpc_handlers(handlers)
        kind.add_generic_rpc_handlers(the_server(), handlers)  # type: ignore[attr-defined]

    def start() -> Any:
        check(policy, registry)
        return kind.start(the_server())  # type: ignore[attr-defined]

    watched: Any = server
    watched.start, watched.add_generic_rpc_handlers = start, add_generic_rpc_handlers
    watched.bearward_rules = partial(rules, policy, registry)  # for `bearward rules`, which is given the server
    if hasattr(kind, "add_registered_method_handlers"):  # grpcio 1.66 has none, and generated code looks
        watched.add_registered_method_handlers = add_registered_method_handlers
    return server


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

    return [f"the rule for {name!r} matches nothing" for name in sorted(policy.rules) if not matches(name)]


def _marked_otherwise(policy: Policy, registry: MethodRegistry) -> list[str]:
    """Each method whose mark would refuse what the policy admits."""
    return [
        f"{name} is marked {mark!r} and the policy says {policy.find(name)!r}: merge rules_from_servicers(...)"
        for name, function in sorted(registry.functions.items())
        if (mark := mark_of(function)) is not None and not mark.admits_anonymous and mark != policy.find(name)
    ]


def _service(method: str) -> str:
    return method.split("/")[1]
