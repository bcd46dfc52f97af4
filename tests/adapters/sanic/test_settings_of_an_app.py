"""What an application may choose: rendering, hiding, metadata, realm."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest

from bearward_sanic.app_config import adapter_settings
from tests.adapters.sanic.servers import Server


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda settings: pickle.loads(pickle.dumps(settings))])
def test_settings_are_copied_hashed_and_sent_to_workers(clone: Any) -> None:
    """As are those of an application that was configured in its own process."""
    settings = adapter_settings({}, {"realm": "notes", "rules": {"single": "public"}, "max_token_length": 9000})
    again = clone(settings)
    assert (again, hash(again)) == (settings, hash(settings))


def test_render_refusal_chooses_the_body(serve: Any) -> None:
    """The body and status are the renderer's, a 2xx is not, and the challenge stays."""
    running: Server = serve(render=True)
    answer = running.call("GET", "/whoami")
    assert (answer.status, answer.problem) == (418, {"mine": "credentials_missing"})
    assert answer.challenge == 'Bearer realm="api"'
    assert answer.headers["cache-control"] == "no-store"
    assert running.call("GET", "/private").status == 401
    assert running.call("GET", "/raises", token=running.mint()).status == 418


def test_unknown_routes_may_be_shown(serve: Any) -> None:
    """Without `hide_unknown_routes` an anonymous caller sees 404 and 405, and what a route needs."""
    running: Server = serve(settings={"hide_unknown_routes": False, "realm": 'a "b" \\c'})
    assert running.call("GET", "/nope").status == 404
    assert running.call("POST", "/private").status == 405
    assert running.call("GET", "/scoped").challenge == 'Bearer realm="a \\"b\\" \\\\c", scope="notes:read"'


def test_resource_metadata_lists_issuers(serve: Any) -> None:
    """RFC 9728: the document is public, at the path of the resource, and every challenge names it."""
    running: Server = serve(settings={"resource": "https://api.example/v1", "resource_name": "Notes"})
    answer = running.call("GET", "/.well-known/oauth-protected-resource/v1")
    document = json.loads(answer.body)
    assert document == {
        "resource": "https://api.example/v1",
        "resource_name": "Notes",
        "authorization_servers": [running.issuer.url],
        "bearer_methods_supported": ["header"],
        "scopes_supported": ["admin", "notes:read", "notes:write"],
    }
    url = "https://api.example/.well-known/oauth-protected-resource/v1"
    assert running.call("GET", "/private").challenge == f'Bearer realm="api", resource_metadata="{url}"'


def test_settings_come_from_the_configuration(serve: Any) -> None:
    """`BEARWARD_*` in `app.config` are settings, as the environment would give them."""
    running: Server = serve(
        ext=True,
        config={
            "BEARWARD_REALM": "other",
            "BEARWARD_RULES": {"single": "public", "files": "public", "openapi.*": "public"},
            "BEARWARD_HIDE_UNKNOWN_ROUTES": False,
        },
    )
    assert running.call("GET", "/private").challenge == 'Bearer realm="other"'
    assert running.call("GET", "/single").status == 200
    assert running.call("HEAD", "/single").status == 200
    assert running.call("GET", "/static/a.txt").status == 200
    assert running.call("GET", "/assets/a.txt").status == 401
    assert running.call("GET", "/docs/openapi.json").status == 200


def test_issuer_that_is_down_gives_503(serve: Any, issuer: Any) -> None:
    """Keys that cannot be had are our fault: 503, `Retry-After`, no challenge; and the server runs."""
    from bearward.testing import LocalIssuer
    from tests.adapters.sanic.servers import AUDIENCE, Kind
    from tests.adapters.sanic.servers import Server as OwnServer

    with LocalIssuer(audience=AUDIENCE) as down:
        token = down.mint(sub="ada")
        down.down()
        with OwnServer(Kind(), down, waits_for_keys=False) as running:
            answer = running.call("GET", "/private", token=token)
            assert (answer.status, answer.problem["code"]) == (503, "keys_unavailable")
            assert int(answer.headers["retry-after"]) >= 1
            assert answer.challenge is None
            assert running.call("GET", "/public").status == 200
