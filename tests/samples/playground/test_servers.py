"""What the page's buttons do, against the real servers: each fault, algorithm, profile, proof and rule."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import grpc
import httpx2
import pytest

from samples.playground.faults import FAULTS
from samples.playground.profiles import PROFILES
from samples.playground.scene import ALGORITHMS
from samples.playground.sending import PROOFS
from samples.playground.streams import KINDS
from samples.processes import Process
from samples.v1 import sample_pb2 as messages
from samples.v1.sample_pb2_grpc import ProtectedServiceStub
from tests.samples.playground.conftest import Api
from tests.samples.servers import bearer, metadata

pytestmark = pytest.mark.thorough

CODES = {
    "no token": "credentials_missing",
    "expired": "token_expired",
    "not yet valid": "token_not_yet_valid",
    "other audience": "audience_mismatch",
    "other issuer": "issuer_untrusted",
    "alg none": "algorithm_not_allowed",
    "HS256 with the public key": "algorithm_not_allowed",
    "other key": "signature_invalid",
    "other typ": "token_type_not_allowed",
    "stripped": "signature_invalid",
    "truncated": "token_malformed",
    "swapped payload": "signature_invalid",
    "withdrawn key": "key_unknown",
    "revoked": "token_revoked",
    "no proof": "dpop_proof_missing",
    "replayed proof": "dpop_replayed",
}
"""What each fault is refused with, by all three servers."""


def test_every_fault_has_its_code() -> None:
    """The table above is that of the buttons."""
    assert list(CODES) == list(FAULTS)


@pytest.mark.parametrize("fault", CODES)
def test_each_fault_is_refused_by_all_three_servers_with_its_code(api: Api, fault: str) -> None:
    """Whatever the algorithm; and the explanation names the same code."""
    broken = api.do("break", fault=fault, token=api.mint(algorithm="RS256"))
    sent = api.do("send", token=broken["token"] or "", proof=broken["proof"])
    until = time.monotonic() + 30.0
    while fault == "revoked" and None in (answer["code"] for answer in sent["answers"]) and time.monotonic() < until:
        sent = api.do("send", token=broken["token"])  # each server reads the store within a second, if it gets a turn
    assert [answer["code"] for answer in sent["answers"]] == [CODES[fault]] * 3
    assert [answer["status"] for answer in sent["answers"]] == ["401 Unauthorized", *["UNAUTHENTICATED"] * 2]
    assert all(answer["milliseconds"] > 0 for answer in sent["answers"])
    assert all(dict(answer["fields"])["www-authenticate"] for answer in sent["answers"])
    wrong = [check for check in sent["checks"] if check["verdict"] == "wrong"]
    assert [check["code"] for check in wrong[:1]] == ([CODES[fault]] if broken["token"] else [])
    assert sent["note"] == ("" if broken["token"] else "There is no token to check: nothing was sent.")


def test_fault_has_its_code_also_right_after_a_rotation(api: Api) -> None:
    """Servers fetch no key for a token that is wrong in other ways: a good one of the new key comes first."""
    for profile in ("local", "keycloak"):
        token = api.mint(algorithm="PS384", profile=profile)
        api.do("issuer", to="rotate", algorithm="PS384")
        assert api.codes(api.do("break", fault="other audience", token=token)["token"]) == ["audience_mismatch"] * 3


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_each_algorithm_is_accepted(api: Api, algorithm: str) -> None:
    """By all three servers; every check of the explanation is right."""
    sent = api.do("send", token=api.mint(algorithm=algorithm))
    assert [answer["code"] for answer in sent["answers"]] == [None] * 3
    assert {check["verdict"] for check in sent["checks"]} == {"right"}


@pytest.mark.parametrize("profile", PROFILES)
def test_each_profile_is_accepted_and_its_tokens_are_its_own(api: Api, profile: str) -> None:
    """A token in the shape of each profile; the same one for another audience or client is refused."""
    assert api.codes(api.mint(profile=profile, algorithm="RS256")) == [None] * 3


@pytest.mark.parametrize(
    ("binding", "refused"), [("dpop", "dpop_proof_missing"), ("certificate", "token_sender_constrained")]
)
def test_bound_tokens_need_their_proof(api: Api, binding: str, refused: str) -> None:
    """With the proof they are accepted, and a DPoP proof is new each time; without one they are refused."""
    token = api.mint(binding=binding)
    assert api.codes(token) == api.codes(token) == [None] * 3
    assert api.codes(token, proof="none") == [refused] * 3


@pytest.mark.parametrize("proof", [proof for proof in PROOFS if proof not in ("as bound", "none", "replayed")])
def test_hostile_proofs_are_refused_alike(api: Api, proof: str) -> None:
    """Every hostile proof of the test kit, with one code from all three servers."""
    codes = api.codes(api.mint(binding="dpop"), proof=proof)
    assert len(set(codes)) == 1
    assert str(codes[0]).startswith("dpop_")


def test_edited_members_are_signed_or_keep_their_signature(api: Api) -> None:
    """Signed again they are judged by what they say; under the old signature they never pass."""
    token = api.mint()
    header = {"alg": "ES256", "typ": "at+jwt"}
    issuer = api.do("about")["addresses"]["issuer"]
    claims = {"iss": issuer, "aud": "https://api.example", "exp": int(time.time()) + 60, "sub": "bob"}
    assert api.codes(api.do("sign", header=header, claims=claims)["token"]) == [None] * 3
    del claims["exp"]
    assert api.codes(api.do("sign", header=header, claims=claims)["token"]) == ["claim_missing"] * 3
    kept = api.do(
        "sign", header=header, claims={**claims, "exp": int(time.time()) + 60}, token=token, keep_signature=True
    )
    assert api.codes(kept["token"]) == ["signature_invalid"] * 3


@pytest.mark.parametrize("kind", ["token", "session", "subject", "key"])
def test_revoking_reaches_all_three_servers(api: Api, kind: str) -> None:
    """Within a moment each of them refuses; a token that it does not name is still accepted."""
    subject = f"revoked-by-{kind}"
    token, other = api.mint(subject=subject, algorithm="ES384"), api.mint(subject="carol", algorithm="ES512")
    assert api.codes(token) == [None] * 3
    api.do("revoke", kind=kind, token=token)
    _until(lambda: api.codes(token) == ["token_revoked"] * 3)
    assert api.codes(other) == [None] * 3
    if kind == "key":
        api.do("issuer", to="rotate", algorithm="ES384")


def test_unreachable_issuer_matters_only_for_a_new_key(api: Api) -> None:
    """Held keys still verify; a token of a key that could not be fetched is refused, and accepted once the issuer is up."""
    token = api.mint(algorithm="PS256")
    assert api.codes(token) == [None] * 3
    api.do("issuer", to="down")
    try:
        assert api.codes(api.mint(algorithm="PS256")) == [None] * 3
        api.do("issuer", to="rotate", algorithm="PS256")
        assert set(api.codes(api.mint(algorithm="PS256"))) <= {"key_unknown", "keys_unavailable"}
    finally:
        api.do("issuer", to="up")
    _until(lambda: api.codes(api.mint(algorithm="PS256")) == [None] * 3)


def test_slow_issuer_delays_only_who_needs_a_new_key(api: Api) -> None:
    """The first token of a new key waits for the keys, the others do not."""
    api.do("issuer", to="rotate", algorithm="PS512")
    api.do("issuer", to="slow")
    try:
        sent = api.do("send", token=api.mint(algorithm="PS512"))
        assert [answer["code"] for answer in sent["answers"]] == [None] * 3
        assert max(answer["milliseconds"] for answer in sent["answers"]) >= 1900
    finally:
        api.do("issuer", to="quick")


@pytest.mark.parametrize(("scope", "admitted"), [("", 9), ("notes:read", 13), ("notes:read notes:write", 19)])
def test_token_column_agrees_with_the_servers(api: Api, scope: str, admitted: int) -> None:
    """Every row of the table is asked of the server that it names, with the token, and agrees."""
    token = api.mint(scope=scope)
    rows = api.do("rules", token=token)["rows"]
    assert sum(row["admitted"] for row in rows) == admitted
    addresses = api.do("about")["addresses"]
    http, stub = httpx2.Client(base_url=addresses["sanic"], timeout=30), addresses["grpc.aio"]
    with http, grpc.insecure_channel(stub) as channel:
        for row in rows:
            ask = _asked_over_http if row["transport"] == "HTTP" else _asked_over_grpc
            target: Any = http if row["transport"] == "HTTP" else channel
            assert (row["operation"], ask(target, row["operation"], token)) == (row["operation"], row["code"])


def test_streams_end_with_their_token(api: Api) -> None:
    """All four kinds, in the words of their transport; a thread that waits is cancelled (docs/grpc.md, streams)."""
    api.do("streams", close=True)
    token = api.mint(lifetime=3)
    for kind in KINDS:
        api.do("streams", open=kind, token=token)
    ended = _state(api, lambda state: all(stream["state"] == "ended" for stream in state["streams"]))
    ends = {stream["kind"]: stream["end"] for stream in ended["streams"]}
    words = ("token_expired", "1008 token_expired", "UNAUTHENTICATED token_expired", "CANCELLED")
    assert ends == dict(zip(KINDS, words, strict=True))


def test_live_state_shows_keys_and_servers(api: Api) -> None:
    """Each server is connected and holds the keys that the issuer publishes; the generation grows as they change."""
    api.codes(api.mint())
    before = _state(api, _all_hold)
    api.do("issuer", to="rotate", algorithm="EdDSA")
    assert api.codes(api.mint(algorithm="EdDSA")) == [None] * 3
    after = _state(api, _all_hold)
    for old, new in zip(before["servers"], after["servers"], strict=True):
        assert new["keys"]["generation"] > old["keys"]["generation"]
    newest = after["issuer"]["keys"][0]
    assert (newest["alg"], newest["state"]) == ("EdDSA", "signing")


def test_rules_column_knows_each_key_at_once(api: Api) -> None:
    """However quickly keys are rotated, the playground judges by what the issuer publishes now."""
    for _ in range(12):
        api.do("issuer", to="rotate", algorithm="ES256")
        rows = api.do("rules", token=api.mint())["rows"]
        assert {row["code"] for row in rows} == {None}
        api.do("issuer", to="withdraw")


@pytest.mark.parametrize(
    ("act", "body", "says"),
    [
        ("mint", {"algorithm": "none"}, "algorithm must be one of RS256"),
        ("mint", {"algorithm": "ES256", "lifetime": 0}, "lifetime must be a whole number"),
        ("mint", {"algorithm": "ES256", "profile": "unknown"}, "profile must be local or one of"),
        ("break", {"fault": "all"}, "fault must be one of"),
        ("sign", {"header": [], "claims": {}}, "header and claims must be objects"),
        ("send", {"token": "x" * 70_000}, "token must be a text of up to 64 KiB"),
        ("send", {"token": "x", "operation": "drop"}, "operation must be one of"),
        ("issuer", {"to": "burn"}, "to must be one of"),
        ("revoke", {"kind": "token", "token": "x.y.z"}, "must have iss and jti"),
        ("streams", {"open": "radio", "token": "x"}, "kind must be one of"),
    ],
)
def test_wrong_input_says_what_it_must_be(api: Api, act: str, body: dict[str, Any], says: str) -> None:
    """400, and a sentence for the person at the page."""
    response = api.client.post(f"/do/{act}", json=body, headers=api.authorized())
    assert response.status_code == 400
    assert says in response.json()["detail"]


@pytest.mark.parametrize("token", ["abc", "a.b.c", "é", "a b", "a\nb", "." * 100, "e30.e30.", "x" * 20_000])
def test_any_pasted_text_gets_three_answers(api: Api, token: str) -> None:
    """Nothing that one can paste breaks the page; what no header can carry is not sent."""
    sent = api.do("send", token=token)
    assert [answer["accepted"] for answer in sent["answers"]] == [False] * 3
    assert all(answer["status"] for answer in sent["answers"])


def test_events_of_the_servers_hold_no_token(playground: Process, api: Api) -> None:
    """What was sent is in no line of the log, and in nothing that was printed."""
    token = api.mint(subject="a-subject-to-look-for")
    api.codes(token)
    state = json.dumps(_state(api, _all_hold))
    printed = "\n".join(playground.lines) + playground.errors()
    for part in (*token.split("."), "a-subject-to-look-for"):
        assert part not in state
        assert part not in printed


def _all_hold(state: dict[str, Any]) -> bool:
    published = sum(key["state"] != "withdrawn" for key in state["issuer"]["keys"])
    return all(server["connected"] and server["keys"]["keys"] == published for server in state["servers"])


def _state(api: Api, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The first state of which `wanted` is true."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        # once: a stream that ends with its token closes its connection, which a client that keeps it may learn too late
        headers = {**api.authorized(), "connection": "close"}
        with api.client.stream("GET", "/live", headers=headers) as response:
            for line in response.iter_lines():
                if line.startswith("data: {"):
                    state: dict[str, Any] = json.loads(line.removeprefix("data: "))
                    if wanted(state):
                        return state
    raise AssertionError("the state never came")


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _asked_over_http(client: httpx2.Client, operation: str, token: str) -> str | None:
    """The code with which a request is refused; None if it is let in."""
    method, _, path = operation.partition(" ")
    with client.stream(method, path, headers=bearer(token), content=b"") as response:
        if response.status_code not in (401, 403):
            return None
        response.read()
        code: str = response.json()["code"]
        return code


def _asked_over_grpc(channel: grpc.Channel, operation: str, token: str) -> str | None:
    name = operation.rpartition("/")[2]
    if "ProtectedService" not in operation:
        return None  # open to anyone: nothing to refuse
    stub = ProtectedServiceStub(channel)
    call: Any = getattr(stub, name)
    request: Any = getattr(messages, f"{name}Request")()
    try:
        if name == "WatchNotes":
            stream = call(request, metadata=metadata(token), timeout=30)
            stream.initial_metadata()
            if stream.is_active():
                stream.cancel()
                return None
            next(stream)
        elif name in ("ImportNotes", "Chat"):
            answer = call(iter(()), metadata=metadata(token), timeout=30)
            list(answer) if name == "Chat" else None
        else:
            call(request, metadata=metadata(token), timeout=30)
    except grpc.RpcError as error:
        refused: Any = error
        return str(dict(refused.trailing_metadata())["bearward-code"])
    return None
