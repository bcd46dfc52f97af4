"""The name of Sanic's generic type, as every signature of this package uses it."""

from __future__ import annotations

from typing import Any, TypeAlias

from sanic import Sanic

__all__ = ["App"]

App: TypeAlias = "Sanic[Any, Any]"
"""An application with any configuration and context."""
