"""A persistent connection is remembered, never trusted: its token is checked again by every request."""

from __future__ import annotations

import base64
import hashlib
import http.client
import json
import time
from typing import Any

from bearward_sanic import current_principal
from tests.adapters.sanic.servers import Server


def _ask(connection: http.client.HTTPConnection, token: str | None, path: str = "/whoami") -> tuple[int, bytes]:
    connection.request("GET", path, headers={} if token is None else {"Authorization": f"Bearer {token}"})
    response = connection.getresponse()
    return response.status, response.read()


def test_remembered_token_is_verified_by_every_request(slow_server: Server) -> None:
    """On one connection: the same token, another caller's, none, a bad one, and one that has expired meanwhile."""
    expires = time.time() + 1
    ada, eve = slow_server.mint("ada", exp=expires), slow_server.mint("eve")
    connection = http.client.HTTPConnection("127.0.0.1", slow_server.port, timeout=30)
    for _ in range(4):
        assert b'"ada"' in _ask(connection, ada)[1]
    assert b'"eve"' in _ask(connection, eve)[1]
    assert _ask(connection, None)[0] == 401
    assert _ask(connection, ada[:-8] + "AAAAAAAA")[0] == 401
    for _ in range(4):
        assert b'"ada"' in _ask(connection, ada)[1]
        assert _ask(connection, ada, "/scoped")[0] == 403
    time.sleep(max(0.0, expires - time.time()) + 0.01)
    for _ in range(3):
        status, body = _ask(connection, ada)
        assert status == 401
        assert b"token_expired" in body
    connection.close()


def test_recent_refusal_is_repeated_on_the_connection(slow_server: Server) -> None:
    """The same bad token on one connection gets the same refusal each time, and lets no other token down."""
    good = slow_server.mint("ada")
    bad = {good[:-8] + "AAAAAAAA": b"signature_invalid", slow_server.mint(exp=1): b"token_expired"}
    connection = http.client.HTTPConnection("127.0.0.1", slow_server.port, timeout=30)
    for token, code in bad.items():
        for path in ("/whoami", "/whoami", "/private", "/nope", "/whoami"):
            status, body = _ask(connection, token, path)
            assert (status, code in body) == (401, True)
        assert _ask(connection, good)[0] == 200
    connection.close()


def test_bodies_are_read_on_remembered_connections(server: Server) -> None:
    """On one connection, with one token: with a body and without, by each kind of handler; and never without the token."""
    token = server.mint("ada")
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    for path in ("/upload", "/upload-stream", "/upload"):
        for body in (b"", b"four", b"a little more", b""):
            connection.request("POST", path, body=body, headers={"Authorization": f"Bearer {token}"})
            response = connection.getresponse()
            assert (response.status, json.loads(response.read())["length"]) == (200, len(body))
    connection.request("POST", "/upload", body=b"four")
    refused = connection.getresponse()
    assert (refused.status, json.loads(refused.read())["code"]) == (401, "credentials_missing")
    connection.close()


def test_bound_token_needs_its_certificate(serve: Any) -> None:
    """A token that is bound to a certificate is worth nothing without that, remembered or not."""
    certificate = b"a certificate"
    thumbprint = base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()
    running: Server = serve(certificates=True)
    token = running.mint(cnf={"x5t#S256": thumbprint})
    for sent, status in [(certificate.hex(), 200), (b"another".hex(), 401), (None, 401), (certificate.hex(), 200)]:
        headers = {} if sent is None else {"X-Test-Certificate": sent}
        assert running.call("GET", "/private", token=token, headers=headers).status == status
    assert running.call("GET", "/private", token=running.mint()).status == 200
    unproven: Server = serve()
    answer = unproven.call("GET", "/private", token=token)
    assert (answer.status, answer.problem["code"]) == (401, "token_sender_constrained")


def test_late_route_is_denied_until_refresh(serve: Any) -> None:
    """A route that is added while the server runs is nobody's until the rules are resolved again."""
    running: Server = serve()
    token = running.mint(scope="notes:read")
    assert running.call("POST", "/grow").status == 204
    assert running.call("GET", "/grown").status == 401
    answer = running.call("GET", "/grown", token=token)
    assert (answer.status, answer.problem["code"]) == (403, "no_rule")
    again: Server = serve()
    assert again.call("POST", "/grow?refresh=1").status == 204
    assert again.call("GET", "/grown", token=token).status == 200
    assert again.call("GET", "/grown").status == 401


def test_current_principal_is_none_outside_a_request() -> None:
    """`current_principal` is None if there is no request."""
    assert current_principal() is None
