"""The blocks of the how-to pages do what their pages say, against real issuers, servers and stores."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from bearward import AuthError, ConfigurationError, Settings, TrustedIssuer, profiles
from bearward.testing import LocalIssuer
from tests.conftest import Run
from tests.core.jwks.cache_servers import Valkey
from tests.site.pages import TOP, blocks, serving

pytestmark = pytest.mark.thorough

AUDIENCE = "https://api.example"
MIGRATE = blocks("how-to/migrate.md")
DRILL = blocks("how-to/key-rotation.md")
NEEDS = {"authlib-before": "authlib", "sanic-jwt-before": "sanic_jwt"}


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """The issuer in place of the one that a page names."""
    with LocalIssuer(audience=AUDIENCE) as issuer:
        yield issuer


def _names(code: str, **given: Any) -> dict[str, Any]:
    names = {"__name__": "page", **given}
    exec(compile(code, "how-to", "exec"), names)
    return names


def _given(issuer: LocalIssuer) -> dict[str, Any]:
    return {"ISSUER": issuer.url, "JWKS_URI": issuer.jwks_uri, "OLD_SECRET": bytes(range(32))}


@pytest.mark.parametrize("name", MIGRATE)
def test_blocks_about_migration_compile(name: str) -> None:
    """What others' libraries are used for, and what replaces it, is Python."""
    compile(MIGRATE[name], name, "exec")


@pytest.mark.parametrize("name", ["jose-before", "pyjwt-before", "authlib-before"])
def test_code_to_migrate_from_accepts_a_good_token(name: str, issuer: LocalIssuer) -> None:
    """What the page says one may have works: it is what is replaced, not a straw man."""
    module = NEEDS.get(name, "jose")
    if importlib.util.find_spec(module) is None:
        pytest.skip(f"{module} is not installed here; the block was compiled")
    names = _names(MIGRATE[name], **_given(issuer))
    arguments = (issuer.mint(sub="ada"), issuer.keys.jwks())[: 1 if name == "pyjwt-before" else 2]
    assert names["who"](*arguments) == "ada"


@pytest.mark.parametrize("name", ["jose-after", "pyjwt-after", "authlib-after"])
def test_code_to_migrate_to_accepts_good_tokens_only(name: str, issuer: LocalIssuer, run: Run) -> None:
    """What replaces it accepts the same token, and refuses an expired one and one for another audience."""
    names = _names(MIGRATE[name], **_given(issuer))

    async def judged() -> list[str]:
        found = []
        async with names["verifier"]:
            for claims in ({}, {"expires_in": -9}, {"aud": "https://other.example"}):
                try:
                    found.append(await names["who"](issuer.mint(sub="ada", scope="orders:read", **claims)))
                except AuthError as refused:
                    found.append(refused.code)
        return found

    assert run(judged()) == ["ada", "token_expired", "audience_mismatch"]


def test_sanic_jwt_is_replaced(issuer: LocalIssuer, tmp_path: Path) -> None:
    """The guarded route serves a token with the scope, and no other."""
    code = f"ISSUER = {issuer.url!r}\n" + MIGRATE["sanic-jwt-after"]
    assert _statuses(code, tmp_path, "/orders", [issuer.mint(scope="orders:read"), issuer.mint(), None]) == [
        200,
        403,
        401,
    ]


def test_old_secret_is_accepted_beside_the_issuer(issuer: LocalIssuer, run: Run) -> None:
    """While both run, tokens of the old secret and of the issuer are accepted."""
    names = _names(MIGRATE["both"], **_given(issuer))
    old = issuer.mint(key=bytes(range(32)), iss="https://orders.example", sub="bob", kid=None)

    async def judged() -> list[str | None]:
        async with names["verifier"] as verifier:
            return [(await verifier.verify(token)).subject for token in (old, issuer.mint(sub="ada"))]

    assert run(judged()) == ["bob", "ada"]


def test_migrated_hono_backend(tmp_path: Path) -> None:
    """Keys below the issuer's path are found, and the route serves the gateway's tokens only."""
    code = blocks("how-to/migrate-from-hono.md")["service"]
    policy = 'profiles.zuplo(host="my-api.zuplo.example", audience="https://api.example")'
    assert policy in code
    with LocalIssuer(algorithms=["RS256"]) as issuer:
        real: TrustedIssuer = profiles.zuplo(host="my-api.zuplo.example", audience=AUDIENCE)
        good = issuer.mint(policy=issuer.stand_in_for(real))
        here = policy.replace(")", f', jwks_uri="{issuer.jwks_uri}")')
        assert _statuses(code.replace(policy, here), tmp_path, "/protected", [good, issuer.mint(), None]) == [
            200,
            401,
            401,
        ]


def _statuses(code: str, folder: Path, path: str, tokens: list[str | None]) -> list[int]:
    with serving(code, folder) as address, httpx2.Client() as client:
        headers = [{"authorization": f"Bearer {token}"} if token else {} for token in tokens]
        return [client.get(address + path, headers=one).status_code for one in headers]


