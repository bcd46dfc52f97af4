"""Every refusal of the catalogue, over HTTP, grpc.aio and grpc.server: one event, one line, one count, one span.

Rule of this file: each is provoked by what a caller sends, or by a fault that is real; what no caller can provoke there is
named, and raised by a handler, which is a refusal like any other.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import pytest

from bearward import JWKSOptions, Refusal, SharedRevocations, TrustedIssuer, Verifier
from bearward.client_certificates import ForwardedCertificate, from_networks
from bearward.dpop import DPoP, DPoPNonces, SharedReplays
from bearward.events import Refused, Verified
from bearward.testing import DPoPClient, LocalIssuer
from bearward_sanic import CookieCredentials
from tests.cases import ALGORITHMS, AUDIENCE, CASES, Fixtures
from tests.dpop_cases import DPOP_CASES, OTHER_ORIGIN, DPoPWorld
from tests.observability.scene import OWN_CODE, TRANSPORTS, Headers, Scene, Sight, scene

pytestmark = [
    pytest.mark.thorough,
    pytest.mark.timeout(300),
    pytest.mark.filterwarnings("ignore:websockets.legacy is deprecated:DeprecationWarning"),  # Sanic imports it
]

ORIGIN: Final = "https://orders.example"
SECRET: Final = b"a secret of the fleet, 32 bytes!"
NOWHERE: Final = "redis://127.0.0.1:1/0"
KID: Final = "a kid that only a caller knows"


@pytest.fixture(scope="module")
def fixtures() -> Iterator[Fixtures]:
    """A trusted issuer, and one that is not."""
    with (
        LocalIssuer(algorithms=ALGORITHMS, audience=AUDIENCE) as issuer,
        LocalIssuer(audience=AUDIENCE) as untrusted_issuer,
    ):
        yield Fixtures(issuer, untrusted_issuer)


Send = Callable[[Fixtures, Scene], tuple[str, Headers]]
"""The name of the method to call, and the headers to call it with."""


def _bearer(method: str = "UUPlain", **options: Any) -> Send:
    return lambda fixtures, _: (method, [("authorization", f"Bearer {fixtures.honest(**options)}")])


def _of_cases() -> dict[Refusal, Send]:
    """The first row of the one table for each code."""
    found: dict[Refusal, Send] = {}
    for case in CASES:
        if case.granted:
            continue

        def send(fixtures: Fixtures, _: Scene, case: Any = case) -> tuple[str, Headers]:
            values = [("authorization", value) for value in case.present(fixtures)]
            return "UUScope" if case.needs_scope else "UUPlain", values

        found.setdefault(Refusal[case.expected.upper()], send)
    return found


def _of_dpop_cases() -> dict[Refusal, Send]:
    found: dict[Refusal, Send] = {}
    for case in DPOP_CASES:
        if case.expected is None or not case.on_the_wire:
            continue

        def send(fixtures: Fixtures, where: Scene, case: Any = case) -> tuple[str, Headers]:
            world = DPoPWorld(fixtures.issuer, where.htm, ORIGIN, where.path("UUPlain"), time.time)
            authorization, proofs = case.send(world)
            return "UUPlain", [*(("authorization", one) for one in authorization), *(("dpop", one) for one in proofs)]

        found.setdefault(Refusal[case.expected.upper()], send)
    return found


def _with_certificates(*values: str) -> Send:
    return lambda fixtures, _: (
        "UUPlain",
        [
            ("authorization", f"Bearer {fixtures.honest(cnf={'x5t#S256': 'A' * 43})}"),
            *(("client-cert", value) for value in values),
        ],
    )


_ORDINARY: Final[dict[Refusal, Send]] = {
    **_of_dpop_cases(),
    **_of_cases(),
    Refusal.TOKEN_TOO_LARGE: lambda _, where: (
        "UUPlain",
        [("authorization", "Bearer " + "x" * (9_000 if where.transport == "http" else 17_000))],
    ),
    Refusal.TOKEN_TOO_OLD: _bearer(iat=1_000_000_000, exp=4_000_000_000),
    Refusal.CLAIM_MISMATCH: _bearer(forbidden=1),
    Refusal.TOKEN_REVOKED: _bearer(jti="revoked"),
    Refusal.CLAIM_INSUFFICIENT: _bearer("UUClaim"),
    Refusal.AUTHENTICATION_INSUFFICIENT: _bearer("UUFresh", auth_time=1_000_000_000),
    Refusal.NO_RULE: _bearer("UUDenied"),
    Refusal.CHECK_FAILED: _bearer("UUChecked"),
    Refusal.CHECK_UNAVAILABLE: _bearer("UUUnchecked"),
    Refusal.INTERNAL_ERROR: _bearer("UUBroken"),
}
_WITH_CERTIFICATES: Final[dict[Refusal, Send]] = {
    Refusal.CLIENT_CERTIFICATE_MALFORMED: _with_certificates(":AAAA"),
    Refusal.CLIENT_CERTIFICATE_REPEATED: _with_certificates(":AAAA:", ":AAAA:"),
}
_UNREACHABLE: Final = {
    Refusal.TOKEN_JSON_SERIALIZED: "the grammar of RFC 6750 has no braces: it is credentials_malformed there",
    Refusal.KEY_WITHDRAWN: "it ends what was let in, as an event of the stream; a new token of that key is key_unknown",
    Refusal.CSRF_CHECK_FAILED: "cookies are for browsers: over HTTP it has a test of its own",
    Refusal.TICKET_INVALID: "tickets are for websockets: tests/adapters/sanic/test_socket_tickets.py",
    Refusal.DPOP_REPLAYED: "it takes two calls: it has a test of its own",
    Refusal.DPOP_NONCE_REQUIRED: "nonces are off here: it has a test of its own",
    Refusal.SENDER_CONSTRAINT_REQUIRED: "DPoP is optional here: it has a test of its own",
    Refusal.TOKEN_REPLAYED: "it takes two calls: tests/core/test_single_use.py",
    Refusal.REPLAY_UNAVAILABLE: "there is no store here: tests/adapters/test_single_use.py",
    Refusal.KEYS_UNAVAILABLE: "the issuer is up here: it has a test of its own",
    Refusal.REVOCATION_UNAVAILABLE: "there is no store here: it has a test of its own",
    Refusal.DPOP_UNAVAILABLE: "there is no store here: it has a test of its own",
}


def _policy(issuer: LocalIssuer, **more: Any) -> TrustedIssuer:
    return TrustedIssuer(issuer.url, audience=AUDIENCE, **more)


def _check(code: str, answered: str | None, sight: Sight) -> None:
    """One event, one line, one count and one span, with the code that the caller got."""
    assert answered == code
    assert [type(event) for event in sight.events] == [Refused], sight.events
    assert sight.codes == [code]
    assert [vars(line)["bearward.code"] for line in sight.lines] == [code]
    assert sight.counted == {code: 1}
    assert (sight.span.get("bearward.code"), sight.span.get("bearward.issuer")) == (code, sight.events[0].issuer)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_every_refusal_that_a_caller_can_provoke(fixtures: Fixtures, transport: str) -> None:
    """The whole catalogue, but for what is named as unreachable, and that raised by a handler."""
    reachable = {*_ORDINARY, *_WITH_CERTIFICATES}
    assert reachable | set(_UNREACHABLE) == set(Refusal)
    assert not reachable & set(_UNREACHABLE)

    def make(**more: Any) -> Verifier:
        policy = _policy(fixtures.issuer, max_token_age=3600.0, refused_claims=["forbidden"])
        return Verifier(policy, dpop=DPoP(origins=[ORIGIN, OTHER_ORIGIN]), **more)

    with scene(transport, make) as where:
        until = where.verifier.now() + 3600
        where.verifier.revocations.revoke_token(fixtures.issuer.url, "revoked", until=until)
        for refusal, send in _ORDINARY.items():
            method, headers = send(fixtures, where)
            answered, sight = where.look(method, headers)
            _check(OWN_CODE if refusal is Refusal.CHECK_FAILED else refusal.code, answered, sight)
            event = sight.events[0]
            assert event.transport == transport.partition(".")[0]
            assert event.operation == where.operation(method)
            assert isinstance(event, Refused)
            assert event.correlation_id
        good = fixtures.honest()
        for refusal in _UNREACHABLE:
            headers = [("authorization", f"Bearer {good}"), ("x-code", refusal.code)]
            answered, sight = where.look("UURaise", headers)
            verified, refused = sight.events
            assert isinstance(verified, Verified)
            assert isinstance(refused, Refused)
            assert (answered, refused.code, sight.counted) == (refusal.code, refusal.code, {"none": 1, refusal.code: 1})
            assert [vars(line)["bearward.code"] for line in sight.lines] == [refusal.code]
        answered, sight = where.look("UUPlain", [("authorization", f"Bearer {good}")])
        assert (answered, len(sight.events), sight.counted, sight.lines) == (None, 1, {"none": 1}, [])
        (verified,) = sight.events
        assert isinstance(verified, Verified)
        assert (verified.issuer, verified.operation) == (fixtures.issuer.url, where.operation("UUPlain"))
        assert (sight.span.get("bearward.outcome"), sight.span.get("bearward.issuer")) == ("verified", verified.issuer)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_refusals_of_forwarded_certificates(fixtures: Fixtures, transport: str) -> None:
    """They are found where a proxy forwards the client's certificate; in gRPC that is the handler's own context."""
    proxy = ForwardedCertificate("client-cert", only_from=from_networks("127.0.0.1"))

    def make(**more: Any) -> Verifier:
        return Verifier(_policy(fixtures.issuer), **more)

    with scene(transport, make, client_certificate=proxy) as where:
        for refusal, send in _WITH_CERTIFICATES.items():
            answered, sight = where.look(*send(fixtures, where))
            _check(refusal.code, answered, sight)
        answered, sight = where.look("UUPlain", [("authorization", f"Bearer {fixtures.honest()}")])
        assert (answered, [type(event) for event in sight.events]) == (None, [Verified])


def _proof(fixtures: Fixtures, where: Scene, client: DPoPClient, **more: Any) -> Headers:
    token = fixtures.honest(cnf=client.cnf)
    proof = client.proof(where.htm, ORIGIN + where.path("UUPlain"), token=token, **more)
    return [("authorization", f"DPoP {token}"), ("dpop", proof)]


_FAULTS: Final[Mapping[Refusal, Callable[[LocalIssuer], dict[str, Any]]]] = {
    Refusal.SENDER_CONSTRAINT_REQUIRED: lambda _: {"dpop": DPoP(origins=ORIGIN, required=True)},
    Refusal.DPOP_NONCE_REQUIRED: lambda _: {"dpop": DPoP(origins=ORIGIN, nonces=DPoPNonces(SECRET))},
    Refusal.DPOP_UNAVAILABLE: lambda _: {
        "dpop": DPoP(origins=ORIGIN),
        "replays": SharedReplays(cache=NOWHERE, on_failure="refuse", cache_secret=SECRET),
    },
    Refusal.REVOCATION_UNAVAILABLE: lambda _: {
        "revocations": SharedRevocations(cache=NOWHERE, on_failure="refuse", cache_secret=SECRET)
    },
}


@pytest.mark.parametrize("transport", TRANSPORTS)
@pytest.mark.parametrize("refusal", _FAULTS, ids=lambda refusal: refusal.code)
def test_refusals_of_other_settings_and_of_stores_that_fail(
    fixtures: Fixtures, transport: str, refusal: Refusal
) -> None:
    """A store that nobody listens on is a real fault."""

    def make(**more: Any) -> Verifier:
        return Verifier(_policy(fixtures.issuer), **_FAULTS[refusal](fixtures.issuer), **more)

    with scene(transport, make) as where:
        under_dpop = refusal in (Refusal.DPOP_NONCE_REQUIRED, Refusal.DPOP_UNAVAILABLE)
        bare = [("authorization", f"Bearer {fixtures.honest()}")]
        headers = _proof(fixtures, where, DPoPClient()) if under_dpop else bare
        answered, sight = where.look("UUPlain", headers)
        _check(refusal.code, answered, sight)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_replayed_proof_is_one_event(fixtures: Fixtures, transport: str) -> None:
    """The first call passes, the second is refused."""

    def make(**more: Any) -> Verifier:
        return Verifier(_policy(fixtures.issuer), dpop=DPoP(origins=ORIGIN), **more)

    with scene(transport, make) as where:
        headers = _proof(fixtures, where, DPoPClient())
        answered, sight = where.look("UUPlain", headers)
        assert (answered, [type(event) for event in sight.events]) == (None, [Verified])
        assert [event.proof for event in sight.events if isinstance(event, Verified)] == ["dpop"]
        answered, sight = where.look("UUPlain", headers)
        _check("dpop_replayed", answered, sight)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_error_that_a_handler_keeps_is_an_event_each_time(fixtures: Fixtures, transport: str) -> None:
    """Raised again it is another call's, and names that one's issuer."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, path="/second") as second:

        def make(**more: Any) -> Verifier:
            return Verifier(_policy(fixtures.issuer), TrustedIssuer(second.url, audience=AUDIENCE), **more)

        with scene(transport, make) as where:
            for token, issuer in ((fixtures.honest(), fixtures.issuer.url), (second.mint(), second.url)):
                headers = [("authorization", f"Bearer {token}"), ("x-code", "no_rule")]
                answered, sight = where.look("UURaise", headers)
                assert (answered, sight.codes) == ("no_rule", ["no_rule"])
                assert {event.issuer for event in sight.events} == {issuer}


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_absent_issuer_is_one_event_per_call(transport: str) -> None:
    """The fetch is awaited away from the call's own path: in grpc.server by no thread at all."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE) as absent:
        token = absent.mint()
        absent.down()

        def make(**more: Any) -> Verifier:
            options = JWKSOptions(start_wait=0.1, cooldown=0.0)
            return Verifier(TrustedIssuer(absent.url, audience=AUDIENCE, jwks_options=options), **more)

        with scene(transport, make) as where:
            answered, sight = where.look("UUPlain", [("authorization", f"Bearer {token}")])
            assert (answered, sight.codes, sight.counted) == (
                "keys_unavailable",
                ["keys_unavailable"],
                {"keys_unavailable": 1},
            )
            assert [vars(line)["bearward.code"] for line in sight.lines] == ["keys_unavailable"]
            assert sight.events[0].issuer == absent.url


def test_forged_request_with_a_cookie_is_one_event(fixtures: Fixtures) -> None:
    """The check against request forgery comes before any verification, and has its own code."""
    cookie = CookieCredentials(name="token", csrf="double_submit")

    def make(**more: Any) -> Verifier:
        return Verifier(_policy(fixtures.issuer), **more)

    with scene("http", make, cookie=cookie) as where:
        answered, sight = where.look("UUPlain", [("cookie", f"token={fixtures.honest()}"), ("x-method", "POST")])
        _check("csrf_check_failed", answered, sight)


@pytest.mark.parametrize("transport", TRANSPORTS)
def test_names_that_callers_invent_are_in_no_event(fixtures: Fixtures, transport: str) -> None:
    """Neither a path nor a method that does not exist, nor an issuer, nor a key, nor an identifier with other text."""

    def make(**more: Any) -> Verifier:
        return Verifier(_policy(fixtures.issuer), **more)

    invented = fixtures.honest(iss="https://invented.example", headers={"kid": KID})
    with scene(transport, make) as where:
        headers = [("authorization", f"Bearer {invented}"), ("x-request-id", "an invented text")]
        _, sight = where.look("UUInvented", headers)
        assert sight.codes == ["issuer_untrusted"]
        (event,) = sight.events
        assert event.operation is None
        assert event.issuer == "unknown"
        assert "invented" not in repr(sight.events)
        assert KID not in repr(sight.events)
        assert not any("nvented" in repr(vars(line)) for line in sight.lines)
