"""Profiles of proxies in front that assert who calls."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Unpack

from bearward.errors import ConfigurationError
from bearward.profiles.arguments import issuer_url, label, several, text
from bearward.profiles.build import Options, policy
from bearward.profiles.rows.asserters import AWS_ALB, AWS_VERIFIED_ACCESS, CLOUDFLARE_ACCESS, IAP
from bearward.trusted_issuer import TrustedIssuer

__all__ = ["aws_alb", "aws_verified_access", "cloudflare_access", "iap"]

_IAP_AUDIENCE = re.compile(r"/projects/[0-9]+/(?:global/backendServices/[0-9]+|apps/[a-z0-9.:-]+)")
_IAP_EXAMPLE = "/projects/1234567890/global/backendServices/9876543210"
_ARN = re.compile(
    r"arn:(?P<partition>aws|aws-cn|aws-us-gov):(?P<service>[a-z0-9]+):(?P<region>[a-z]{2}(?:-[a-z]+)+-[0-9])"
    r":[0-9]{12}:(?P<resource>[A-Za-z0-9/-]+)"
)
_BALANCER = "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/orders/50dc6c495c0c9188"
_INSTANCE = "arn:aws:ec2:us-east-1:123456789012:verified-access-instance/vai-abc123xzy321a2b3c"
_CLIENT = "3n4b5urk1ft4fl3mg5e62d9ado"
_AUD_TAG = re.compile(r"[0-9a-f]{64}")
_AUD_EXAMPLE = "32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"


def iap(*, audience: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """What Google's Identity-Aware Proxy asserts, in `x-goog-iap-jwt-assertion`. Raises `ConfigurationError`.

    >>> iap(audience="/projects/1234567890/apps/notes-1a2b3").place.header
    'x-goog-iap-jwt-assertion'
    """
    services = several("audience", audience, _IAP_EXAMPLE, _iap_audience)
    given: Options = {"leeway": 30.0, "max_token_age": 600.0, **options}
    return policy(IAP, {}, given, audience=services)


def cloudflare_access(*, team: str, applications: str | Collection[str], **options: Unpack[Options]) -> TrustedIssuer:
    """What Cloudflare Access asserts, in `Cf-Access-Jwt-Assertion`, for applications by their AUD tags.

    Raises `ConfigurationError`.

    >>> cloudflare_access(
    ...     team="notes", applications="32eafc7626e974616deaf0dc3ce63d7bcbed58a2731e84d06bc3cdf1b53c4228"
    ... ).issuer
    'https://notes.cloudflareaccess.com'
    """
    name = label("team", team, "notes")
    if "." in name:
        raise ConfigurationError("team", "must be the team's name alone, without a domain: 'notes'")
    tags = several("applications", applications, _AUD_EXAMPLE, _aud_tag)
    return policy(CLOUDFLARE_ACCESS, {"team": name.lower()}, options, audience=tags)


def aws_alb(
    *,
    load_balancer: str,
    issuer: str,
    clients: str | Collection[str],
    **options: Unpack[Options],
) -> TrustedIssuer:
    """What an AWS Application Load Balancer asserts, in `x-amzn-oidc-data`, of the users of an identity provider.

    `load_balancer` is its ARN, which also says in what region its keys are; `issuer` and `clients` are the provider's `iss`
    and your client ids there. Raises `ConfigurationError`.

    >>> aws_alb(
    ...     load_balancer="arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/orders/50dc6c495c0c9188",
    ...     issuer="https://login.example", clients="3n4b5urk1ft4fl3mg5e62d9ado"
    ... ).pem_uri
    'https://public-keys.auth.elb.eu-west-1.amazonaws.com/{kid}'
    """
    region = _region_of("load_balancer", load_balancer, _BALANCER, ("elasticloadbalancing", "loadbalancer/app/"))
    keys = f"public-keys.auth.elb.{region}.amazonaws.com"
    if region.startswith("us-gov-"):
        keys = f"s3-{region}.amazonaws.com/aws-elb-public-keys-prod-{region}"
    elif region.startswith("cn-"):
        raise ConfigurationError("load_balancer", "must not be of a region in China: where its keys are is not known")
    parts = {"issuer": issuer_url("issuer", issuer, "https://login.example"), "keys": keys}
    known = several("clients", clients, _CLIENT)
    return policy(AWS_ALB, parts, options, client_ids=known, expected_claims={"signer": (load_balancer,)})


def aws_verified_access(*, instance: str, issuer: str, **options: Unpack[Options]) -> TrustedIssuer:
    """What AWS Verified Access asserts, in `x-amzn-ava-user-context`, of the users of a trust provider.

    `instance` is the ARN of the Verified Access instance, which also says in what region its keys are; `issuer` is the
    `iss` of the trust provider. Raises `ConfigurationError`.

    >>> aws_verified_access(
    ...     instance="arn:aws:ec2:us-east-1:123456789012:verified-access-instance/vai-abc123xzy321a2b3c",
    ...     issuer="https://login.example",
    ... ).place.header
    'x-amzn-ava-user-context'
    """
    region = _region_of("instance", instance, _INSTANCE, ("ec2", "verified-access-instance/"))
    if region.startswith(("us-gov-", "cn-")):
        raise ConfigurationError("instance", "must not be of GovCloud or China: where its keys are is not known")
    parts = {"issuer": issuer_url("issuer", issuer, "https://login.example"), "region": region}
    return policy(AWS_VERIFIED_ACCESS, parts, options, client_ids=instance, expected_claims={"signer": (instance,)})


def _region_of(setting: str, value: object, example: str, kind: tuple[str, str]) -> str:
    """The region in an ARN of this service and sort of resource."""
    match = _ARN.fullmatch(text(setting, value, example))
    if match is None or match["service"] != kind[0] or not match["resource"].startswith(kind[1]):
        raise ConfigurationError(setting, f"must be an ARN such as {example!r}")
    return match["region"]


def _iap_audience(setting: str, value: object, example: str) -> str:
    audience = text(setting, value, example)
    if not _IAP_AUDIENCE.fullmatch(audience):
        raise ConfigurationError(setting, f"must be a backend service or application by number, such as {example!r}")
    return audience


def _aud_tag(setting: str, value: object, example: str) -> str:
    tag = text(setting, value, example)
    if not _AUD_TAG.fullmatch(tag):
        raise ConfigurationError(setting, f"must be the application's AUD tag, 64 hexadecimal digits: {example!r}")
    return tag
