"""The start-up check: a misspelt rule and a forgotten method are found before anybody calls."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2_grpc

from bearward import AUTHENTICATED, ConfigurationError
from bearward_grpc import Policy, Rule, MethodRegistry, check, checked, public, registered_methods
from tests.adapters.grpc.servers import SERVICE, Seen, methods, register, sync_echo

RIGHT: dict[str, Rule] = {f"/{SERVICE}/{name}": AUTHENTICATED for name in ("UU", "US", "SU", "SS")}


def echo(server: Any) -> None:
    """Register the echo service, as generated code does."""
    register(server, methods(sync_echo(Seen())))


def generic_echo(server: Any) -> None:
    """Register it without names, as code from before grpcio 1.64 does."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, dict(methods(sync_echo(Seen())))),))


def recorded(add: Any) -> MethodRegistry:
    """What `add` registers."""
    served = MethodRegistry()
    add(served)
    return served


@pytest.mark.parametrize("add", [echo, generic_echo])
@pytest.mark.parametrize("rules", [RIGHT, {SERVICE: public}, {**RIGHT, f"/{SERVICE}/*": public}])
def test_a_policy_that_fits_passes(rules: dict[str, Rule], add: Any) -> None:
    """By methods, by services, or both."""
    check(Policy(rules), recorded(add))


@pytest.mark.parametrize("add", [echo, generic_echo])
@pytest.mark.parametrize("name", [f"/{SERVICE}/Uu", "/lab.v1.Ecko/UU", "lab.v1.Ecko", "/lab.v1.Ecko/*"])
def test_a_rule_that_names_nothing_served_is_named(name: str, add: Any) -> None:
    """A misspelt rule guards nothing."""
    with pytest.raises(ConfigurationError, match=name.replace("*", r"\*")):
        check(Policy({**RIGHT, name: AUTHENTICATED}), recorded(add))


def test_each_served_method_without_a_rule_is_named() -> None:
    """All of them at once."""
    with pytest.raises(ConfigurationError) as caught:
        check(Policy({f"/{SERVICE}/UU": public}), recorded(echo))
    assert all(f"/{SERVICE}/{name} is served and has no rule" in str(caught.value) for name in ("US", "SU", "SS"))
    assert "UU" not in str(caught.value)


def test_a_service_without_names_needs_some_rule() -> None:
    """Of a generic handler only the service's name is known."""
    with pytest.raises(ConfigurationError, match=f"the service {SERVICE} is served and has no rule"):
        check(Policy({"grpc.health.v1.Health": public}), recorded(generic_echo))


def test_names_will_do() -> None:
    """For servers that are put together elsewhere."""
    check(Policy(RIGHT), RIGHT.keys())
    with pytest.raises(ConfigurationError):
        check(Policy(RIGHT), [*RIGHT, "/lab.v1.Other/Method"])


def test_generated_functions_tell_without_a_server() -> None:
    """`registered_methods(add_…Servicer_to_server)`, for a test of one's own policy."""
    served = registered_methods(health_pb2_grpc.add_HealthServicer_to_server)
    assert served.serves("/grpc.health.v1.Health/Check")
    check(
        Policy(RIGHT), registered_methods(lambda _, server: echo(server), health_pb2_grpc.add_HealthServicer_to_server)
    )


def test_a_checked_server_does_not_start_with_a_misspelt_rule() -> None:
    """The sync one."""
    with ThreadPoolExecutor(1) as pool:
        server = checked(grpc.server(pool), Policy({**RIGHT, f"/{SERVICE}/Uu": public}))
        echo(server)
        with pytest.raises(ConfigurationError, match="Uu"):
            server.start()


def test_a_checked_server_serves_like_any_other(run: Any) -> None:
    """The aio one, with health beside; right, it starts; wrong, it does not."""

    async def start(rules: dict[str, Rule]) -> bytes:
        server: Any = checked(grpc.aio.server(), Policy(rules))
        echo(server)
        health_pb2_grpc.add_HealthServicer_to_server(health.aio.HealthServicer(), server)
        port = server.add_insecure_port("127.0.0.1:0")
        try:
            await server.start()
            async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
                call: Any = channel.unary_unary(f"/{SERVICE}/UU")
                answer: bytes = await call(b"hello")
                return answer
        finally:
            await server.stop(0)

    assert run(start(RIGHT)) == b"nobody:hello"
    with pytest.raises(ConfigurationError, match=r"lab\.v1\.Ecko"):
        run(start({**RIGHT, "lab.v1.Ecko": public}))
