"""What proxies in front assert, and what is no assertion of theirs."""

from __future__ import annotations

from functools import partial

from bearward.profiles import aws_alb, aws_verified_access, cloudflare_access, iap
from tests.profiles.table import Table, no, ok

__all__ = ["TABLES"]

_BACKEND = "/projects/1234567890/global/backendServices/9876543210"
_IAP = Table(
    name="iap",
    trust=partial(iap, audience=_BACKEND),
    header={"alg": "ES256", "typ": "JWT"},
    claims={
        "iss": "https://cloud.google.com/iap",
        "sub": "accounts.google.com:10769150350006150715113082367",
        "email": "ada@example.com",
        "aud": _BACKEND,
        "exp": 600,
        "iat": -1,
        "hd": "example.com",
        "google": {"access_levels": ["accessPolicies/1/accessLevels/a"]},
    },
    others={
        "Google ID token": {"iss": "https://accounts.google.com", "sub": "10769150350006150715113082367"},
    },
    rows=(
        ok("of a person"),
        ok("without a company's domain", without=("hd",)),
        ok("of a service account", email="job@project.iam.gserviceaccount.com", sub="accounts.google.com:1"),
        ok("by a clock that is 20 seconds ahead", iat=20),
        ok("no typ", header={"typ": None}),
        no("token_issued_in_future", "by a clock that is a minute ahead", iat=60),
        no("token_too_old", "of eleven minutes ago", iat=-660, exp=600),
        no("audience_mismatch", "for another backend", aud="/projects/1234567890/global/backendServices/1"),
        no("audience_mismatch", "for another project's backend", aud="/projects/2/global/backendServices/9876543210"),
        no("audience_mismatch", "for an application", aud="/projects/1234567890/apps/notes"),
        no("issuer_untrusted", "Google ID token", base="Google ID token"),
        no("issuer_untrusted", "issuer with a slash", iss="https://cloud.google.com/iap/"),
        no("algorithm_not_allowed", "signed by RS256", header={"alg": "RS256"}),
        no("claim_missing", "without a subject", without=("sub",)),
        no("token_type_not_allowed", "an access token by its typ", header={"typ": "dpop+jwt"}),
    ),
)

_TAG, _OTHER_TAG = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228", "f" * 64
_CLOUDFLARE = Table(
    name="cloudflare_access",
    trust=partial(cloudflare_access, team="notes", applications=_TAG),
    header={"alg": "RS256", "typ": "JWT"},
    claims={
        "aud": [_TAG],
        "email": "ada@example.com",
        "exp": 60,
        "iat": -1,
        "nbf": -1,
        "iss": "https://notes.cloudflareaccess.com",
        "type": "app",
        "identity_nonce": "6ei69kawdKzMIAPF",
        "sub": "7335d417-61da-459d-899c-0a01c76a2f94",
        "country": "US",
    },
    others={
        "service": {
            "sub": "",
            "common_name": "e367826f93b8d71185e03fe518aff3b4.access",
            "email": None,
            "nbf": None,
            "identity_nonce": None,
            "country": None,
        },
    },
    rows=(
        ok("of a person"),
        ok("of a service token", base="service"),
        ok("with claims of the identity provider", custom={"groups": ["readers"]}),
        ok("audience as a string", aud=_TAG),
        no("claim_missing", "of a service token without a name", base="service", common_name=""),
        no("claim_missing", "of nobody", without=("sub",)),
        no("claim_mismatch", "of the login itself, the ID token of the team", type="org"),
        no("claim_missing", "without a type", without=("type",)),
        no("audience_mismatch", "for another application", aud=[_OTHER_TAG]),
        no("audience_mismatch", "for the tag in capitals", aud=[_TAG.upper()]),
        no("issuer_untrusted", "of another team", iss="https://other.cloudflareaccess.com"),
        no("issuer_untrusted", "issuer with a slash", iss="https://notes.cloudflareaccess.com/"),
        no("algorithm_not_allowed", "signed by ES256", header={"alg": "ES256"}),
        no("token_type_not_allowed", "no typ", header={"typ": None}),
    ),
)

