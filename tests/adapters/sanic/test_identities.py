"""Many callers at once: every response names its own."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import ThreadPoolExecutor

from tests.adapters.sanic.servers import Server


def test_concurrent_requests_keep_their_principals(server: Server) -> None:
    """200 concurrent requests of 50 callers over 40 persistent connections: nobody is taken for another."""
    tokens = {f"caller-{n}": server.mint(f"caller-{n}") for n in range(50)}
    callers = list(tokens) * 4

    def ask(batch: list[str]) -> list[tuple[str, dict[str, str]]]:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        seen: list[tuple[str, dict[str, str]]] = []
        for caller in batch:
            headers = {"Authorization": f"Bearer {tokens[caller]}"}
            connection.request("GET", f"/whoami?wait={0.01 * (len(seen) % 3)}", headers=headers)
            seen.append((caller, json.loads(connection.getresponse().read())))
        connection.close()
        return seen

    with ThreadPoolExecutor(40) as pool:
        answers = [one for batch in pool.map(ask, [callers[n::40] for n in range(40)]) for one in batch]
    assert len(answers) == 200
    assert all(answer == {"ctx": caller, "current": caller} for caller, answer in answers)
