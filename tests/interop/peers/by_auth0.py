"""`python -m tests.interop.peers.by_auth0 FILE`: what auth0-api-python says of each request; one line of JSON at the end.

The file is that of `node/dpop_verifier.mjs`. A verdict is `accepted`, `refused`, or the name of an exception that is none
of the library's own. Metadata and keys come from the file, by the library's own `custom_fetch`.
"""

from __future__ import annotations

import asyncio
import json
import sys
import warnings
from pathlib import Path
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # Authlib's jose, which it is built on, calls itself deprecated
    from auth0_api_python import ApiClient, ApiClientOptions
    from auth0_api_python.errors import BaseAuthError


async def judge(told: dict[str, Any]) -> list[str]:
    """A verdict for each request."""
    issuer: str = told["issuer"]

    async def fetch(url: str) -> dict[str, Any]:
        keys: dict[str, Any] = told["jwks"]
        return keys if url.endswith("/jwks") else {"issuer": issuer, "jwks_uri": f"{issuer}jwks"}

    domain = issuer.removeprefix("https://").removesuffix("/")
    client = ApiClient(ApiClientOptions(domain=domain, audience=told["audience"], custom_fetch=fetch))
    return [await _verdict(client, request) for request in told["requests"]]


async def _verdict(client: Any, request: dict[str, Any]) -> str:
    """A field that was sent twice is joined by commas, as servers hand it on."""
    headers = {name: ", ".join(request[name]) for name in ("authorization", "dpop") if request[name]}
    try:
        await client.verify_request(headers, request["method"], request["url"])
    except BaseAuthError:
        return "refused"
    except Exception as error:  # noqa: BLE001  (which one it is, is the finding)
        return type(error).__name__
    return "accepted"


if __name__ == "__main__":
    print(json.dumps(asyncio.run(judge(json.loads(Path(sys.argv[1]).read_bytes())))))  # noqa: T201  (its answer)
