"""Marks at the time of a call: they ask here by which rule the request was admitted.

Rule of this file: the gate decides before a handler is called; a mark of `bearward.access` on the handler passes only
if that decision was by this very rule. If bearward was not installed there was no decision, so a marked handler
refuses.
"""

from __future__ import annotations

from typing import Any

from sanic import Request

from bearward.access import Access, register_gate
from bearward_sanic.context import was_admitted

__all__ = ["applied_rule"]


def applied_rule(arguments: tuple[Any, ...]) -> Access | None:
    """The rule by which the gate admitted the request among `arguments`, which are a handler's or a view method's."""
    request = next((argument for argument in arguments[:2] if isinstance(argument, Request)), None)
    if request is None or not was_admitted(request):
        return None
    guard: Any = getattr(request.app.ctx, "bearward", None)
    rule: Access | None = None if guard is None else guard.rule_of(request)
    return rule


register_gate(applied_rule)
