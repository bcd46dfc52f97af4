"""On Sanic, the certificate that a token is bound to may be in a field that only the proxy may set."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from typing import Any, cast

import httpx2
import pytest
from sanic import Request
from sanic.response import json

from bearward import ConfigurationError, TrustedIssuer, Verifier
from bearward.client_certificates import (
    CertificateForm,
    ForwardedCertificate,
    ProvingProxy,
    from_networks,
    from_secret,
    from_unix_socket,
)
from bearward.confirmation import certificate_thumbprint
from bearward.testing import LocalIssuer
from bearward_sanic import authenticated, install
from tests.adapters.sanic.in_process import Serving, make_app
from tests.certificate_cases import CERTIFICATE_CASES, FORMS, THUMBPRINT

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


@pytest.mark.parametrize(("only_from", "expected"), [(from_unix_socket(), [200, 401]), (NEAR, [401, 200])])
def test_certificate_field_counts_from_a_unix_socket(only_from: Any, expected: list[int], tmp_path: Path) -> None:
    """Whoever may open the socket's file is the proxy, and is at no address; a peer with an address is not on it."""
    issuer = LocalIssuer(algorithms=["ES256"])
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks={"keys": [issuer.key().public_jwk()]})
    headers = dict([("authorization", f"Bearer {issuer.mint(cnf={'x5t#S256': certificate_thumbprint(DER)})}"), GOOD])
    answers = []
    for unix in (tmp_path / "socket", None):
        app = make_app()
        field = ForwardedCertificate("base64-der", only_from=only_from, name=FIELD)
        install(app, Verifier(trusted), default=authenticated, client_certificate=field)
        app.add_route(_empty, "/")
        transport = httpx2.HTTPTransport(uds=None if unix is None else str(unix))
        with Serving(app, unix=unix) as server, httpx2.Client(transport=transport, timeout=30) as client:
            answers.append(client.get(f"http://127.0.0.1:{server.port or 80}/", headers=headers).status_code)
    assert answers == expected


async def _empty(request: Request) -> Any:
    return json({})


@pytest.mark.parametrize("form", FORMS)
def test_each_row_of_the_table(form: CertificateForm) -> None:
    """What the core reads is admitted here, and what it refuses is refused by the same code: all that HTTP can carry."""
    rows = [case for case in CERTIFICATE_CASES if case.form == form and case.on_the_wire]
    issuer = LocalIssuer(algorithms=["ES256"])
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks={"keys": [issuer.key().public_jwk()]})
    app = make_app()
    field = ForwardedCertificate(form, only_from=NEAR, name=FIELD)
    install(app, Verifier(trusted), default=authenticated, client_certificate=field)

    @app.get("/")
    async def who(request: Request) -> Any:
        return json({"code": request.ctx.principal.proof.certificate})

    token = issuer.mint(cnf={"x5t#S256": THUMBPRINT})
    with Serving(app) as server, httpx2.Client(base_url=f"http://127.0.0.1:{server.port}", timeout=30) as client:
        answers = {}
        for case in rows:
            fields = [("authorization", f"Bearer {token}"), *((FIELD, value) for value in case.values)]
            answers[str(case)] = client.get("/", headers=fields).json()["code"]
    assert answers == {str(case): case.expected or THUMBPRINT for case in rows}
    assert len(rows) >= 25


KONG_SECRET = "a secret of the proxy"
BOUND = {"x5t#S256": "c"}


@pytest.mark.parametrize(
    ("only_from", "cnf", "fields", "expected"),
    [
        (NEAR, BOUND, {}, (200, "certificate c, proved by kong")),
        (FAR, BOUND, {}, (401, "token_sender_constrained")),
        (from_secret("x-kong", KONG_SECRET), BOUND, {"x-kong": KONG_SECRET}, (200, "certificate c, proved by kong")),
        (from_secret("x-kong", KONG_SECRET), BOUND, {"x-kong": KONG_SECRET[:-1]}, (401, "token_sender_constrained")),
        (from_secret("x-kong", KONG_SECRET), BOUND, {}, (401, "token_sender_constrained")),
        (NEAR, {"jkt": "k"}, {}, (401, "token_sender_constrained")),
        (NEAR, {"jkt": "k", **BOUND}, {}, (401, "token_sender_constrained")),
        (NEAR, {"kid": "k"}, {}, (401, "token_sender_constrained")),
        (NEAR, None, {}, (200, "bearer")),
    ],
    ids=["near", "far", "secret", "wrong secret", "no secret", "DPoP key", "both", "another binding", "unbound"],
)
def test_proxy_may_vouch_for_a_certificate(only_from: Any, cnf: Any, fields: dict[str, str], expected: Any) -> None:
    """`unsafe_binding_proved_by` accepts what that proxy has checked, from it alone; a DPoP key still needs its proof."""
    issuer = LocalIssuer(algorithms=["ES256"])
    trusted = TrustedIssuer(issuer.url, audience=issuer.audience, jwks={"keys": [issuer.key().public_jwk()]})
    app = make_app()
    proxy = ProvingProxy("kong", only_from=only_from)
    install(app, Verifier(trusted), default=authenticated, unsafe_binding_proved_by=proxy)

    @app.get("/")
    async def who(request: Request) -> Any:
        return json({"code": str(request.ctx.principal.proof)})

    token = issuer.mint() if cnf is None else issuer.mint(cnf=cnf)
    with Serving(app) as server:
        headers = {"authorization": f"Bearer {token}", **fields}
        answer = httpx2.get(f"http://127.0.0.1:{server.port}/", headers=headers, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == expected
    assert KONG_SECRET not in repr(proxy)
    assert {proxy, ProvingProxy("kong", only_from=only_from)} == {proxy}


def test_proxy_that_vouches_is_stated_completely() -> None:
    """Who it is, how it is known; and not beside a certificate that is checked here."""
    proxy = ProvingProxy("kong", only_from=NEAR)
    field = ForwardedCertificate("xfcc", only_from=NEAR)
    trusted = TrustedIssuer("https://login.example/", audience="a", jwks_uri="https://login.example/jwks")
    for make in (
        lambda: ProvingProxy("k o n g", only_from=NEAR),
        lambda: ProvingProxy("kong", only_from=cast("Any", "10.0.0.0/8")),
        lambda: install(make_app(), Verifier(trusted), unsafe_binding_proved_by="kong"),
        lambda: install(make_app(), Verifier(trusted), unsafe_binding_proved_by=proxy, client_certificate=field),
    ):
        with pytest.raises(ConfigurationError, match="unsafe_binding_proved_by"):
            make()
