"""The public face of the core: every name that is kept stable. All other modules and names are private."""

from __future__ import annotations

import importlib
import inspect
import subprocess
import sys

import pytest

PUBLIC: dict[str, str] = {
    "bearward": """
        Access Actor AuthError AwaitNeededError BearwardError CheckNeededError Clock ConfigurationError CredentialPlace
        Fault Health IssuerResolver JWKSOptions KeysNeededError OAuthError OwnRefusal Principal Refusal Requirement RevocationNotSharedError Revocations
        RightsFrom SenderProof Settings SettingsReloader SharedRevocations SymmetricKey TenantIssuers
        TrustedIssuer UsageError Verifier Watch actor_is any_scope authenticated authorization_detail authorize
        claim deny issuer_is not_delegated optional own_check public recent_authentication requires right rules_from_toml
        same_caller scope sender_constrained tenant_is
    """,
    "bearward.adapters": """
        Access CacheEntry Clock Kind Presented Reporter SCHEMES Scheme SystemClock Watch as_access attributed
        authenticate authenticate_now authorization_refusal authorize awaited_verify_function bearer_token certificate_thumbprint challenge
        challenges check_certificate check_certificate_thumbprint concerning correlation_id is_bound mark_of
        on_unguarded_call presented_token quoted register_gate report_bug resource_metadata_document
        rule_from_toml rules_from_toml same_caller unmarked verify_function
    """,
    "bearward.client_certificates": """
        AllowedSender CertificateForm ForwardedCertificate ProvingProxy from_networks from_secret from_unix_socket
    """,
    "bearward.dpop": """
        DPOP_ALGORITHMS DPoP DPoPNonces LocalReplays Proof PublicOrigins Replays SharedReplays check_proof
        single_proof
    """,
    "bearward.events": """
        Event KeySetChanged KeysRefreshed KeysStateChanged Observer RefreshFailed Refused RevocationStoreDown
        RevocationStoreUp RulesDecided StreamEnded Transport UNKNOWN Verified only
    """,
    "bearward.explanation": """
        Check Explanation Verdict explain
    """,
    "bearward.issuers": """
        IssuerResolver TenantIssuers
    """,
    "bearward.jwks": """
        ChangeAwareSource Discovery FetchError FetchFailure File Freshness HTTPClient HTTPResponse IssuerHealth
        JWKSOptions JWKSStore JWKSURI JWKSet KeyRejection Loaded MetadataKind Source StartError StartMode Static
        Validators
    """,
    "bearward.logs": """
        JSONFormatter LogObserver log_events show_unless_configured
    """,
    "bearward.profiles": """
        apple auth0 authentik aws_alb aws_verified_access check_access_token check_nonce clerk client_assertion cloudflare_access cognito descope
        entra entra_multi_tenant firebase github_actions gitlab google_id_token hydra iap keycloak kubernetes
        oidc_id_token okta rfc9068 spiffe supabase trusted_by_profile workos zitadel zuplo
    """,
    "bearward.revocation": """
        FOREVER Revocation RevocationNotSharedError Revocations SharedRevocations
    """,
    "bearward.telemetry": """
        OTHER Telemetry
    """,
    "bearward.testing": """
        CertificateClient DPoPClient GARBAGE HOSTILE_PROOFS HOSTILE_TOKENS HostileToken LocalIssuer MovableClock
        PolicyMatrix Request Response SigningKey access_token_hash acting_as close_verifier compact json_octets
        json_response principal_with sign_segments tamper
    """,
    "bearward_pytest": """
        ActAs CheckPolicy Mint UseVerifier bearward_as bearward_clock bearward_issuer bearward_issuer_settings
        bearward_policy bearward_token bearward_use_verifier bearward_verifier
    """,
}


@pytest.mark.parametrize("package", PUBLIC)
def test_public_names_never_change(package: str) -> None:
    """A name that users may have imported stays; a new one is written down here. Each is there, and documented."""
    module = importlib.import_module(package)
    assert sorted(module.__all__) == sorted(PUBLIC[package].split())
    for name in module.__all__:
        member = getattr(module, name)
        assert not inspect.ismodule(member)
        if inspect.isclass(member) or inspect.isfunction(member):
            assert inspect.getdoc(member), f"{package}.{name} has no docstring"


def test_misspelt_public_name_is_an_import_error() -> None:
    """A misspelt name fails when it is imported, not when it is used."""
    with pytest.raises(ImportError):
        exec("from bearward import Setting")


def test_importing_the_core_reads_no_configuration() -> None:
    """What is needed for TOML, HTTP or a shared cache is loaded by those who use it."""
    program = (
        "import sys, bearward; late = ('tomllib', 'httpx2', 'aiocache', 'redis', 'bearward.settings'); "
        "print(*[name for name in late if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == []
