"""Write `docs/issuers.md` from the profiles: one section for each, with what it comes to as settings.

Rules of this file: what is said of an issuer stands in its row in `bearward.profiles.rows`, the example beside it here;
nothing is written into the page by hand. `--check` compares instead of writing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bearward.claim_names import RightsFrom
from bearward.credential_place import CredentialPlace
from bearward.profiles.by_name import trusted_by_profile
from bearward.profiles.profile import Profile
from bearward.profiles.rows import asserters, customers, enterprise, self_hosted, standards, workloads
from bearward.trusted_issuer import TrustedIssuer

TOP = Path(__file__).resolve().parent.parent
PAGE = TOP / "docs" / "issuers.md"
API = "https://api.example"
TENANT, APP = "9122040d-6c67-4c5b-b112-36a304b66dad", "6e74172b-be56-4843-9ff4-e66a39bb12e3"

HEAD = """\
<!-- Written by `make issuers` from bearward.profiles; not by hand. -->
# Issuers: what to configure for each

This page has a section for each issuer that bearward knows by name. A *profile* is a function that takes the few things
that only you know, and returns the policy. `bearward.profiles` has them all:

```python
from bearward import Verifier, profiles

verifier = Verifier(profiles.keycloak(host="keycloak.example", realm="demo", audience="https://api.example"))
```

Besides its own arguments, each takes `leeway`, `max_token_age`, `jwks_options`, `jwks_uri` or `jwks` (a mirror of the
keys), `algorithms` (fewer), `required_claims` and `expected_claims` (more). An option can make a profile stricter, but
never looser. If you need it looser, start from the `TrustedIssuer` below the example: it is written as a settings file
for `Settings.from_toml` ([samples.md](samples.md)), and each field is an argument of `TrustedIssuer` of the same name.
`make interop` runs these very blocks against documents, keys and tokens of that issuer, or of their documented shape
([interop.md](evidence/interop.md)), with only the hosts moved to loopback. `tests/profiles` has a table of tokens for
every profile that it must accept and refuse.

An ID token is for the application that asked for it, and is not a credential for an API. A profile accepts one kind of
token, and its section says what keeps the others out.
"""

RIGHTS = """
| issuer | permissions are in | requirement |
| --- | --- | --- |
"""

FOOT = """
## Active Directory Federation Services

```toml
[[issuers]]
issuer = "http://adfs.example/adfs/services/trust"
jwks_uri = "https://adfs.example/adfs/discovery/keys"
audience = "microsoft:identityserver:7f3e0b6c-2a0f-4c2f-9e7a-0d8f7a1c5b11"
```

There is no profile, because it is not confirmed which claims distinguish its access tokens from its ID tokens. The `iss`
is `access_token_issuer` of the metadata, an identifier that begins with `http://` and from which nothing is fetched. If
`jwks_uri`, `jwks`, `symmetric_keys` or `keys.jwks_file` says where the keys are, an `iss` may be any string: a word, a
URN, an e-mail address. If the keys are discovered from it, it must be an https URL.

## Any number of issuers

`TenantIssuers("https://login.example/{tenant}", audience=…)` trusts every tenant of one provider whose `iss` matches the
template, or only those that `tenants=` names. A resolver, `async def resolver(iss) -> TrustedIssuer | None`, decides for each issuer. Its
positive result is cached for 5 minutes and then refreshed in the background; while the resolver fails, known issuers
stay trusted for another hour. A negative result is cached for 1 minute, and ends what rested on a positive one: cached
tokens, persistent connections and live streams.

One issuer can have several policies if `token_types`, or one of `expected_claims`, tells them apart: one for its access
tokens and one for its ID tokens, say. They share the issuer's keys; which policy a token is for is decided by those
values, and that policy alone judges it.
"""

NOT_SHIPPED = """
## What has no profile

There is a profile only where documents or source code confirm it. These issuers need a `TrustedIssuer`, and somebody who
has seen their tokens:

| issuer | what is not confirmed, or not possible |
| --- | --- |
"""

MISSING = (
    ("Firebase session cookies", "where their keys are; they are certificates, so set `pem_uri`"),
    ("AWS Application Load Balancers in China, Verified Access in GovCloud and China", "where their keys are"),
    (
        "PingFederate",
        "nearly everything is a setting: issuer, audience, the name and the form of the scope claim",
    ),
    ("Microsoft Entra External ID, B2C", "the hosts and the forms of `iss` that are in use"),
    ("Scalekit", "which of two issuers a token has while an environment migrates"),
    ("GitHub Enterprise Cloud with an issuer of its own", "the form of the issuer"),
    ("Buildkite, CircleCI, Terraform Cloud, Vercel, Fly", "their claims; they have discovery, and `aud` as asked for"),
    ("JWTs that a Google service account signs itself", "where the keys of an account are"),
    (
        "WIMSE workload identity tokens",
        "these are not bearer tokens: each comes with a proof of possession, which is not verified",
    ),
)


@dataclass(frozen=True, slots=True)
class Section:
    """A row, and an example of its function; `only` picks one of several policies by its issuer's beginning."""

    row: Profile
    arguments: Mapping[str, Any]
    only: str = ""

    @property
    def policies(self) -> list[TrustedIssuer]:
        """What the example comes to."""
        made = trusted_by_profile(self.row.name, self.arguments)
        return [
            trusted for trusted in made if isinstance(trusted, TrustedIssuer) and trusted.issuer.startswith(self.only)
        ]


_ENTRA = {"tenant": TENANT, "api": APP, "app_id_uri": "api://notes.example"}
SECTIONS = (
    Section(self_hosted.KEYCLOAK, {"host": "keycloak.example", "realm": "demo", "audience": API}),
    Section(enterprise.ENTRA_V2, _ENTRA, only="https://login"),
    Section(enterprise.ENTRA_V1, _ENTRA, only="https://sts"),
    Section(enterprise.AUTH0, {"domain": "my-domain.auth0.com", "audience": API}),
    Section(enterprise.OKTA, {"org": "dev-1.okta.com", "audience": "api://default"}),
    Section(self_hosted.ZITADEL, {"host": "my-instance.zitadel.cloud", "project": "240632459014275073"}),
    Section(self_hosted.AUTHENTIK, {"host": "authentik.example", "application": "notes", "client_id": "x1Yz"}),
    Section(self_hosted.HYDRA, {"issuer": "https://hydra.example/", "audience": API}),
    Section(customers.COGNITO_ACCESS, {"pool": "eu-west-1_a1B2c3D4e", "clients": "3n4b5urk1ft4fl3mg5e62d9ado"}),
    Section(
        customers.COGNITO_ID, {"pool": "eu-west-1_a1B2c3D4e", "clients": "3n4b5urk1ft4fl3mg5e62d9ado", "use": "id"}
    ),
    Section(customers.FIREBASE, {"project": "notes-1a2b3"}),
    Section(customers.SUPABASE, {"project": "abcdefghijklmnopqrst"}),
    Section(customers.CLERK, {"frontend_api": "clerk.notes.example", "origins": "https://notes.example"}),
    Section(customers.APPLE, {"client_id": "example.notes.app"}),
    Section(customers.WORKOS, {"client_id": "client_123456789"}),
    Section(customers.DESCOPE, {"project": "P2abcdefghijklmnopqrstuvwxyz"}),
    Section(
        workloads.GOOGLE,
        {"audience": "https://notes.example", "emails": "notes@project.iam.gserviceaccount.com", "legacy_iss": True},
    ),
    Section(workloads.KUBERNETES, {"issuer": "https://kubernetes.default.svc.cluster.local", "audience": API}),
    Section(workloads.GITHUB_ACTIONS, {"audience": API, "repository_ids": "456789"}),
    Section(workloads.GITLAB, {"audience": API, "project_ids": "22"}),
    Section(
        workloads.SPIFFE,
        {"trust_domain": "example.org", "bundle": "https://spire.example/bundle", "audience": API},
    ),
    Section(workloads.ZUPLO, {"host": "my-api-a32f34.zuplo.api", "audience": API}),
    Section(asserters.IAP, {"audience": "/projects/1234567890/global/backendServices/9876543210"}),
    Section(
        asserters.CLOUDFLARE_ACCESS,
        {"team": "notes", "applications": "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"},
    ),
    Section(
        asserters.AWS_ALB,
        {
            "load_balancer": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/notes/50dc6c495c0c9188",
            "issuer": "https://login.example",
            "clients": "3n4b5urk1ft4fl3mg5e62d9ado",
        },
    ),
    Section(
        asserters.AWS_VERIFIED_ACCESS,
        {
            "instance": "arn:aws:ec2:us-east-1:123456789012:verified-access-instance/vai-abc123xzy321a2b3c",
            "issuer": "https://login.example",
        },
    ),
    Section(standards.RFC9068, {"issuer": "https://login.example", "audience": API}),
    Section(standards.OIDC_ID_TOKEN, {"issuer": "https://login.example", "client_id": "notes-web"}),
    Section(
        standards.CLIENT_ASSERTION,
        {
            "client_id": "notes-web",
            "audience": "https://login.example",
            "jwks_uri": "https://notes.example/.well-known/jwks.json",
        },
    ),
)


def main() -> int:
    """Write the page, or compare."""
    text = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.read_text(encoding="utf-8") if PAGE.is_file() else ""
        if current != text:
            print("docs/issuers.md is not what `make issuers` makes of the profiles")
        return int(current != text)
    PAGE.write_text(text, encoding="utf-8")
    print("wrote docs/issuers.md")
    return 0


def page() -> str:
    """The whole page."""
    rights = "".join(
        f"| {right.caller} | {right.where} | {_as_code(right.requirement)} |\n"
        for section in SECTIONS
        for right in section.row.rights
    )
    missing = "".join(f"| {issuer} | {why} |\n" for issuer, why in MISSING)
    return "".join((HEAD, RIGHTS, rights, *map(_section, SECTIONS), NOT_SHIPPED, missing, FOOT))


