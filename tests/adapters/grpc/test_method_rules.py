"""The policy: which rule a method gets, wherever the rules come from, and what refuses to be built."""

from __future__ import annotations

import copy
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bearward import (
    ConfigurationError,
    actor_is,
    any_scope,
    authorization_detail,
    claim,
    issuer_is,
    not_delegated,
    recent_authentication,
    right,
    scope,
    sender_constrained,
    tenant_is,
)
from bearward_grpc import (
    Access,
    Policy,
    Rule,
    authenticated,
    deny,
    optional,
    proto_path,
    public,
    requires,
    rules_from_protos,
    rules_from_servicers,
)
from bearward_grpc.method_rules.policy import HEALTH, REFLECTION

READ = scope("notes:read")
BOOK: dict[str, Rule] = {"/a.v1.Notes/List": READ, "/a.v1.Notes/*": authenticated, "a.v1.Info": public}

FOUND: list[tuple[str, Access]] = [
    ("/a.v1.Notes/List", requires(READ)),
    ("/a.v1.Notes/Add", authenticated),
    ("/a.v1.Info/Anything", public),
    ("/a.v1.notes/List", deny),
    ("/a.v1.Notes", deny),
    ("/a.v1.Notes/", deny),
    ("/a.v1.Info/a/b", deny),
    ("//a.v1.Info/Anything", deny),
    ("a.v1.Info/Anything", deny),
    ("x/a.v1.Info/Anything", deny),
    ("/b.v1.Other/List", deny),
    ("", deny),
    ("*", deny),
]


@pytest.mark.parametrize(("method", "rule"), FOUND)
def test_exact_names_go_before_services_and_the_default_denies(method: str, rule: Access) -> None:
    """A method has its own rule, or its service's, or the default; a name that is no method's has the default."""
    assert Policy(BOOK).find(method) == rule
    assert Policy(BOOK).find(method) == rule  # what was found before is remembered
    assert Policy(BOOK).decided(method) == (None if rule == deny else rule)


@pytest.mark.parametrize(
    ("name", "methods", "matches"),
    [
        ("/a.v1.Notes/List", {"/a.v1.Notes/List", "/a.v1.Notes/Add"}, True),
        ("/a.v1.Notes/List", {"/a.v1.Notes/Add"}, False),
        ("/a.v1.Notes/*", {"/b.v1.Other/List", "/a.v1.Notes/Add"}, True),
        ("/a.v1.Notes/*", {"/a.v1.Notes2/Add"}, False),
        ("a.v1.Info", {"/a.v1.Info/Anything"}, True),
        ("a.v1.Info", set(), False),
    ],
)
def test_rule_that_matches_no_method_is_known(name: str, methods: set[str], matches: bool) -> None:
    """A method's rule matches that method alone, a service's any method of that very service."""
    assert Policy(BOOK).matches_any(name, frozenset(methods)) is matches


def test_channelz_may_be_opened_to_known_callers() -> None:
    """It shows peers and metadata, so it is never public; who asks for more is given what they ask for."""
    policy = Policy({"grpc.channelz.v1.Channelz": READ})
    assert policy.find("/grpc.channelz.v1.Channelz/GetServers") == requires(READ)


@pytest.mark.parametrize("default", [authenticated, requires(READ), READ])
def test_default_applies_to_methods_without_a_rule(default: Rule) -> None:
    """`default=authenticated` is said once; what is written goes before it, and reflection stays denied."""
    policy = Policy(BOOK, default=default)
    assert policy.find("/b.v1.Other/List") == policy.default == (default if default != READ else requires(READ))
    assert policy.find("/a.v1.Info/Anything") == public
    assert [policy.find(method) for method in REFLECTION] == [deny] * 2
    assert Policy({}, default=default).find("/b.v1.Other/List") == policy.default


@pytest.mark.parametrize("default", [public, optional, None, "authenticated"])
def test_default_that_admits_anonymous_callers_is_refused(default: Any) -> None:
    """What has no rule is never open, and a string is not a rule."""
    with pytest.raises(ConfigurationError, match="default"):
        Policy(BOOK, default=default)


