"""The lock that is held while a module is imported late, in a thread that happens to need it.

Rule of this file: a fork waits for such imports. Otherwise a child inherits the import system's lock for a module that
another thread was importing, and importing that module there waits forever.
"""

from __future__ import annotations

import os
import threading
from typing import Final

__all__ = ["importing"]

importing: Final = threading.RLock()
"""Use as a context manager around an `import` that may run in any thread."""

os.register_at_fork(before=importing.acquire, after_in_parent=importing.release, after_in_child=importing.release)
