"""Which tokens pass under which scheme: the table of `bearward.possession`, row by row, and what the principal says."""

from __future__ import annotations

from typing import Any

import pytest

from bearward import AuthError, Principal, Refusal, authorize, scope
from bearward.credentials import SCHEMES, presented_token
from bearward.dpop import DPoP
from bearward.possession import Presented, check_sender
from bearward.sender import BEARER, Scheme, SenderProof, binding_of
from bearward.testing import DPoPClient
from bearward.token_requirements import sender_constrained

NOW = 1_800_000_000.0
ORIGIN = "https://api.example"
CLIENT = DPoPClient(clock=lambda: NOW)
JKT, CERTIFICATE = CLIENT.cnf, {"x5t#S256": "thumbprint"}
ALLOWED, REQUIRED = DPoP(origins=ORIGIN), DPoP(origins=ORIGIN, required=True)
NO_CNF: dict[str, str] | None = None


def check(
    scheme: Scheme, cnf: dict[str, str] | None, *, certificate: str | None = "thumbprint", policy: DPoP | None = ALLOWED
) -> str | SenderProof:
    """How the sender is proven, or the code of the refusal; the proof is always a good one."""
    proofs = [CLIENT.proof("GET", f"{ORIGIN}/x", token="t")]
    presented = Presented(scheme, "t", proofs, "GET", "/x", certificate)
    try:
        return check_sender({} if cnf is None else {"cnf": cnf}, presented, policy, NOW)[0]
    except AuthError as error:
        return error.code


@pytest.mark.parametrize(
    ("scheme", "cnf", "expected"),
    [
        (Scheme.BEARER, NO_CNF, BEARER),
        (Scheme.BEARER, JKT, "token_sender_constrained"),
        (Scheme.BEARER, CERTIFICATE, SenderProof(certificate="thumbprint")),
        (Scheme.BEARER, JKT | CERTIFICATE, "token_sender_constrained"),
        (Scheme.DPOP, NO_CNF, "token_not_bound"),
        (Scheme.DPOP, JKT, SenderProof(jkt=CLIENT.jkt)),
        (Scheme.DPOP, CERTIFICATE, "token_not_bound"),
        (Scheme.DPOP, JKT | CERTIFICATE, SenderProof(jkt=CLIENT.jkt, certificate="thumbprint")),
        (Scheme.MTLS_POP, NO_CNF, "token_not_bound"),
        (Scheme.MTLS_POP, JKT, "token_sender_constrained"),
        (Scheme.MTLS_POP, CERTIFICATE, SenderProof(certificate="thumbprint")),
        (Scheme.MTLS_POP, JKT | CERTIFICATE, "token_sender_constrained"),
    ],
)
def test_scheme_and_binding(scheme: Scheme, cnf: dict[str, str] | None, expected: str | SenderProof) -> None:
    """A bound token is proven as it says, and under the scheme that its proof belongs to."""
    assert check(scheme, cnf) == expected


@pytest.mark.parametrize("certificate", [None, "", "another", "thumbprinT", "thumbprint ", "é"])
@pytest.mark.parametrize(("scheme", "cnf"), [(Scheme.BEARER, CERTIFICATE), (Scheme.DPOP, JKT | CERTIFICATE)])
def test_bound_token_without_its_certificate_is_refused(
    scheme: Scheme, cnf: dict[str, str], certificate: str | None
) -> None:
    """No certificate and another one are refused, with the proof of the other key too."""
    assert check(scheme, cnf, certificate=certificate) == "token_sender_constrained"


def test_required_dpop_refuses_everything_without_a_proof() -> None:
    """Nothing passes without a proof, be it bound to a certificate."""
    assert check(Scheme.BEARER, NO_CNF, policy=REQUIRED) == "sender_constraint_required"
    assert check(Scheme.BEARER, CERTIFICATE, policy=REQUIRED) == "sender_constraint_required"
    assert check(Scheme.DPOP, JKT, policy=REQUIRED) == SenderProof(jkt=CLIENT.jkt)


