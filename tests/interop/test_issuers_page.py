"""What `docs/issuers.md` tells readers to configure: each block is a configuration, and the shapes are checked by it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from bearward import Principal, TrustedIssuer, authorize, claim, right, scope
from bearward.settings import Settings
from tests.interop.manifest import HERE, TOP
from tests.profiles.tables import TABLES

PAGE = (TOP / "docs" / "issuers.md").read_text(encoding="utf-8")
BLOCKS = dict(re.findall(r"^## (.*?)\n.*?^```toml\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE))
SHAPES = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted((HERE / "shapes").glob("*.json"))}


@pytest.mark.parametrize("section", BLOCKS)
def test_documented_block_is_a_valid_configuration(section: str, tmp_path: Path) -> None:
    """It is accepted as it stands, and says whose tokens for whom."""
    file = tmp_path / "settings.toml"
    file.write_text(BLOCKS[section], encoding="utf-8")
    settings = Settings.from_toml(file)
    settings.verifier()
    for issuer in settings.issuers:
        assert isinstance(issuer, TrustedIssuer)
        assert issuer.audience or issuer.client_ids or issuer.keys_are_ours


@pytest.mark.parametrize("shape", SHAPES)
def test_token_shape_has_a_section_sources_and_both_verdicts(shape: str) -> None:
    """A shape brings its own trust only where nothing of it is accepted; each source says what it is the source of."""
    fixture = SHAPES[shape]
    wanted = {token["wanted"] for token in fixture["tokens"]}
    assert (fixture["name"] in BLOCKS) is ("trust" not in fixture) is ("accepted" in wanted)
    assert wanted - {"accepted"}
    assert all(source["url"].startswith("https://") and source["says"] for source in fixture["sources"])


REQUIREMENTS = re.findall(r"^\| (.*?) \| .*? \| (`(?:scope|claim|right).*`) \|$", PAGE, re.MULTILINE)
CLAIMS = {table.name: table.claims for table in TABLES}
POLICIES = {table.name: table.trusted()[0] for table in TABLES}
CALLERS = {
    "Keycloak": SHAPES["keycloak"]["claims"]["of a user"],
    "Entra, of a user": SHAPES["entra-v2"]["claims"]["of a user"],
    "Entra, of an application": SHAPES["entra-v2"]["claims"]["of an application"],
    "Auth0": SHAPES["auth0"]["claims"]["Auth0 profile"],
    "Okta": SHAPES["okta"]["claims"]["of a user"],
    "ZITADEL": CLAIMS["zitadel"],
    "authentik": CLAIMS["authentik"],
    "Hydra": CLAIMS["hydra"],
    "Cognito": CLAIMS["cognito"],
    "Firebase": CLAIMS["firebase"],
    "Supabase": CLAIMS["supabase"],
    "Clerk": CLAIMS["clerk"],
    "WorkOS": CLAIMS["workos"],
    "Descope": CLAIMS["descope"],
    "Google": SHAPES["google"]["claims"]["of a service account"],
    "Kubernetes": SHAPES["kubernetes"]["claims"]["bound"],
    "GitHub Actions": CLAIMS["github_actions"],
    "GitLab": CLAIMS["gitlab"],
    "SPIFFE": CLAIMS["spiffe"],
    "IAP": CLAIMS["iap"],
    "Cloudflare Access": CLAIMS["cloudflare_access"],
    "AWS ALB": CLAIMS["aws_alb"],
    "AWS Verified Access": CLAIMS["aws_verified_access"],
    "RFC 9068": {**CLAIMS["rfc9068"], "roles": ["reader"]},
}


@pytest.mark.parametrize(("issuer", "requirements"), REQUIREMENTS, ids=[issuer for issuer, _ in REQUIREMENTS])
def test_documented_requirement_is_met_by_its_issuers_caller(issuer: str, requirements: str) -> None:
    """Each is Python as it stands, and lets the caller of the shape in."""
    policy = POLICIES.get(issuer.lower())
    names = policy.claim_names if isinstance(policy, TrustedIssuer) else None
    caller = Principal(CALLERS[issuer], key_thumbprint="any key", claim_names=names)
    for written in re.findall(r"`(.*?)`", requirements):
        authorize(caller, eval(written, {"claim": claim, "right": right, "scope": scope}), 0.0)


def test_every_issuer_of_the_table_is_tried() -> None:
    """None was lost to a slip in the table."""
    assert [issuer for issuer, _ in REQUIREMENTS] == list(CALLERS)