@pytest.mark.parametrize(
    ("drill", "result"),
    [
        ("planned", (2,)),
        ("stolen", ("key_withdrawn", "key_unknown")),
        ("revoked", ("token_revoked",)),
        ("early", (["key_unknown", "accepted", "accepted"],)),
    ],
)
def test_key_rotation_drill(drill: str, result: tuple[Any, ...], run: Run) -> None:
    """Each drill ends as its section says."""
    assert run(_names("\n".join(DRILL.values()))[drill]()) in result


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A store for a fleet."""
    server = Valkey(tmp_path)
    server.start()
    yield server
    server.stop()


MEMBER = """
import asyncio, os, sys
exec(sys.stdin.read())
async def main():
    async with verifier:
        print((await verifier.verify(os.environ["TOKEN"])).subject)
asyncio.run(main())
"""


@pytest.mark.parametrize("block", ["service", "code"])
def test_workers_fetch_keys_once(block: str, valkey: Valkey, tmp_path: Path) -> None:
    """Processes that share a cache and its secret make one request for keys together."""
    secret = tmp_path / "cache_secret"
    (command, *_) = blocks("how-to/workers.md", "console").values()
    made = subprocess.run(
        ["bash", "-ec", "\n".join(line[2:] for line in command.splitlines() if line.startswith("$ "))],
        cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert made.stdout.strip() == "44"
    with LocalIssuer(audience=AUDIENCE) as issuer:
        places = {
            "https://login.example/": issuer.url,
            "redis://cache:6379/0": valkey.url,
            "/run/secrets/cache_secret": str(secret),
        }
        code = _replaced(blocks("how-to/workers.md")[block], places)
        variables = dict(
            line.split("=", 1) for line in _replaced(blocks("how-to/workers.md", "shell")["0"], places).splitlines()
        )
        environment = {**os.environ, **variables, "BEARWARD_ISSUER": issuer.url, "BEARWARD_AUDIENCE": AUDIENCE}
        for _ in range(3):
            member = subprocess.run(
                [sys.executable, "-c", MEMBER], input=code, text=True, capture_output=True, check=False,
                env={**environment, "TOKEN": issuer.mint(sub="ada")},
            )  # fmt: skip
            assert member.stdout.strip() == "ada", member.stderr
        assert issuer.requests("/jwks") == 1


def test_settings_file_of_a_fleet_is_valid(tmp_path: Path) -> None:
    """The file of the page loads, with the secret from its file."""
    (tmp_path / "cache_secret").write_text("x" * 44)
    (block,) = blocks("how-to/workers.md", "toml").values()
    path = tmp_path / "settings.toml"
    path.write_text(block.replace("/run/secrets", str(tmp_path)))
    settings = Settings.from_toml(path)
    assert settings.cache_secret == b"x" * 44
    settings.verifier()


def test_shared_cache_without_a_secret_is_refused() -> None:
    """As the page says: at start, not when someone writes to the cache."""
    environment = {"BEARWARD_ISSUER": "https://login.example/", "BEARWARD_AUDIENCE": AUDIENCE}
    with pytest.raises(ConfigurationError, match="BEARWARD_CACHE_SECRET"):
        Settings.from_environment({**environment, "BEARWARD_CACHE": "redis://cache:6379/0"}).verifier()


def test_blocks_about_proxies() -> None:
    """The Python block makes a reader; the YAML is a part of Envoy's configuration that `make interop` runs."""
    (code,) = blocks("how-to/proxies.md").values()
    assert _names(code)["client_certificate"] is not None
    (block,) = blocks("how-to/proxies.md", "yaml").values()
    wanted = yaml.safe_load(block)
    text = (TOP / "tests" / "interop" / "envoy_config.py").read_text()
    assert json.dumps(wanted["forward_client_cert_details"]) in text
    assert wanted["set_current_client_cert_details"] == {"cert": True}


def _replaced(text: str, places: Mapping[str, str]) -> str:
    for shown, used in places.items():
        text = text.replace(shown, used)
    return text


def test_probes_while_the_issuer_is_down(tmp_path: Path) -> None:
    """Liveness never depends on the issuer; readiness does at the start, and no more once keys are held."""
    code = blocks("how-to/kubernetes.md")["probes"]
    probes = yaml.safe_load(blocks("how-to/kubernetes.md", "yaml")["http"])
    live, ready = (probes[name]["httpGet"]["path"] for name in ("livenessProbe", "readinessProbe"))

    def statuses(address: str) -> list[int]:
        return [httpx2.get(address + path).status_code for path in (live, ready)]

    with LocalIssuer(audience=AUDIENCE) as issuer:
        code = code.replace("https://login.example/", issuer.url)
        with serving(code, tmp_path) as address:
            assert statuses(address) == [200, 200]
            issuer.down()
            assert statuses(address) == [200, 200]
        with serving(code, tmp_path) as address:
            assert statuses(address) == [200, 503]


def test_probes_over_grpc_name_services_of_the_samples() -> None:
    """The names in the probes are those that the sample server reports."""
    probes = yaml.safe_load(blocks("how-to/kubernetes.md", "yaml")["grpc"])
    names = {probes[probe]["grpc"].get("service", "") for probe in ("livenessProbe", "readinessProbe")}
    text = (TOP / "samples" / "grpc_server.py").read_text(encoding="utf-8")
    assert names == {"live", ""}
    assert all(f'"{name}"' in text for name in names)
