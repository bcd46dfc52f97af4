"""The playground as a process, a client of its page's own API, and a browser that looks at it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from samples.processes import Process
from tests.samples.playground.chromium import Page, chromium

LIFETIME = 12
"""Seconds that the page's own tokens live in these tests."""


class Api:
    """What the page's scripts ask for, by the same requests."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = httpx2.Client(base_url=url, headers={"origin": url}, timeout=30, trust_env=False)

    def authorized(self) -> dict[str, str]:
        """The header with a new token of the page's."""
        token = self.client.post("/session").raise_for_status().json()["access_token"]
        return {"authorization": f"Bearer {token}"}

    def do(self, act: str, **body: Any) -> Any:
        """One act; what is wrong with it raises."""
        response = self.client.post(f"/do/{act}", json=body, headers=self.authorized())
        assert response.status_code == 200, response.text
        return response.json()

    def codes(self, token: str | None, *, proof: str = "as bound", operation: str = "access") -> list[str | None]:
        """The codes of the three servers' answers; None for an accepted one."""
        sent = self.do("send", token=token or "", proof=proof, operation=operation)
        assert [answer["accepted"] for answer in sent["answers"]] == [not one["code"] for one in sent["answers"]]
        return [answer["code"] for answer in sent["answers"]]

    def mint(self, **members: Any) -> str:
        """A good token."""
        token: str = self.do("mint", **{"algorithm": "ES256", **members})["token"]
        return token


@pytest.fixture(scope="package")
def playground() -> Iterator[Process]:
    """Everything started; it ends cleanly, and has said no more than that its issuer was down when it was."""
    with Process("samples.playground", "--port", "0", "--page-token-lifetime", str(LIFETIME)) as process:
        process.url(90)
        yield process
        assert process.stop() == 0
        assert [line for line in process.errors().splitlines() if " bearward.jwks: " not in line] == []


@pytest.fixture
def api(playground: Process) -> Iterator[Api]:
    """A client."""
    made = Api(playground.url())
    with made.client:
        yield made


@pytest.fixture(scope="package")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    """One browser for all tests that look."""
    with chromium(tmp_path_factory.mktemp("profile")) as page:
        yield page