def test_scheme_dpop_is_unknown_if_dpop_is_off() -> None:
    """A bound token cannot be proven, and the scheme is as good as unknown."""
    assert check(Scheme.DPOP, JKT, policy=None) == "credentials_missing"
    assert check(Scheme.BEARER, JKT, policy=None) == "token_sender_constrained"
    assert check(Scheme.BEARER, NO_CNF, policy=None) == BEARER


@pytest.mark.parametrize(
    "confirmation",
    [
        None,
        {},
        [],
        "jkt",
        1,
        {"jkt": ""},
        {"jkt": 1},
        {"jkt": None},
        {"jkt": "é"},
        {"jwk": {}},
        {"jkt": "k", "kid": "x"},
    ],
    ids=repr,
)
def test_confirmations_that_cannot_be_checked(confirmation: Any) -> None:
    """Whatever is no `jkt` and no `x5t#S256` of visible ASCII refuses the token; nothing of it is skipped."""
    with pytest.raises(AuthError) as caught:
        binding_of({"cnf": confirmation})
    assert caught.value.refusal is Refusal.TOKEN_SENDER_CONSTRAINED


def test_principal_says_how_its_token_was_proven() -> None:
    """A bearer unless a gate has seen a proof; equal only to one that was proven in the same way."""
    principal = Principal({"iss": "https://login.example", "sub": "ada", "scope": "a"}, key_thumbprint="k")
    proven = principal.proven_by(SenderProof(jkt="j"))
    assert (principal.proof, proven.proof) == (BEARER, SenderProof(jkt="j"))
    assert proven.subject == "ada"
    assert proven != principal
    assert proven == principal.proven_by(SenderProof(jkt="j"))
    assert hash(proven) == hash(proven.proven_by(proven.proof))


def test_sender_constrained_refuses_a_bearer() -> None:
    """`sender_constrained()` refuses a bearer, alone and beside a scope; any proof meets it."""
    principal = Principal({"iss": "https://login.example", "scope": "a"}, key_thumbprint="k")
    for requirement in (sender_constrained(), scope("a") & sender_constrained()):
        with pytest.raises(AuthError) as caught:
            authorize(principal, requirement, NOW)
        assert caught.value.refusal is Refusal.SENDER_CONSTRAINT_REQUIRED
        authorize(principal.proven_by(SenderProof(jkt="j")), requirement, NOW)
        authorize(principal.proven_by(SenderProof(certificate="c")), requirement, NOW)
        authorize(principal.proven_by(SenderProof(vouched_by="kong")), requirement, NOW)
    authorize(principal, scope("a") | sender_constrained(), NOW)


def test_proofs_have_a_name() -> None:
    """For events and for pages that explain a decision."""
    assert str(BEARER) == "bearer"
    assert str(SenderProof("j", "c")) == "dpop j, certificate c"
    assert str(SenderProof(vouched_by="kong")) == "proved by kong"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("DPoP a.b.c", (Scheme.DPOP, "a.b.c")),
        ("dpop a.b.c", (Scheme.DPOP, "a.b.c")),
        ("Bearer a.b.c", (Scheme.BEARER, "a.b.c")),
        ("mtls_pop a.b.c", (Scheme.MTLS_POP, "a.b.c")),
        ("  DPoP   a.b.c  ", (Scheme.DPOP, "a.b.c")),
        ("DPoP", "credentials_malformed"),
        ("DPoP ", "credentials_malformed"),
        ("DPoP a b", "credentials_malformed"),
        ("DPoP a,b", "credentials_malformed"),
        ("DPoP\ta", "credentials_missing"),
        ("DPoPs a", "credentials_missing"),
        ("Basic a", "credentials_missing"),
        ("", "credentials_missing"),
    ],
)
def test_authorization_values(value: str, expected: str | tuple[Scheme, str]) -> None:
    """`DPoP` is read as strictly as `Bearer`."""
    try:
        assert presented_token([value.encode()], SCHEMES) == presented_token([value], SCHEMES) == expected
    except AuthError as error:
        assert error.code == expected  # noqa: PT017


def test_only_offered_schemes_are_accepted() -> None:
    """Where DPoP is off, its scheme is one of the unknown ones."""
    with pytest.raises(AuthError) as caught:
        presented_token(["DPoP a"], {b"bearer": Scheme.BEARER})
    assert caught.value.refusal is Refusal.CREDENTIALS_MISSING
