"""HTTP to peers on loopback, for what is no verdict: documents, tokens, switches.

Rule of this file: one client for the whole run, since each new one reads the machine's certificates again (26 ms of
CPU, hundreds of times); connections are not kept, so that no peer can drop one just when it is used.
"""

from __future__ import annotations

import httpx2

__all__ = ["CLIENT", "get", "post"]

CLIENT = httpx2.Client(timeout=30, trust_env=False, limits=httpx2.Limits(max_keepalive_connections=0))
get = CLIENT.get
post = CLIENT.post