_REGION = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app"
_BALANCER = f"{_REGION}/notes/50dc6c495c0c9188"
_IDP = "https://login.example"
_ALB = Table(
    name="aws_alb",
    trust=partial(aws_alb, load_balancer=_BALANCER, issuer=_IDP, clients="notes-web"),
    header={"alg": "ES256"},
    claims={
        "iss": _IDP,
        "client": "notes-web",
        "signer": _BALANCER,
        "exp": 120,
        "sub": "1234567890",
        "email": "ada@example.com",
        "name": "Ada",
    },
    rows=(
        ok("of a person"),
        ok("with typ", header={"typ": "JWT"}),
        ok("of somebody without an e-mail address", without=("email", "name")),
        ok(
            "whose payload repeats what the header says",
            beside={"iss": _IDP, "signer": _BALANCER, "client": "notes-web"},
        ),
        no("payload_malformed", "whose payload says another exp", beside={"exp": 1}),
        no(
            "payload_malformed",
            "whose user says to be another load balancer",
            beside={"signer": f"{_REGION}/other/50dc6c495c0c9188"},
        ),
        no("claim_mismatch", "of another load balancer", signer=f"{_REGION}/other/50dc6c495c0c9188"),
        no(
            "claim_mismatch",
            "of the load balancer of that name in another account",
            signer=_BALANCER.replace("123456789012", "210987654321"),
        ),
        no("claim_mismatch", "of the load balancer of that name, with a slash", signer=f"{_BALANCER}/"),
        no("claim_missing", "without a signer", without=("signer",)),
        no(
            "claim_missing",
            "whose user says to be the load balancer",
            without=("signer",),
            beside={"signer": _BALANCER},
        ),
        no("claim_mismatch", "for another application at the provider", client="other-web"),
        no(
            "claim_missing",
            "whose user says to be of the application",
            without=("client",),
            beside={"client": "notes-web"},
        ),
        no("claim_missing", "whose user says when it ends", without=("exp",), beside={"exp": 4_102_444_800}),
        no("claim_missing", "the ID token of the provider's, by the load balancer's key", without=("client", "signer")),
        no("issuer_untrusted", "issuer with a slash", iss=f"{_IDP}/"),
        no("claim_missing", "whose user says who issued it", without=("iss",), beside={"iss": _IDP}),
        no("algorithm_not_allowed", "signed by RS256", header={"alg": "RS256"}),
        no("algorithm_not_allowed", "of Verified Access, by its algorithm", header={"alg": "ES384"}),
        no("audience_mismatch", "with an audience", aud="https://api.example"),
        no("token_type_not_allowed", "an access token by its typ", header={"typ": "at+jwt"}),
    ),
)

_INSTANCE = "arn:aws:ec2:us-east-1:123456789012:verified-access-instance/vai-abc123xzy321a2b3c"
_VERIFIED_ACCESS = Table(
    name="aws_verified_access",
    trust=partial(aws_verified_access, instance=_INSTANCE, issuer=_IDP),
    header={"alg": "ES384"},
    claims={
        "iss": _IDP,
        "signer": _INSTANCE,
        "exp": 120,
        "sub": "xyzsubject",
        "email": "ada@example.com",
        "email_verified": True,
        "groups": ["Engineering", "finance"],
    },
    rows=(
        ok("of a person"),
        ok("with the context of the request", additional_user_context={"aud": "xxx", "exp": 1}),
        ok(
            "of IAM Identity Center, which gives no groups",
            without=("groups", "email_verified"),
            user={"user_id": "f1"},
        ),
        no("payload_malformed", "whose user says to be another instance", beside={"signer": f"{_INSTANCE}x"}),
        no("claim_mismatch", "of another instance", signer=_INSTANCE[:-1]),
        no(
            "claim_mismatch",
            "of an instance in another account",
            signer=_INSTANCE.replace("123456789012", "210987654321"),
        ),
        no("claim_missing", "without a signer", without=("signer",)),
        no("claim_missing", "whose user says to be the instance", without=("signer",), beside={"signer": _INSTANCE}),
        no("claim_missing", "whose user says when it ends", without=("exp",), beside={"exp": 4_102_444_800}),
        no("claim_missing", "the ID token of the provider's, by the key of the instance", without=("signer",)),
        no("issuer_untrusted", "issuer with a slash", iss=f"{_IDP}/"),
        no("algorithm_not_allowed", "of a load balancer, by its algorithm", header={"alg": "ES256"}),
        no("audience_mismatch", "with an audience", aud="https://api.example"),
        no("token_type_not_allowed", "an access token by its typ", header={"typ": "at+jwt"}),
    ),
)

TABLES = (_IAP, _CLOUDFLARE, _ALB, _VERIFIED_ACCESS)
