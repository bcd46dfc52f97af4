"""Each extra, alone: the wheel with it does what the extra is for, and brings nothing of the others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(400)]

TOP = Path(__file__).resolve().parents[2]
# What the extra is for, as a program; and modules of other extras, which must not be there.
GRPC = """
import grpc
from concurrent.futures import ThreadPoolExecutor
from bearward import TrustedIssuer, Verifier, scope
from bearward.testing import LocalIssuer
from bearward_grpc import SyncAuthInterceptor, VerifierThread
with LocalIssuer() as issuer:
    background = VerifierThread(Verifier(TrustedIssuer(issuer.url, audience="https://api.example")))
    background.start(wait=None)
    guard = SyncAuthInterceptor(background, {"/Orders/List": scope("read")})
    server = grpc.server(ThreadPoolExecutor(2), interceptors=[guard])
    method = grpc.unary_unary_rpc_method_handler(lambda request, context: b"served")
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler("Orders", {"List": method})])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        call = channel.unary_unary("/Orders/List")
        print(call(b"", metadata=[("authorization", "Bearer " + issuer.mint(scope="read"))], timeout=30).decode())
        try:
            call(b"", timeout=30)
        except grpc.RpcError as error:
            print(error.code().name, len([1 for name, _ in error.trailing_metadata() if name == "grpc-status-details-bin"]))
    server.stop(None)
    background.stop()
"""
SANIC = """
from sanic import Sanic, text
from bearward import TrustedIssuer, Verifier, public
from bearward_sanic import check, install, rules
app = Sanic("extra")
install(app, Verifier(TrustedIssuer("https://login.example/", audience="https://api.example")))
@app.get("/")
@public
async def root(request):
    return text("")
check(app)
print(*rules(app).values())
"""
CACHE = """
from bearward import TrustedIssuer, Verifier
Verifier(TrustedIssuer("https://login.example/", audience="https://api.example"), jwks_cache="{}", jwks_cache_secret=bytes(32))
print("made")
"""
AWS_LC = """
import asyncio
from bearward import TrustedIssuer, Verifier
from bearward.testing import LocalIssuer
async def main():
    with LocalIssuer() as issuer:
        async with Verifier(TrustedIssuer(issuer.url, audience="https://api.example")) as verifier:
            await verifier.verify(issuer.mint())
            print(verifier.health().signatures)
asyncio.run(main())
"""
CLI = """
import subprocess, sys, pathlib
command = pathlib.Path(sys.executable).with_name("bearward")
done = subprocess.run([command, "--help"], capture_output=True, text=True, check=True)
print(done.stdout.split()[0])
"""
EXTRAS = {
    "aws-lc": (AWS_LC, "aws-lc", ("grpc", "sanic", "redis", "aiomcache")),
    "cli": (CLI, "Usage:", ("grpc", "sanic", "redis", "aiomcache")),
    "grpc": (GRPC, "served\nUNAUTHENTICATED 0", ("sanic", "redis", "aiomcache", "google.rpc")),
    "grpc-status": (GRPC, "served\nUNAUTHENTICATED 1", ("sanic", "redis", "aiomcache")),
    "sanic": (SANIC, "public", ("grpc", "redis", "aiomcache")),
    "redis": (CACHE.format("redis://cache:6379/0"), "made", ("grpc", "sanic", "aiomcache")),
    "memcached": (CACHE.format("memcached://cache:11211"), "made", ("grpc", "sanic", "redis")),
}
ABSENT = """
import importlib.util
def there(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False
print([name for name in {} if there(name)])
"""


@pytest.mark.parametrize("extra", EXTRAS)
def test_extra_alone(extra: str, wheel: Path, tmp_path: Path) -> None:
    """The extra is enough for what it is for."""
    program, expected, absent = EXTRAS[extra]
    python = tmp_path / "bin" / "python"
    _done(sys.executable, "-m", "venv", "--without-pip", str(tmp_path))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check")
    _done(*pip, "install", "-qq", "--no-compile", "--constraint", str(TOP / "constraints.txt"), f"{wheel}[{extra}]")
    assert _done(str(python), "-I", "-c", program).strip() == expected
    assert _done(str(python), "-I", "-c", ABSENT.format(absent)).strip() == "[]"


def _done(*command: str) -> str:
    done = subprocess.run(command, cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
