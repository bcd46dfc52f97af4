"""Marks on servicers: `@requires(...)`, `@authenticated`, `@public`, `@optional`, `@deny` above a method.

Rules of this file: marks become rules only through `rules_from_servicers`. A marked method that is called without its
rule (no interceptor, or a policy that decided by another rule) refuses the call, and the core logs once what to do: see
`bearward.access`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, Final

import grpc

from bearward.access import Access, mark_of, register_gate
from bearward.errors import AuthError
from bearward.refusals import Refusal
from bearward_grpc.call import CALL
from bearward_grpc.status import StatusMapper

__all__ = ["rules_from_servicers"]

_MAPPER: Final = StatusMapper(realm="api", error_domain="bearward", resource_metadata=None)


def rules_from_servicers(servicers: Mapping[str, object]) -> dict[str, Access]:
    """Rules from the marks on servicers, by full service name.

    >>> from bearward import scope
    >>> from bearward_grpc import requires
    >>> class Notes:
    ...     @requires(scope("notes:read"))
    ...     async def List(self, request, context): ...
    ...     async def Add(self, request, context): ...
    >>> rules_from_servicers({"notes.v1.Notes": Notes()})
    {'/notes.v1.Notes/List': requires(scope('notes:read'))}

    A method without a mark has no rule: the policy's default applies. A mark on the class is the rule of the service, and
    so of each method that has none of its own, wherever that is written.
    """
    rules: dict[str, Access] = {}
    for service, servicer in servicers.items():
        if (rule := mark_of(servicer)) is not None:
            rules[service] = rule
        for name in dir(servicer):
            if not name.startswith("_") and (rule := mark_of(getattr(servicer, name))) is not None:
                rules[f"/{service}/{name}"] = rule
    return rules


def _rule_of_call(_: tuple[Any, ...]) -> Access | None:
    call = CALL.get()
    return None if call is None else call.rule


def _refuse(_: str, __: Access, arguments: tuple[Any, ...]) -> Awaitable[object] | None:
    """End the call with PERMISSION_DENIED where no interceptor of ours would make it of the error.

    grpc takes an `AuthError` for a bug of the handler and responds with UNKNOWN.
    """
    context = next((one for one in reversed(arguments) if _is_context(one)), None)
    return None if context is None or CALL.get() is not None else _end(context)


def _end(context: Any) -> Awaitable[object] | None:
    status = _MAPPER.status_for(AuthError(Refusal.NO_RULE))
    context.set_trailing_metadata(status.trailers)
    if isinstance(context, grpc.ServicerContext):
        context.abort(status.code, status.details)  # grpc.server's raises
    context.set_code(status.code)
    context.set_details(status.details)
    if not hasattr(context, "write"):
        # A plain function on grpc.aio, where an abort may block the loop or overtake what is written: grpc takes the
        # code of the error that follows from the context.
        return None
    ending: Awaitable[object] = context.abort(status.code, status.details, status.trailers)
    return ending


def _is_context(value: object) -> bool:
    return hasattr(value, "abort") and hasattr(value, "set_trailing_metadata")


register_gate(_rule_of_call, _refuse)
