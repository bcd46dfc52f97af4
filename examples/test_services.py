"""How to test services like these two: pytest examples (the fixtures are those of the plugin that comes with bearward)."""

import asyncio
import os
import socket

import grpc
import grpc.aio
import pytest

os.environ.setdefault("ISSUER", "https://login.example")  # the service reads it when it is imported
import grpc_service
import sanic_service

app = sanic_service.app


def status_of(headers=None):
    return app.test_client.get("/orders", headers=headers or {})[1].status


def test_who_may_call_what(bearward_policy):
    bearward_policy(app)
    bearward_policy(grpc_service.rules, "/Orders/List")


def test_without_any_issuer(bearward_as):
    bearward_as(sub="ada", scope="orders:read")
    assert status_of() == 200
    bearward_as(sub="eve")
    assert status_of() == 403


@pytest.mark.parametrize("name", ["unsigned", "expired an hour ago", "for another audience"])  # or HOSTILE_TOKENS
def test_hostile_tokens_are_refused(bearward_use_verifier, bearward_issuer, name):
    bearward_use_verifier(app)
    token = bearward_issuer.hostile(name, scope="orders:read")
    assert status_of({"authorization": f"Bearer {token}"}) in (400, 401)


def test_a_token_expires(bearward_use_verifier, bearward_token, bearward_clock):
    bearward_use_verifier(app)
    headers = {"authorization": f"Bearer {bearward_token(scope='orders:read', expires_in=60)}"}
    assert status_of(headers) == 200
    bearward_clock.advance(60)
    assert status_of(headers) == 401


def test_the_grpc_service(bearward_issuer, monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("ISSUER", bearward_issuer.url)
    monkeypatch.setenv("PORT", str(port))

    async def call(token):
        serving = asyncio.create_task(grpc_service.main())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            call = channel.unary_unary("/Orders/List")
            try:
                return await call(b"", metadata=[("authorization", f"Bearer {token}")], wait_for_ready=True)
            except grpc.aio.AioRpcError as refused:
                return refused.code()
            finally:
                serving.cancel()
                await asyncio.gather(serving, return_exceptions=True)

    assert asyncio.run(call(bearward_issuer.mint(sub="ada", scope="orders:read"))) == b"for ada"
    assert asyncio.run(call(bearward_issuer.mint(sub="ada"))) is grpc.StatusCode.PERMISSION_DENIED