@pytest.mark.parametrize("clone", [copy.copy, copy.deepcopy, lambda policy: pickle.loads(pickle.dumps(policy))])
def test_policy_can_be_copied_and_pickled(clone: Any) -> None:
    """A worker that gets one by pickle decides as its parent does; it is equal, and hashes alike."""
    before = Policy(BOOK, default=authenticated, reflection=True)
    policy = clone(before)
    assert (policy, hash(policy)) == (before, hash(before))
    assert policy != Policy(BOOK, default=authenticated)
    assert policy != BOOK
    assert [policy.find(method) for method, _ in FOUND[:3]] == [rule for _, rule in FOUND[:3]]
    assert policy.find("/b.v1.Other/List") == authenticated
    assert dict(policy.rules) == dict(Policy(BOOK).rules)


def test_names_that_callers_make_up_do_not_pile_up() -> None:
    """A rule for a whole service matches any name; what a policy remembers of those is bounded."""
    policy = Policy({"a.v1.Info": public})
    before = len(pickle.dumps(policy))
    for number in range(20_000):
        assert policy.find(f"/a.v1.Info/Method{number:05}") == public
    assert len(pickle.dumps(policy)) - before < 1024 * 40


def test_health_is_public_and_reflection_is_denied_unless_asked_for() -> None:
    """`Check`, `List` and `Watch` by name; reflection in both its versions; channelz never."""
    assert [Policy(BOOK).find(method) for method in HEALTH] == [public] * 3
    assert [Policy(BOOK).find(method) for method in REFLECTION] == [deny] * 2
    assert [Policy(BOOK, default=authenticated).find(method) for method in REFLECTION] == [deny] * 2
    assert [Policy(BOOK, reflection=True).find(method) for method in REFLECTION] == [public] * 2
    assert [Policy(BOOK, reflection=READ).find(method) for method in REFLECTION] == [requires(READ)] * 2
    assert [Policy(BOOK, health=None).find(method) for method in HEALTH] == [deny] * 3
    assert Policy(BOOK).find("/grpc.channelz.v1.Channelz/GetServers") == deny


def test_written_rules_go_before_built_in_ones() -> None:
    """A rule for the health service replaces the built-in one."""
    policy = Policy({"grpc.health.v1.Health": READ, "/grpc.health.v1.Health/Check": public})
    assert [policy.find(method) for method in HEALTH] == [public, requires(READ), requires(READ)]


MISTAKES: dict[str, Any] = {
    "nothing": {},
    "no mapping": [("a.v1.Notes", public)],
    "a name with a star inside": {"/a.v1.*/List": public},
    "a method without its slash": {"a.v1.Notes/List": public},
    "a service with a slash": {"/a.v1.Notes": public},
    "a name that is no text": {1: public},
    "a service named twice": {"a.v1.Notes": public, "/a.v1.Notes/*": READ},
    "a rule that is none": {"a.v1.Notes": "public"},
    "nothing as a rule": {"a.v1.Notes": None},
    "public channelz": {"grpc.channelz.v1.Channelz": public},
    "a public method of channelz": {"/grpc.channelz.v1.Channelz/GetServers": public},
}


@pytest.mark.parametrize("name", MISTAKES)
def test_invalid_policy_is_refused(name: str) -> None:
    """The error names the rule."""
    with pytest.raises(ConfigurationError, match=r"^policy"):
        Policy(MISTAKES[name])


def test_channelz_can_be_opened_to_some_callers() -> None:
    """With a rule that admits nobody anonymous, as any service."""
    policy = Policy({"grpc.channelz.v1.Channelz": READ, "/grpc.channelz.v1.Channelz/GetServers": authenticated})
    assert policy.find("/grpc.channelz.v1.Channelz/GetSockets") == requires(READ)
    assert policy.find("/grpc.channelz.v1.Channelz/GetServers") == authenticated


def test_made_up_method_names_do_not_stay_in_memory() -> None:
    """What was found before is remembered for so many names and no more, and decided as before for all others."""
    policy = Policy(BOOK)
    sizes = []
    for part in range(3):
        for number in range(1100):
            assert policy.find(f"/a.v1.Info/Invented{part}{number:04}") == public
        sizes.append(len(pickle.dumps(policy)))
    assert sizes[0] == sizes[1] == sizes[2]


class _Notes:
    @requires(READ)
    async def List(self, request: object, context: object) -> None: ...  # noqa: N802

    @public
    def Info(self, request: object, context: object) -> None: ...  # noqa: N802

    @optional
    @optional
    def Greet(self, request: object, context: object) -> None: ...  # noqa: N802

    def Add(self, request: object, context: object) -> None: ...  # noqa: N802


def test_rules_from_marks() -> None:
    """Written above the methods of a servicer; a method without a mark has no rule."""
    assert rules_from_servicers({"a.v1.Notes": _Notes(), "a.v1.Other": object()}) == {
        "/a.v1.Notes/List": requires(READ),
        "/a.v1.Notes/Info": public,
        "/a.v1.Notes/Greet": optional,
    }


