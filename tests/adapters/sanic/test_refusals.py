"""The table of refusals is total, and every challenge parses."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sanic.response import text

from bearward import AuthError, Fault, Refusal, TrustedIssuer, Verifier, authenticated
from bearward_sanic import install, problem_response
from bearward_sanic.problem_response import STATUS, RefusalResponses
from tests.adapters.sanic.in_process import Serving, make_app
from tests.adapters.sanic.servers import AUDIENCE

TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
QUOTED = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e]|\\[\t \x21-\x7e])*"'
CHALLENGE = re.compile(rf"{TOKEN}(?: {TOKEN}={QUOTED}(?:, {TOKEN}={QUOTED})*)?")  # RFC 9110 section 11.6.1


@pytest.mark.parametrize("refusal", Refusal)
def test_every_refusal_has_a_status(refusal: Refusal) -> None:
    """Every refusal has the status of its fault, and a response that says its code."""
    status = STATUS[refusal]
    allowed = {Fault.CREDENTIALS: {400, 401}, Fault.PERMISSION: {403}, Fault.SERVICE: {500, 503}}
    assert status in allowed[refusal.fault]
    assert (status == 400) == refusal.is_malformed
    response = RefusalResponses(realm="api", resource_metadata=None).response(AuthError(refusal))
    assert response.body is not None
    document = json.loads(response.body)
    assert (document["code"], document["status"]) == (refusal.code, response.status)
    assert response.content_type == "application/problem+json"
    assert response.headers["cache-control"] == "no-store"
    assert ("retry-after" in response.headers) == (status == 503)
    assert ("www-authenticate" in response.headers) == (refusal.fault is not Fault.SERVICE)
    if refusal.fault is Fault.CREDENTIALS:  # RFC 6750 section 3.1: no error code where no token was presented
        named = refusal not in (Refusal.CREDENTIALS_MISSING, Refusal.BEARER_SCHEME_MISSING)
        assert ('error="' in response.headers["www-authenticate"]) is named


@given(
    st.sampled_from([r for r in Refusal if r.fault is not Fault.SERVICE]),
    st.none() | st.text(),
    st.none() | st.text(),
    st.none() | st.text(),
    st.lists(st.text(), max_size=3).map(tuple),
    st.none() | st.integers(0, 10**9),
)
def test_every_challenge_parses(
    refusal: Refusal,
    realm: str | None,
    metadata: str | None,
    claim: str | None,
    words: tuple[str, ...],
    max_age: int | None,
) -> None:
    """Quotes, backslashes, control characters and non-ASCII in anything leave a header that follows the grammar."""
    error = AuthError(refusal, claim=claim, scopes=words, acr_values=words, max_age=max_age)
    answer = RefusalResponses(realm=realm, resource_metadata=metadata).response(error, words)
    header = answer.headers["www-authenticate"]
    assert CHALLENGE.fullmatch(header), header
    assert header.encode("ascii")


def test_headers_of_a_refusal_are_encoded_once(issuer: Any) -> None:
    """Sanic's way to encode them costs more than the rest of a refusal: all that it adds itself is known here."""
    app = make_app()
    install(app, Verifier(TrustedIssuer(issuer.url, audience=AUDIENCE, jwks=issuer.keys.jwks())), default=authenticated)
    app.add_route(lambda _: text(""), "/", name="home")
    problem_response._ENCODED.clear()
    with Serving(app) as server:
        assert [server.call("GET", "/").status for _ in range(3)] == [401] * 3
    (kept,) = problem_response._ENCODED
    assert dict(kept)["www-authenticate"].startswith("Bearer")
