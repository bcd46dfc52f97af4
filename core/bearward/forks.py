"""What a forked child must not go on with: locks that a thread of the parent held, and what lives on the parent's loop.

Rules of this file: only the thread that forks exists in the child. A lock of ours that another thread held there is free
again, and a fork waits for what holds locks that are not ours: the import system's, and OpenSSL's while it reads files.
objects that registered here let go of the parent's loop, tasks and connections, and start their own within the next
call. What was let go of is never closed and never collected: closing an inherited connection takes it out of the
selector that the parent still uses.
"""

from __future__ import annotations

import os
import threading
import weakref
from typing import Any, Final, Protocol, TypeVar

__all__ = ["ForkAware", "fork_safe", "keep_for_parent", "no_fork", "on_fork"]

L = TypeVar("L")

no_fork: Final = threading.RLock()
"""Use as a context manager around an `import` that may run in any thread, and around reading certificates from files.

A child that was forked meanwhile would wait forever as soon as it imports that module, or makes a TLS context itself.
"""


class ForkAware(Protocol):
    """An object that a child inherits."""

    def forget_parent(self) -> None:
        """In the child, right after the fork, in its only thread."""
        ...


_aware: weakref.WeakSet[Any] = weakref.WeakSet()
_locks: weakref.WeakSet[Any] = weakref.WeakSet()
_of_parents: list[object] = []


def on_fork(inherited: ForkAware) -> None:
    """Have `inherited.forget_parent` called in forked children, as long as it lives."""
    _aware.add(inherited)


def fork_safe(lock: L) -> L:
    """The lock, which is free in a forked child, whoever held it.

    >>> import threading
    >>> with fork_safe(threading.Lock()):
    ...     pass
    """
    _locks.add(lock)
    return lock


def keep_for_parent(*inherited: object) -> None:
    """Never collect these."""
    _of_parents.extend(inherited)


def _after_fork() -> None:
    for lock in tuple(_locks):
        lock._at_fork_reinit()  # noqa: SLF001  (as the standard library frees its own)
    for inherited in tuple(_aware):
        inherited.forget_parent()


os.register_at_fork(after_in_child=_after_fork)
os.register_at_fork(before=no_fork.acquire, after_in_parent=no_fork.release, after_in_child=no_fork.release)