def test_invalid_mark_is_refused() -> None:
    """Two different marks, a mark on a rule, and a requirement that is none."""
    wrong: Any = "notes:read"
    for build in (
        lambda: public(requires(READ)(lambda: None)),
        lambda: public(optional),
        lambda: requires(wrong),
    ):
        with pytest.raises(ConfigurationError):
            build()


PROTO = """
syntax = "proto3";
package lab.policy.v1;
import "bearward_grpc/v1/annotations.proto";
message Empty {}
service Guarded {
  option (bearward_grpc.v1.default_rule) = { access: ACCESS_AUTHENTICATED };
  rpc Default(Empty) returns (Empty);
  rpc Read(Empty) returns (Empty) { option (bearward_grpc.v1.rule) = { scopes: ["a", "b"] }; }
  rpc Open(Empty) returns (stream Empty) { option (bearward_grpc.v1.rule) = { access: ACCESS_PUBLIC }; }
  rpc Admin(stream Empty) returns (Empty) {
    option (bearward_grpc.v1.rule) = {
      any_scopes: ["x", "y"] claims: { name: "role" values: ["admin", "root"] } acr_values: "gold" max_age: 0
    };
  }
}
service Delegated {
  rpc Full(Empty) returns (Empty) {
    option (bearward_grpc.v1.rule) = {
      rights: "orders:read" issuers: ["https://login.example", "https://other.example"] actors: "orders-service"
      authorization_details: { type: "payment" members: { name: "actions" values: ["initiate", "status"] } }
      authorization_details: { type: "account" }
      sender_constrained: true
    };
  }
  rpc Alone(Empty) returns (Empty) { option (bearward_grpc.v1.rule) = { not_delegated: true }; }
}
service Maybe {
  option (bearward_grpc.v1.default_rule) = { access: ACCESS_OPTIONAL };
  rpc Default(Empty) returns (Empty);
}
service Forgotten { rpc Nothing(Empty) returns (Empty); }
"""
WRONG = {
    "says nothing": "{}",
    "public and more": '{ access: ACCESS_PUBLIC scopes: "x" }',
    "a claim twice": '{ claims: { name: "a" values: "1" } claims: { name: "a" values: "2" } }',
    "a claim without values": '{ claims: { name: "a" } }',
    "no scope": '{ scopes: "" }',
    "no right": '{ rights: "" }',
    "no actor": '{ actors: "" }',
    "a claim without a name": '{ claims: { values: "1" } }',
    "a detail without a type": '{ authorization_details: { members: { name: "a" values: "1" } } }',
    "a detail's member twice": (
        '{ authorization_details: { type: "t" members: { name: "a" values: "1" } members: { name: "a" values: "2" } } }'
    ),
    "a detail's member without values": '{ authorization_details: { type: "t" members: { name: "a" } } }',
    "a detail's type as its member": ('{ authorization_details: { type: "t" members: { name: "type" values: "u" } } }'),
    "public and not delegated": "{ access: ACCESS_PUBLIC not_delegated: true }",
}


