"""A real Prometheus scrapes the samples: every alert fires on its fault, and every panel of the dashboard has data.

Rule of this file: nothing is injected. Issuers are absent or go down, forged tokens are sent, stores are not there. Only
times are shorter than in production: an alert fires at once instead of after a minute.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any, Final, Self

import grpc
import httpx2
import pytest
import yaml

from bearward.testing import LocalIssuer, SigningKey
from samples.processes import Process
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(300)]

TOP: Final = Path(__file__).parents[2]
FOLDER: Final = TOP / "observability"
RULES: Final[list[dict[str, Any]]] = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"][0]["rules"]
PANELS: Final[list[dict[str, Any]]] = json.loads((FOLDER / "grafana.json").read_text())["panels"]
AUDIENCE: Final = "https://api.example"
PATIENCE: Final = 60.0
NO_STORE: Final = "redis://127.0.0.1:1/0"


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        port: int = one.getsockname()[1]
        return port


@dataclass
class Served:
    """A sample server, and where its metrics are."""

    url: str
    metrics: int
    process: Process

    def get(self, token: str) -> int:
        """The status of a request with this token."""
        return httpx2.get(f"{self.url}/whoami", headers={"authorization": f"Bearer {token}"}, timeout=30).status_code

    def call(self, token: str) -> None:
        """A call of a gRPC server."""
        with grpc.insecure_channel(self.url.partition("://")[2]) as channel:
            stub = ProtectedServiceStub(channel)
            stub.WhoAmI(messages.WhoAmIRequest(), metadata=(("authorization", f"Bearer {token}"),), timeout=30)

    def scrape(self) -> str:
        """What Prometheus reads."""
        return httpx2.get(f"http://127.0.0.1:{self.metrics}/metrics", timeout=30).text


@contextmanager
def served(folder: Path, issuer: LocalIssuer, *arguments: str, top: str = "", **keys: float) -> Iterator[Served]:
    """A sample that trusts `issuer`, by settings at the top of the file and of its keys."""
    metrics = free_port()
    path = folder / f"{metrics}.toml"
    options = "".join(f"keys.{name} = {value}\n" for name, value in keys.items())
    path.write_text(f"{top}\n[[issuers]]\nissuer = '{issuer.url}'\naudience = '{AUDIENCE}'\n{options}")
    environment = {"BEARWARD_METRICS": str(metrics)}
    module, *more = arguments or ("samples.http_server",)
    with Process(module, "--port", "0", "--config", str(path), *more, environment=environment) as process:
        yield Served(process.url(), metrics, process)


class Prometheus:
    """A real one, that scrapes these targets ten times a second."""

    def __init__(self, folder: Path, targets: dict[str, int]) -> None:
        self._port = free_port()
        rules = (FOLDER / "alerts.yml").read_text()
        (folder / "alerts.yml").write_text(re.sub(r"for: \w+", "for: 0s", rules))
        config = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": ["alerts.yml"],
            "scrape_configs": [
                {
                    "job_name": "bearward",
                    "static_configs": [
                        {"targets": [f"127.0.0.1:{port}"], "labels": {"server": name}} for name, port in targets.items()
                    ],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        subprocess.run(["promtool", "check", "config", "prometheus.yml"], cwd=folder, check=True, capture_output=True)
        self._process = subprocess.Popen(
            [
                "prometheus",
                "--config.file=prometheus.yml",
                "--storage.tsdb.path=data",
                f"--web.listen-address=127.0.0.1:{self._port}",
                "--log.level=error",
            ],
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(30)

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of one question; None while it does not listen yet, or says 503 since it reads its storage."""
        try:
            response = httpx2.get(f"http://127.0.0.1:{self._port}/api/v1/{path}", params=parameters, timeout=30)
        except httpx2.TransportError:
            return None
        if response.status_code == HTTPStatus.SERVICE_UNAVAILABLE:
            return None
        answer = response.json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def firing(self) -> dict[str, set[str]]:
        """The alerts that fire, each with the servers that it is about."""
        found: dict[str, set[str]] = {}
        ports = self.servers()
        for alert in (self.ask("alerts") or {"alerts": []})["alerts"]:
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], set()).add(ports[alert["labels"]["instance"]])
        return found

    def servers(self) -> dict[str, str]:
        """The name of each server by its address."""
        targets = (self.ask("targets") or {"activeTargets": []})["activeTargets"]
        return {target["labels"]["instance"]: target["labels"]["server"] for target in targets}


