"""Behind a proxy that ends mutual TLS, the certificate that a token is bound to is where `client_certificate` says."""

from __future__ import annotations

import ssl
from base64 import b64decode, b64encode
from typing import Any

import pytest

from bearward import ConfigurationError
from bearward.client_certificates import CertificateForm, ForwardedCertificate, ProvingProxy, from_networks
from bearward.testing import LocalIssuer
from bearward_grpc import AuthInterceptor, SyncAuthInterceptor, authenticated
from bearward_grpc.certificates import _peer_address
from tests import certificate_cases
from tests.adapters.grpc.calls import SHAPES, bearer, channel_to
from tests.adapters.grpc.certificates import Authority, Certified
from tests.adapters.grpc.conftest import trust
from tests.adapters.grpc.servers import KINDS, SERVICE, async_echo, serving, sync_echo

RULES = {SERVICE: authenticated}
SERVED = [shape for shape in SHAPES if shape != "unknown method"]
FORMS = [*KINDS, "aio with plain functions"]
HEADER = "x-client-certificate"


def _forwarded(context: Any) -> bytes | None:
    values = [value for name, value in context.invocation_metadata() if name == HEADER]
    return b64decode(values[0]) if len(values) == 1 else None


def _header(certified: Certified) -> tuple[tuple[str, str], ...]:
    return ((HEADER, b64encode(ssl.PEM_cert_to_DER_cert(certified.pem.decode())).decode()),)


@pytest.mark.parametrize("form", FORMS)
def test_bound_token_needs_the_forwarded_certificate(form: str, issuer: LocalIssuer) -> None:
    """The right one is served; another, none and two are refused before the handler runs; unbound tokens as ever."""
    authority = Authority()
    own, other = authority.certify("ada"), authority.certify("mallory")
    bound = bearer(issuer.mint(sub="ada", claims={"cnf": {"x5t#S256": own.thumbprint}}))
    kind = form.partition(" ")[0]
    echo = sync_echo if kind == "sync" or "plain" in form else async_echo
    rows: list[tuple[Any, str | None]] = [
        ((*bound, *_header(own)), None),
        ((*bound, *_header(other)), "token_sender_constrained"),
        ((*bound, *_header(own), *_header(own)), "token_sender_constrained"),
        (bound, "token_sender_constrained"),
        (bearer(issuer.mint(sub="ada")), None),
    ]
    with (
        serving(kind, trust(issuer), RULES, behaviors=echo, client_certificate=_forwarded) as server,
        channel_to(server.target) as channel,
    ):
        for shape in SERVED:
            for metadata, refusal in rows:
                ran = len(server.seen.callers)
                assert SHAPES[shape](channel, metadata).code == refusal
                assert (len(server.seen.callers) == ran) is (refusal is not None)


@pytest.mark.parametrize("form", FORMS)
def test_bug_in_certificate_function_is_not_disclosed(form: str, issuer: LocalIssuer) -> None:
    """Whatever it raises is an internal error with a fixed text."""

    def broken(_: Any) -> bytes | None:
        raise ValueError("a secret of ours")

    kind = form.partition(" ")[0]
    echo = sync_echo if kind == "sync" or "plain" in form else async_echo
    bound = bearer(issuer.mint(sub="ada", claims={"cnf": {"x5t#S256": Authority().certify("ada").thumbprint}}))
    with (
        serving(kind, trust(issuer), RULES, behaviors=echo, client_certificate=broken) as server,
        channel_to(server.target) as channel,
    ):
        for shape in SERVED:
            outcome = SHAPES[shape](channel, bound)
            assert (outcome.code, outcome.details) == ("internal_error", "internal error")


@pytest.mark.parametrize("interceptor", [AuthInterceptor, SyncAuthInterceptor])
def test_non_callable_is_refused(interceptor: Any, issuer: LocalIssuer) -> None:
    """An invalid setting prevents the start."""
    with pytest.raises(ConfigurationError, match="client_certificate"):
        interceptor(trust(issuer), RULES, client_certificate="x-forwarded-client-cert")


