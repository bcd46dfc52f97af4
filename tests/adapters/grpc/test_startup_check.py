"""The start-up check: a misspelt rule and a forgotten method are found before anybody calls."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import grpc.aio
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from bearward import ConfigurationError, scope
from bearward_grpc import (
    MethodRegistry,
    Policy,
    Rule,
    authenticated,
    check,
    check_on_start,
    public,
    registered_methods,
    requires,
    rules,
)
from tests.adapters.grpc.servers import SERVICE, Seen, methods, register, sync_echo

RIGHT: dict[str, Rule] = {f"/{SERVICE}/{name}": authenticated for name in ("UU", "US", "SU", "SS")}


def echo(server: Any) -> None:
    """Register the echo service, as generated code does."""
    register(server, methods(sync_echo(Seen())))


def generic_echo(server: Any) -> None:
    """Register it without names, as code from before grpcio 1.64 does."""
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, dict(methods(sync_echo(Seen())))),))


def echo_of(_: object, server: Any) -> None:
    """The same, as a generated function is called."""
    echo(server)


def recorded(add: Any) -> MethodRegistry:
    """What `add` registers."""
    served = MethodRegistry()
    add(served)
    return served


@pytest.mark.parametrize("add", [echo, generic_echo])
@pytest.mark.parametrize("written", [RIGHT, {SERVICE: public}, {**RIGHT, f"/{SERVICE}/*": public}])
def test_complete_policy_passes_the_check(written: dict[str, Rule], add: Any) -> None:
    """By methods, by services, or both."""
    check(Policy(written), recorded(add))


@pytest.mark.parametrize("add", [echo, generic_echo])
@pytest.mark.parametrize(
    ("name", "near"),
    [
        (f"/{SERVICE}/Uu", f"/{SERVICE}/"),
        ("/lab.v1.Ecko/UU", "/lab.v1.Echo/"),
        ("lab.v1.Ecko", "lab.v1.Echo"),
        ("/lab.v1.Ecko/*", "/lab.v1.Echo/"),
    ],
)
def test_rule_that_matches_no_method_is_reported(name: str, near: str, add: Any) -> None:
    """A misspelt rule guards nothing; the nearest name is said."""
    says = f"the rule for '{name}' matches nothing; did you mean '{near}"
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        check(Policy({**RIGHT, name: authenticated}), recorded(add))


def test_each_served_method_without_a_rule_is_named() -> None:
    """All of them at once."""
    with pytest.raises(ConfigurationError) as caught:
        check(Policy({f"/{SERVICE}/UU": public}), recorded(echo))
    assert all(f"/{SERVICE}/{name} has no rule" in str(caught.value) for name in ("US", "SU", "SS"))
    assert "UU" not in str(caught.value)


def test_generic_handler_needs_a_service_rule() -> None:
    """Of a generic handler only the service's name is known."""
    with pytest.raises(ConfigurationError, match=f"the service {SERVICE} has no rule"):
        check(Policy({"grpc.health.v1.Health": public}), recorded(generic_echo))


def test_check_accepts_names_of_methods_and_services() -> None:
    """For servers that are put together elsewhere."""
    check(Policy(RIGHT), *RIGHT)
    check(Policy({SERVICE: public}), SERVICE)
    with pytest.raises(ConfigurationError, match=r"/lab\.v1\.Other/Method has no rule"):
        check(Policy(RIGHT), *RIGHT, "/lab.v1.Other/Method")
    with pytest.raises(ConfigurationError, match=r"the service lab\.v1\.Other has no rule"):
        check(Policy(RIGHT), *RIGHT, "lab.v1.Other")


@pytest.mark.parametrize("wrong", ["/a/b/c", "", "/lab.v1.Echo", 7])
def test_check_names_what_it_cannot_take(wrong: Any) -> None:
    """A typing error in a test of one's own must not make the test pass."""
    with pytest.raises(ConfigurationError, match="registered"):
        check(Policy(RIGHT), *RIGHT, wrong)


def test_check_accepts_handlers_descriptors_and_mappings() -> None:
    """Whatever a service is registered by."""
    health_service = health_pb2.DESCRIPTOR.services_by_name["Health"]
    handler = grpc.method_handlers_generic_handler(SERVICE, dict(methods(sync_echo(Seen()))))
    check(RIGHT, handler, health_service)
    with pytest.raises(ConfigurationError, match=r"grpc\.health\.v1\.Health/Check has no rule"):
        check(Policy(RIGHT, health=None), handler, health_service)


def test_rules_are_the_table_of_what_was_decided() -> None:
    """By full method name, the default included; without a server."""
    policy = Policy({f"/{SERVICE}/UU": public, SERVICE: authenticated}, default=scope("more"))
    assert rules(policy, echo_of, f"/{SERVICE}x/UU", "/grpc.health.v1.Health/Check") == {
        f"/{SERVICE}/UU": public,
        **{f"/{SERVICE}/{name}": authenticated for name in ("US", "SU", "SS")},
        f"/{SERVICE}x/UU": requires(scope("more")),
        "/grpc.health.v1.Health/Check": public,
    }


def test_startup_error_suggests_the_missing_rule() -> None:
    """A method without a rule is named, and so is what to write; under a default there is nothing to say."""
    with pytest.raises(ConfigurationError, match="default=authenticated"):
        check({f"/{SERVICE}/UU": public}, echo_of)
    check(Policy({f"/{SERVICE}/UU": public}, default=authenticated), echo_of)


def test_mark_unread_by_the_policy_is_reported() -> None:
    """It would refuse every call."""

    class Servicer:
        @requires(scope("echo"))
        def UU(self, request: bytes, context: Any) -> bytes:  # noqa: N802
            return request

    handlers = methods({"UU": Servicer().UU})
    for policy in (Policy({SERVICE: authenticated}), Policy({SERVICE: public}), Policy({SERVICE: scope("other")})):
        with pytest.raises(ConfigurationError, match=r"marked requires\(scope\('echo'\)\)"):
            check(policy, lambda _, server: register(server, handlers))
    check(Policy({SERVICE: scope("echo")}), lambda _, server: register(server, handlers))


def test_generated_functions_tell_without_a_server() -> None:
    """`registered_methods(add_…Servicer_to_server)`, for a test of one's own policy."""
    served = registered_methods(health_pb2_grpc.add_HealthServicer_to_server)
    assert served.serves("/grpc.health.v1.Health/Check")
    check(
        Policy(RIGHT), registered_methods(lambda _, server: echo(server), health_pb2_grpc.add_HealthServicer_to_server)
    )


def test_sync_server_does_not_start_with_a_misspelt_rule() -> None:
    """The sync one."""
    with ThreadPoolExecutor(1) as pool:
        server = check_on_start(grpc.server(pool), Policy({**RIGHT, f"/{SERVICE}/Uu": public}))
        echo(server)
        with pytest.raises(ConfigurationError, match="Uu"):
            server.start()


def test_checked_server_serves_as_before(run: Any) -> None:
    """The aio one, with health beside; right, it starts; wrong, it does not."""

    async def start(rules: dict[str, Rule]) -> bytes:
        plain = grpc.aio.server()
        server: Any = check_on_start(plain, Policy(rules))
        assert server is plain
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
