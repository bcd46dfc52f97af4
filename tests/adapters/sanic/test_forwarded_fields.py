"""On Sanic, the certificate that a token is bound to may be in a field that only the proxy may set."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import httpx2
import pytest
from sanic import Request
from sanic.response import json

from bearward import TrustedIssuer, Verifier
from bearward.client_certificates import ForwardedCertificate, from_networks
from bearward.confirmation import certificate_thumbprint
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app

DER = b"0\x03\x02\x01\x07"
FIELD = "x-client-cert"
GOOD = (FIELD, b64encode(DER).decode())
NEAR = from_networks("127.0.0.0/8", "::1/128")
FAR = from_networks("192.0.2.0/24")


@pytest.mark.parametrize(
    ("only_from", "fields", "expected"),
    [
        (NEAR, [GOOD], (200, "certificate")),
        (NEAR, [GOOD, GOOD], (400, "client_certificate_repeated")),
        (NEAR, [(FIELD, "nonsense")], (400, "client_certificate_malformed")),
        (NEAR, [(FIELD, b64encode(b"0\x03\x02\x01\x08").decode())], (401, "token_sender_constrained")),
        (NEAR, [], (401, "token_sender_constrained")),
        (FAR, [GOOD], (401, "token_sender_constrained")),
    ],
    ids=["the certificate", "two", "malformed", "another", "none", "from elsewhere"],
)
@pytest.mark.parametrize("scheme", ["Bearer", "mtls_pop"])
def test_certificate_field_counts_only_from_the_proxy(
    only_from: Any, fields: list[tuple[str, str]], expected: Any, scheme: str
) -> None:
    """It counts from the proxy's network, once and well formed; under `mtls_pop` too."""
    issuer = LocalIssuer(algorithms=["ES256"])
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks={"keys": [issuer.key().public_jwk()]})
    app = make_app()
    install(
        app,
        Verifier(trusted),
        default=authenticated,
        client_certificate=ForwardedCertificate("base64-der", only_from=only_from, name=FIELD),
    )

    @app.get("/")
    async def who(request: Request) -> Any:
        return json({"code": str(request.ctx.principal.proof).partition(" ")[0]})

    token = issuer.mint(cnf={"x5t#S256": certificate_thumbprint(DER)})
    with Serving(app) as server:
        headers = [("authorization", f"{scheme} {token}"), *fields]
        answer = httpx2.get(f"http://127.0.0.1:{server.port}/", headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == expected