@pytest.mark.parametrize("kind", KINDS)
def test_certificate_field_counts_only_from_the_proxy(kind: str, issuer: LocalIssuer) -> None:
    """With `ForwardedCertificate` from the peer's network only: two values are malformed, elsewhere it says nothing."""
    own = Authority().certify("ada")
    bound = bearer(issuer.mint(sub="ada", claims={"cnf": {"x5t#S256": own.thumbprint}}))
    near = ForwardedCertificate("base64-der", only_from=from_networks("127.0.0.0/8", "::1/128"), name=HEADER)
    far = ForwardedCertificate("base64-der", only_from=from_networks("192.0.2.0/24"), name=HEADER)
    twice = (*bound, *_header(own), *_header(own))
    rows: list[tuple[ForwardedCertificate, Any, str | None]] = [
        (near, (*bound, *_header(own)), None),
        (near, twice, "client_certificate_repeated"),
        (near, (*bound, (HEADER, "nonsense")), "client_certificate_malformed"),
        (near, bound, "token_sender_constrained"),
        (far, (*bound, *_header(own)), "token_sender_constrained"),
    ]
    for proxy, metadata, refusal in rows:
        with (
            serving(kind, trust(issuer), RULES, client_certificate=proxy) as server,
            channel_to(server.target) as channel,
        ):
            assert SHAPES[SERVED[0]](channel, metadata).code == refusal


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", certificate_cases.FORMS)
def test_each_row_of_the_table(kind: str, form: CertificateForm, issuer: LocalIssuer) -> None:
    """What the core reads is admitted, and what it refuses is refused by the same code: all that metadata can carry."""
    rows = [case for case in certificate_cases.CERTIFICATE_CASES if case.form == form and case.on_the_wire]
    bound = bearer(issuer.mint(sub="ada", claims={"cnf": {"x5t#S256": certificate_cases.THUMBPRINT}}))
    proxy = ForwardedCertificate(form, only_from=from_networks("127.0.0.0/8", "::1/128"), name=HEADER)
    with (
        serving(kind, trust(issuer), RULES, client_certificate=proxy) as server,
        channel_to(server.target) as channel,
    ):
        codes = {}
        for case in rows:
            metadata = (*bound, *((HEADER, value) for value in case.values))
            codes[str(case)] = SHAPES[SERVED[0]](channel, metadata).code
    assert codes == {str(case): case.expected for case in rows}
    assert len(rows) >= 25


@pytest.mark.parametrize("form", FORMS)
def test_proxy_may_vouch_for_a_certificate(form: str, issuer: LocalIssuer) -> None:
    """`unsafe_binding_proved_by` accepts what that proxy has checked, from its network alone, for all kinds of method."""
    kind = form.partition(" ")[0]
    echo = sync_echo if kind == "sync" or "plain" in form else async_echo
    for networks, refusal in ((("127.0.0.0/8", "::1/128"), None), (("192.0.2.0/24",), "token_sender_constrained")):
        proxy = ProvingProxy("kong", only_from=from_networks(*networks))
        with (
            serving(kind, trust(issuer), RULES, behaviors=echo, unsafe_binding_proved_by=proxy) as server,
            channel_to(server.target) as channel,
        ):
            for shape in SERVED:
                for cnf, expected in (({"x5t#S256": "c"}, refusal), ({"jkt": "k"}, "token_sender_constrained")):
                    bound = bearer(issuer.mint(sub="ada", claims={"cnf": cnf}))
                    assert SHAPES[shape](channel, bound).code == expected


@pytest.mark.parametrize("interceptor", [AuthInterceptor, SyncAuthInterceptor])
def test_proxy_that_vouches_is_stated_completely(interceptor: Any, issuer: LocalIssuer) -> None:
    """Nothing but a `ProvingProxy` is one, and a certificate that is checked here is not given beside it."""
    for options in (
        {"unsafe_binding_proved_by": "kong"},
        {
            "unsafe_binding_proved_by": ProvingProxy("k", only_from=from_networks("::1")),
            "client_certificate": _forwarded,
        },
    ):
        with pytest.raises(ConfigurationError, match="unsafe_binding_proved_by"):
            interceptor(trust(issuer), RULES, **options)


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:50000", "127.0.0.1"),
        ("ipv6:%5B::1%5D:50000", "::1"),
        ("ipv6:[fe80::1%25eth0]:50000", "fe80::1"),
        ("unix:/run/proxy.sock", "unix"),
        ("unix-abstract:proxy", None),
        ("unix:", "unix"),
        ("vsock:1:2", None),
        ("", None),
    ],
)
def test_peer_address_is_parsed(peer: str, address: str | None) -> None:
    """Whatever grpc writes about it: an address, a unix socket, or nothing that is known."""
    assert _peer_address(peer) == address
