"""Settings of a service, from the environment or a TOML file to a `Verifier`.

`catalogue` lists every setting, by its kind (`kinds`) and its place (`places`). `environment`, `files` and `secret_files`
make one `document` of what was given; `arguments` reads its `tables`, `issuers` and `dpop`; `settings` is the result, and
`reload` keeps a running service at it.

Everything that is not exported here is private to bearward and may change.
"""

from __future__ import annotations

from bearward.settings.settings import ENVIRONMENT, Settings

__all__ = ["ENVIRONMENT", "Settings"]