FAULTS: Final = {
    "BearwardDown": "stopped",
    "BearwardNotReady": "absent",
    "BearwardKeysUnavailable": "absent",
    "BearwardRefreshFailing": "absent",
    "BearwardServiceRefusals": "absent",
    "BearwardKeysStale": "stale",
    "BearwardKeysRejected": "busy",
    "BearwardTokenCacheTooSmall": "busy",
    "BearwardForgedTokens": "attacked",
    "BearwardRevocationStoreDown": "alone",
}
"""Each alert, and a server with the fault that it is about."""


def until(condition: Any, what: Any) -> None:
    """Wait until `condition` holds."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.25)  # Prometheus tells nobody


def test_rules_and_configuration_pass_promtool(tmp_path: Path) -> None:
    """They are what Prometheus itself calls valid."""
    for name in ("alerts.yml", "prometheus.yml"):
        shutil.copy(FOLDER / name, tmp_path / name)
    for kind, name in (("rules", "alerts.yml"), ("config", "prometheus.yml")):
        subprocess.run(["promtool", "check", kind, name], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_each_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    """A summary with the place, a description with the remedy, how urgent it is, and a fault that this file causes."""
    assert rule["annotations"]["summary"]
    assert len(rule["annotations"]["description"]) > 80
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["alert"] in FAULTS


def test_alerts_fire_on_their_faults_and_panels_have_data(tmp_path: Path) -> None:
    """And no alert fires for the server that is healthy."""
    with ExitStack() as stack:
        issuer, doomed, absent, careless = (
            stack.enter_context(LocalIssuer(algorithms=["ES256"], audience=AUDIENCE)) for _ in range(4)
        )
        weak = {"kty": "RSA", "kid": "weak", "n": "AQAB", "e": "AQAB"}
        careless.serve_jwks({"keys": [careless.key().public_jwk(), weak]})
        held = absent.mint()
        absent.down()
        store = f"cache_secret = '0123456789abcdef'\n[revocations]\ncache = '{NO_STORE}'\non_failure = 'accept'\n"
        started = {
            "healthy": served(tmp_path, issuer),
            "threads": served(tmp_path, issuer, "samples.grpc_server", "--sync"),
            "attacked": served(tmp_path, issuer, "samples.grpc_server"),
            "stopped": served(tmp_path, issuer),
            "absent": served(tmp_path, absent, cooldown=0.1, max_backoff=0.2),
            "stale": served(
                tmp_path, doomed, min_age=0.0, max_age=2.0, stale_if_error=600.0, cooldown=0.1, max_backoff=0.2
            ),
            "busy": served(tmp_path, careless, top="token_cache = 20000"),
            "alone": served(tmp_path, issuer, top=store),
        }
        with ThreadPoolExecutor(4) as pool:
            servers = dict(zip(started, pool.map(stack.enter_context, started.values()), strict=True))
        ports = {name: server.metrics for name, server in servers.items()}
        prometheus = stack.enter_context(Prometheus(tmp_path, ports))
        until(lambda: len(prometheus.servers()) == len(servers), prometheus.servers)

        def load() -> None:
            good = issuer.mint()
            servers["healthy"].get(good)
            servers["threads"].call(good)
            servers["absent"].get(held)
            for _ in range(20):
                with pytest.raises(grpc.RpcError):
                    servers["attacked"].call(issuer.mint(key=SigningKey.generate("ES256", kid=issuer.key().kid)))
            for _ in range(60):
                assert servers["busy"].get(careless.mint()) == 200

        load()
        servers["stopped"].process.stop()
        doomed.down()

        def silent() -> list[str]:
            fire = prometheus.firing()
            return [rule["alert"] for rule in RULES if FAULTS[rule["alert"]] not in fire.get(rule["alert"], ())]

        def all_fire() -> bool:
            load()
            return not silent()

        until(all_fire, silent)
        assert not [alert for alert, about in prometheus.firing().items() if about & {"healthy", "threads"}]
        missing = [panel["title"] for panel in PANELS if not _has_data(prometheus, panel)]
        assert missing == ["Streams that were ended"]  # none was
        _check_text(servers["healthy"].scrape(), issuer)


def _has_data(prometheus: Prometheus, panel: dict[str, Any]) -> bool:
    """Whether each of its queries finds something."""
    for target in panel["targets"]:
        query = target["expr"].replace('"$instance"', '".*"').replace("$__rate_interval", "1m")
        if not prometheus.ask("query", query=query)["result"]:
            return False
    return True


def _check_text(text: str, issuer: LocalIssuer) -> None:
    """The text format names what was verified, and no token, key or caller."""
    assert f'bearward_issuer="{issuer.url}"' in text
    assert re.search(r"^bearward_verifications_total\{.*\} \d", text, re.MULTILINE)
    assert "subject" not in text
    assert issuer.key().kid not in text