def compiled(name: str, text: str, place: Path, *, root: str | None = None) -> Any:
    """The file descriptor set of a proto, by the protoc that is installed."""
    from google.protobuf import descriptor_pb2
    from grpc_tools import protoc  # type: ignore[import-untyped]

    (place / f"{name}.proto").write_text(text)
    well_known = str(Path(protoc.__file__).parent / "_proto")
    arguments = [f"-I{place}", f"-I{root or proto_path()}", f"-I{well_known}", f"--python_out={place}"]
    assert protoc.main(["protoc", *arguments, f"--descriptor_set_out={place}/set", f"{name}.proto"]) == 0
    return descriptor_pb2.FileDescriptorSet.FromString((place / "set").read_bytes())


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The generated module of `PROTO`."""
    import importlib

    compiled("lab_policy", PROTO, tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("lab_policy_pb2")
    sys.modules.pop("lab_policy_pb2")


def test_rules_from_a_proto(module: ModuleType) -> None:
    """The service's default, the method's own rule in its place, and no rule where none is written."""
    assert rules_from_protos(module) == {
        "/lab.policy.v1.Guarded/Default": authenticated,
        "/lab.policy.v1.Guarded/Read": requires(scope("a", "b")),
        "/lab.policy.v1.Guarded/Open": public,
        "/lab.policy.v1.Guarded/Admin": requires(
            any_scope("x", "y")
            & claim("role", "admin", "root")
            & recent_authentication(max_age=0, acr_values=("gold",))
        ),
        "/lab.policy.v1.Delegated/Full": requires(
            right("orders:read")
            & issuer_is("https://login.example", "https://other.example")
            & actor_is("orders-service")
            & authorization_detail("payment", actions=("initiate", "status"))
            & authorization_detail("account")
            & sender_constrained()
        ),
        "/lab.policy.v1.Delegated/Alone": requires(not_delegated()),
        "/lab.policy.v1.Maybe/Default": optional,
    }


def test_rules_from_descriptors(module: ModuleType) -> None:
    """A file's descriptor, and one service's."""
    whole = rules_from_protos(module)
    assert rules_from_protos(module.DESCRIPTOR) == whole
    assert rules_from_protos(*module.DESCRIPTOR.services_by_name.values()) == whole
    with pytest.raises(ConfigurationError):
        rules_from_protos("lab_policy.proto")


@pytest.mark.parametrize("name", WRONG)
def test_invalid_proto_option_names_its_method(name: str, tmp_path: Path) -> None:
    """The error names the method."""
    text = PROTO.replace('{ scopes: ["a", "b"] }', WRONG[name]).replace("lab.policy.v1", "lab.wrong.v1")
    with pytest.raises(ConfigurationError, match=r"lab\.wrong\.v1\.Guarded/Read"):
        rules_from_protos(_described(compiled("lab_wrong", text, tmp_path), "lab_wrong.proto"))


UNKNOWN = [
    '{ scopes: "a" at_night_only: true }',
    '{ claims: { name: "a" values: "1" at_night_only: true } }',
    '{ authorization_details: { type: "t" at_night_only: true } }',
    '{ authorization_details: { type: "t" members: { name: "a" values: "1" at_night_only: true } } }',
]


@pytest.mark.parametrize("option", UNKNOWN)
def test_unknown_proto_option_is_an_error(option: str, tmp_path: Path) -> None:
    """What is not understood may be a restriction."""
    newer = tmp_path / "newer" / "bearward_grpc" / "v1"
    newer.mkdir(parents=True)
    known = Path(proto_path(), "bearward_grpc/v1/annotations.proto").read_text()
    (newer / "annotations.proto").write_text(
        known.replace("optional uint32 max_age = 6;", "optional uint32 max_age = 6; bool at_night_only = 99;")
        .replace("repeated Member members = 2;", "repeated Member members = 2; bool at_night_only = 99;")
        .replace("message Claim {", "message Claim {\n  bool at_night_only = 99;")
        .replace("message Member {", "message Member {\n    bool at_night_only = 99;")
    )
    text = PROTO.replace('{ scopes: ["a", "b"] }', option)
    described = compiled("lab_newer", text, tmp_path, root=str(tmp_path / "newer"))
    with pytest.raises(ConfigurationError, match=r"Guarded/Read.*update"):
        rules_from_protos(_described(described, "lab_newer.proto"))


def test_packaged_proto_equals_the_source() -> None:
    """`make proto` copies it; nobody edits the copy."""
    source = Path(__file__).parents[3] / "protos/bearward/bearward_grpc/v1/annotations.proto"
    assert Path(proto_path(), "bearward_grpc/v1/annotations.proto").read_bytes() == source.read_bytes()


def _described(files: Any, name: str) -> Any:
    """The file's descriptor in its own pool, where nothing else was imported."""
    from google.protobuf import descriptor_pb2, descriptor_pool

    from bearward_grpc.v1 import annotations_pb2

    pool = descriptor_pool.DescriptorPool()
    for dependency in (descriptor_pb2.DESCRIPTOR, annotations_pb2.DESCRIPTOR):
        pool.AddSerializedFile(dependency.serialized_pb)
    for file in files.file:
        pool.AddSerializedFile(file.SerializeToString())
    return pool.FindFileByName(name)


def test_rule_by_a_parameter_of_a_path_is_a_configuration_error() -> None:
    """A gRPC method has no path with parameters: the rule would refuse every call."""
    for rules, default in (({"/notes.v1.Notes/List": tenant_is("tenant", claim="tid")}, deny), ({}, None)):
        with pytest.raises(ConfigurationError) as caught:
            Policy(rules, default=requires(tenant_is("tenant", claim="tid")) if default is None else default)
        assert "must not depend on path parameters, which gRPC does not have: tenant" in str(caught.value)