def _as_code(requirements: str) -> str:
    """One code span for each requirement; those are separated by a comma that stands outside of all brackets."""
    return ", ".join(f"`{part}`" for part in requirements.replace("), ", ")\n").split("\n"))


def _section(section: Section) -> str:
    row = section.row
    facts = (
        ("Accepts", f"{row.kind.value}; {_algorithms(row)}."),
        ("Audience", f"{_flat(row.audience)}."),
        ("Caller", f"{_code_unless_prose(row.subject)}."),
        ("Client", f"{_code_unless_prose(row.client)}." if row.client else "not named."),
        ("Distinguished by", _flat(row.apart)),
    )
    listed = "\n".join(f"- {name}: {what}" for name, what in facts)
    notes = f"\n{row.notes}\n" if row.notes else ""
    sources = "".join(f"- [{s.title}]({s.url}), {s.certainty.value}: {_flat(s.says)}\n" for s in row.sources)
    return (
        f"\n## {row.title}\n\n```python\nprofiles.{_call(section)}\n```\n\n```toml\n{_toml(section)}```\n\n"
        f"{listed}\n{notes}\nSources:\n\n{sources}"
    )


def _code_unless_prose(text: str) -> str:
    return _flat(text) if " " in text or "`" in text else f"`{text}`"


def _algorithms(row: Profile) -> str:
    types = ", ".join("none" if name is None else f"`{name}`" for name in row.token_types)
    return f"signed by {', '.join(row.algorithms)}; `typ`: {types}"


def _call(section: Section) -> str:
    arguments = ", ".join(
        f"{name}={json.dumps(value) if not isinstance(value, bool) else value}"
        for name, value in section.arguments.items()
    )
    return f"{section.row.name}({arguments})"


def _flat(text: str) -> str:
    return " ".join(text.split())


def _toml(section: Section) -> str:
    return "\n".join("[[issuers]]\n" + "".join(_settings(policy)) for policy in section.policies)


def _settings(policy: TrustedIssuer) -> Iterator[str]:
    yield f"issuer = {_value(policy.issuer)}\n"
    if policy.jwks_uri is not None:
        yield f"jwks_uri = {_value(policy.jwks_uri)}\n"
    if policy.pem_uri is not None:
        yield f"pem_uri = {_value(policy.pem_uri)}\n"
    if policy.audience:
        yield f"audience = {_value(_one_or_all(policy.audience))}\n"
    if policy.client_ids:
        yield f"client_ids = {_value(sorted(policy.client_ids))}\n"
    yield f"algorithms = {_value(sorted(policy.algorithms))}\n"
    yield f"token_types = {_value(sorted(name or '' for name in policy.token_types))}\n"
    by_age = {"iat"} if policy.max_token_age else set()
    required = [name for name in policy.required_claims if name not in {"exp", *by_age}]
    if required:
        yield f"required_claims = {_value(required)}\n"
    if policy.expected_claims:
        pairs = ", ".join(
            f"{_key(name)} = {_value(_single(values))}" for name, values in policy.expected_claims.items()
        )
        yield f"expected_claims = {{ {pairs} }}\n"
    yield from _further(policy)


def _further(policy: TrustedIssuer) -> Iterator[str]:
    for name in ("refused_claims", "authorized_parties", "subject_claim"):
        several = getattr(policy, name)
        if several:
            yield f"{name} = {_value(list(several) if name == 'subject_claim' else sorted(several))}\n"
    if policy.client_claim is not None:
        yield f"client_claim = {_value(policy.client_claim)}\n"
    yield from _rights(policy)
    yield "keys_are_ours = true\n" if policy.keys_are_ours else ""
    yield 'single_use = true\nsender = "bearer"\n' if policy.single_use else ""
    if policy.place is not None:
        yield f"place = {{ {_place(policy.place)} }}\n"
    for name in ("leeway", "max_token_age"):
        seconds = getattr(policy, name)
        if seconds:
            yield f"{name} = {seconds:g}\n"


def _place(place: CredentialPlace) -> str:
    parts = {"header": place.header, "padded": place.padded, "header_claims": list(place.header_claims)}
    return ", ".join(f"{name} = {_value(value)}" for name, value in parts.items() if value)


def _rights(policy: TrustedIssuer) -> Iterator[str]:
    if policy.rights:
        yield f"rights = [{', '.join(map(_right, policy.rights))}]\n"


def _right(source: RightsFrom) -> str:
    claim = list(source.claim) if isinstance(source.claim, tuple) else source.claim
    parts = {"claim": claim, "prefix": source.prefix, "flag": source.flag}
    given = {name: value for name, value in parts.items() if value}
    if len(given) == 1:
        return _value(claim)
    return "{ " + ", ".join(f"{name} = {_value(value)}" for name, value in given.items()) + " }"


def _one_or_all(names: Any) -> Any:
    return _single(tuple(sorted(names)))


def _single(values: tuple[Any, ...]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _key(name: str) -> str:
    return name if name.replace("_", "").isalnum() else json.dumps(name)


def _value(value: Any) -> str:
    return json.dumps(value)


if __name__ == "__main__":
    raise SystemExit(main())
