"""The token endpoint of `LocalIssuer`: RFC 6749's client credentials grant, and each of its errors."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest

from bearward.testing import LocalIssuer

GRANT = {"grant_type": "client_credentials"}
SECRET = "s+cr t:ü"


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """One that knows its clients."""
    with LocalIssuer(algorithms=["ES256"], clients={"ada": SECRET}, scopes=["a", "b"]) as local:
        yield local


@pytest.fixture(scope="module")
def open_issuer() -> Iterator[LocalIssuer]:
    """One that gives a token to whoever asks."""
    with LocalIssuer(algorithms=["ES256"]) as local:
        yield local


def test_token_endpoint_mints_for_the_client(issuer: LocalIssuer) -> None:
    """The token names the client as its subject (RFC 9068 section 2.2), and is never cached (RFC 6749 section 5.1)."""
    form = {**GRANT, "client_id": "ada", "client_secret": SECRET, "scope": "b a b"}
    answer = httpx2.post(issuer.token_endpoint, data=form)
    body = answer.json()
    claims = _claims(body.pop("access_token"))
    assert body == {"token_type": "Bearer", "expires_in": 300, "scope": "b a"}
    assert (claims["sub"], claims["client_id"], claims["scope"], claims["aud"]) == (
        "ada",
        "ada",
        "b a",
        issuer.audience,
    )
    assert (answer.headers["cache-control"], answer.headers["pragma"]) == ("no-store", "no-cache")


def test_web_page_is_granted_nothing(open_issuer: LocalIssuer) -> None:
    """Not by a form, nor by a script of a page whose name was made to lead here: only a browser sends `Origin`."""
    host = f"evil.example:{open_issuer.port}"
    headers = {"origin": f"http://{host}", "host": host}
    answer = httpx2.post(open_issuer.token_endpoint, data=GRANT, headers=headers)
    assert (answer.status_code, "access_token" in answer.text) == (403, False)


def test_http_basic_is_form_encoded_first(issuer: LocalIssuer) -> None:
    """RFC 6749 section 2.3.1: a secret with a colon, a blank and an umlaut gets through."""
    answer = httpx2.post(issuer.token_endpoint, data=GRANT, auth=("ada", "s%2Bcr+t%3A%C3%BC"))
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("form", "audience"),
    [
        ({}, "https://api.example"),
        ({"resource": "https://one.example"}, "https://one.example"),
        ({"audience": "one"}, "one"),
        ({"resource": ["https://one.example", "https://two.example"]}, ["https://one.example", "https://two.example"]),
    ],
)
def test_token_endpoint_mints_the_requested_audience(
    open_issuer: LocalIssuer, form: dict[str, Any], audience: Any
) -> None:
    """RFC 8707: `resource`, once or several times; or `audience`, as many issuers have it."""
    token = httpx2.post(open_issuer.token_endpoint, data={**GRANT, **form}).json()["access_token"]
    assert _claims(token)["aud"] == audience


def test_shorter_lifetime_can_be_requested(open_issuer: LocalIssuer) -> None:
    """For trying out what happens when a token expires; never a longer one."""
    body = httpx2.post(open_issuer.token_endpoint, data={**GRANT, "lifetime": "7"}).json()
    claims = _claims(body["access_token"])
    assert (body["expires_in"], claims["exp"] - claims["iat"]) == (7, 7)
    for wrong in ("301", "0", "-1", "x", "9" * 5000):
        answer = httpx2.post(open_issuer.token_endpoint, data={**GRANT, "lifetime": wrong})
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


ADA = {**GRANT, "client_id": "ada", "client_secret": SECRET}
REFUSED = [
    ({**ADA, "client_secret": "wrong"}, 401, "invalid_client"),
    ({**ADA, "client_id": "bob"}, 401, "invalid_client"),
    (GRANT, 401, "invalid_client"),
    ({**ADA, "grant_type": ""}, 400, "invalid_request"),
    ({**ADA, "grant_type": "password"}, 400, "unsupported_grant_type"),
    ({**ADA, "grant_type": ["client_credentials"] * 2}, 400, "invalid_request"),
    ({**ADA, "scope": "c"}, 400, "invalid_scope"),
    ({**ADA, "scope": "a  b"}, 400, "invalid_scope"),
    ({**ADA, "scope": 'a"'}, 400, "invalid_scope"),
    ({**ADA, "resource": "nothing"}, 400, "invalid_target"),
    ({**ADA, "resource": "https://one.example#x"}, 400, "invalid_target"),
]


@pytest.mark.parametrize(("form", "status", "error"), REFUSED)
def test_invalid_token_request_is_refused(issuer: LocalIssuer, form: dict[str, Any], status: int, error: str) -> None:
    """Each error of RFC 6749 section 5.2 and RFC 8707 section 2, with its status, never cached."""
    answer = httpx2.post(issuer.token_endpoint, data=form)
    assert (answer.status_code, answer.json()["error"]) == (status, error)
    assert answer.headers["cache-control"] == "no-store"
    assert ("www-authenticate" in answer.headers) is (status == 401)


@pytest.mark.parametrize("credentials", ["Basic", "Basic !", "Basic YWRh", "Bearer x", "Basic /w=="])
def test_invalid_client_credentials_are_refused(issuer: LocalIssuer, credentials: str) -> None:
    """Whatever stands in the header: invalid_client."""
    answer = httpx2.post(issuer.token_endpoint, data=GRANT, headers={"authorization": credentials})
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_two_ways_of_authentication_are_refused(issuer: LocalIssuer) -> None:
    """RFC 6749 section 2.3: a client must not use more than one."""
    answer = httpx2.post(issuer.token_endpoint, data=ADA, auth=("ada", SECRET))
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("content", "media_type"),
    [(b"\xff", "application/x-www-form-urlencoded"), (b"{}", "application/json"), (b"a=1&" * 60, None)],
)
def test_body_that_is_not_a_form_is_refused(issuer: LocalIssuer, content: bytes, media_type: str | None) -> None:
    """Bytes, another media type, too many fields: invalid_request."""
    headers = {"content-type": media_type or "application/x-www-form-urlencoded"}
    answer = httpx2.post(issuer.token_endpoint, content=content, headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


def test_get_is_refused(issuer: LocalIssuer) -> None:
    """RFC 6749 section 3.2: the client must use POST."""
    answer = httpx2.get(issuer.token_endpoint)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def _claims(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
