"""Sources against a real issuer: a jwks_uri, metadata of both kinds, files, own sources, several in order."""

from __future__ import annotations

import contextlib
import json
import socket
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bearward import ConfigurationError, TrustedIssuer, Verifier
from bearward.clock import SystemClock
from bearward.errors import AuthError
from bearward.fetch.caching import Validators
from bearward.fetch.client import IssuerHTTPClient
from bearward.fetch.errors import FetchError, FetchFailure
from bearward.fetch.http import HTTPClient
from bearward.jwks.freshness import Freshness
from bearward.jwks.options import JWKSOptions
from bearward.jwks.source import Loaded
from bearward.jwks.sources import JWKSURI, Discovery, Static
from bearward.testing import LocalIssuer, Request, Response
from tests.conftest import Run
from tests.core.fake_clock import FakeClock
from tests.core.jwks.support import eventually, policy, refused, started

OPENID, OAUTH = "/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"


@pytest.fixture
def issuer() -> Iterator[LocalIssuer]:
    """An issuer with a path, as tenants have."""
    with LocalIssuer(algorithms=["ES256"], path="/tenant") as one:
        yield one


async def outcome(trusted: TrustedIssuer) -> FetchFailure | None:
    """What becomes of a first fetch: None, or the class of failure."""
    async with started(trusted) as (_, keys):
        with contextlib.suppress(AuthError):
            await keys.get()
        return keys.health().last_failure


@pytest.mark.parametrize("name", ["https://a b", "https://\u00e4.example", "https:///a", "https://a.example:99999"])
def test_issuer_without_a_place_for_metadata_needs_a_jwks_uri(name: str) -> None:
    """Said when the verifier is made, and not at the first token; where the keys are named it is as good as any."""
    with pytest.raises(ConfigurationError, match="or give jwks_uri") as wrong:
        Verifier(TrustedIssuer(name, audience="a"))
    assert wrong.value.setting == "issuer"
    Verifier(TrustedIssuer(name, audience="a", jwks_uri="https://login.example/jwks"))


@pytest.mark.parametrize("metadata", ["openid", "oauth", "any"])
def test_metadata_names_the_keys(metadata: str, run: Run, issuer: LocalIssuer) -> None:
    """OpenID discovery and RFC 8414, of an issuer with a path; by default whichever there is."""
    assert run(outcome(policy(issuer, discover=True, metadata=metadata))) is None
    asked = {"openid": f"/tenant{OPENID}", "oauth": f"{OAUTH}/tenant", "any": f"/tenant{OPENID}"}[metadata]
    assert issuer.requests(asked) == 1


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ({}, None),
        ({"issuer": "https://other.example"}, FetchFailure.ISSUER_MISMATCH),
        ({"jwks_uri": None}, FetchFailure.NOT_METADATA),
        ({"jwks_uri": "http://169.254.169.254/jwks"}, FetchFailure.URL_REFUSED),
    ],
)
def test_metadata_at_an_address_of_its_own_must_name_the_issuer(
    change: dict[str, Any], failure: FetchFailure | None, run: Run, issuer: LocalIssuer
) -> None:
    """The identifier is then no address; what the document says counts only if it is of this issuer."""
    document = {"issuer": "urn:example:issuer", "jwks_uri": issuer.jwks_uri, **change}
    issuer.serve("/elsewhere", Response(json.dumps(document).encode(), 200, {}))
    trusted = TrustedIssuer(
        "urn:example:issuer",
        audience="a",
        metadata_uri=f"{issuer.origin}/elsewhere",
        jwks_options=JWKSOptions(start="lazy"),  # type: ignore[arg-type]
    )
    assert run(outcome(trusted)) is failure
    assert issuer.requests(f"/tenant{OPENID}") == 0


def test_rfc_8414_where_there_is_no_openid_document(run: Run, issuer: LocalIssuer) -> None:
    """A 404 means: look elsewhere."""
    issuer.serve(f"/tenant{OPENID}", Response(b"", 404))
    assert run(outcome(policy(issuer, discover=True))) is None
    assert issuer.requests(f"{OAUTH}/tenant") == 1


def test_of_two_places_the_first_ones_failure_is_told(run: Run, issuer: LocalIssuer) -> None:
    """Where neither has the metadata, it is OpenID's that most issuers have."""
    issuer.serve(f"/tenant{OPENID}", Response(b"", 404))
    issuer.serve(f"{OAUTH}/tenant", Response(b"", 500))
    assert run(outcome(policy(issuer, discover=True))) is FetchFailure.NOT_FOUND
    assert issuer.requests() == 2


def test_failing_issuer_is_not_asked_twice(run: Run, issuer: LocalIssuer) -> None:
    """A 500 means that it is out of order, not that the document lies elsewhere."""
    issuer.serve(f"/tenant{OPENID}", Response(b"", 500))
    assert run(outcome(policy(issuer, discover=True))) is FetchFailure.STATUS
    assert issuer.requests() == 1


BAD_METADATA: list[tuple[str, Any, FetchFailure]] = [
    ("for another issuer", {"issuer": "https://evil.example"}, FetchFailure.ISSUER_MISMATCH),
    ("for no issuer", {"issuer": None}, FetchFailure.ISSUER_MISMATCH),
    ("with no jwks_uri", {"jwks_uri": None}, FetchFailure.NOT_METADATA),
    ("with a list of them", {"jwks_uri": ["https://a.example"]}, FetchFailure.NOT_METADATA),
    ("over plain http", {"jwks_uri": "http://login.example/jwks"}, FetchFailure.URL_REFUSED),
    ("from a file", {"jwks_uri": "file:///etc/passwd"}, FetchFailure.URL_REFUSED),
    ("from the metadata service", {"jwks_uri": "https://169.254.169.254/latest"}, FetchFailure.ADDRESS_REFUSED),
    ("from a private address", {"jwks_uri": "https://10.0.0.1/jwks"}, FetchFailure.ADDRESS_REFUSED),
]


@pytest.mark.parametrize(("what", "members", "failure"), BAD_METADATA, ids=[case[0] for case in BAD_METADATA])
def test_metadata_is_validated(
    what: str, members: dict[str, Any], failure: FetchFailure, run: Run, issuer: LocalIssuer
) -> None:
    """It must be this issuer's own, and lead where keys may come from."""
    issuer.serve_discovery({**issuer.discovery(), **members})
    assert run(outcome(policy(issuer, discover=True))) is failure


REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    # the options, the jwks_uri, and why it is none
    "plain http": ({}, "http://login.example/jwks", "must be an https:// URL (http:// only on loopback)"),
    "plain http elsewhere": (
        {"same_origin": True},
        "http://login.example/jwks",
        "must be an https:// URL (http:// only on loopback)",
    ),
    "elsewhere": (
        {"same_origin": True},
        "https://login.example/jwks",
        "not of the metadata's origin, and jwks_options.same_origin is set",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_jwks_uri_that_is_refused_is_blamed_on_the_metadata(case: str, run: Run, issuer: LocalIssuer) -> None:
    """Whoever reads the health is led to the document that is wrong, and told the first thing that is wrong with it."""
    options, jwks_uri, reason = REFUSED[case]
    issuer.serve_discovery({**issuer.discovery(), "jwks_uri": jwks_uri})

    async def scenario() -> None:
        async with started(policy(issuer, discover=True, **options)) as (_, keys):
            await refused(keys)
            health = keys.health()
            assert health.last_failure is FetchFailure.URL_REFUSED
            fields = health.last_error_fields or {}
            assert (fields["url"], fields["setting"]) == (f"{issuer.origin}/tenant{OPENID}", "metadata of issuer")
            assert f"jwks_uri '{jwks_uri}': {reason}" in (health.last_error or "")

    run(scenario())


LEADS: dict[str, FetchFailure | None] = {
    "keys.internal": None,
    "login.internal": None,
    "127.0.0.1": FetchFailure.URL_REFUSED,
    "localhost": FetchFailure.URL_REFUSED,
    "[::1]": FetchFailure.URL_REFUSED,
    "[::ffff:127.0.0.1]": FetchFailure.URL_REFUSED,
}


@pytest.mark.parametrize("host", LEADS)
def test_metadata_of_a_named_host_leads_to_no_loopback_address(
    host: str, run: Run, issuer: LocalIssuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever that name resolves to, and whatever addresses are allowed."""
    resolve = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *args, **more: resolve("127.0.0.1" if host.endswith(".internal") else host, *args, **more),
    )
    named = f"http://login.internal:{issuer.port}/tenant"
    issuer.serve_discovery(
        {**issuer.discovery(), "issuer": named, "jwks_uri": f"http://{host}:{issuer.port}/tenant/jwks"}
    )
    options = JWKSOptions(start="lazy", unsafe_allow_private_addresses=True)  # type: ignore[arg-type]
    assert run(outcome(TrustedIssuer(named, audience="a", unsafe_allow_http=True, jwks_options=options))) is LEADS[host]
    assert issuer.requests("/tenant/jwks") == (LEADS[host] is None)


@pytest.mark.parametrize("document", [b"", b"<html>", b"[]", b'{"issuer": 1, "issuer": 2}', b"\xff"])
def test_invalid_metadata_document(document: bytes, run: Run, issuer: LocalIssuer) -> None:
    """Whatever comes instead of it."""
    issuer.serve_discovery(document)
    assert run(outcome(policy(issuer, discover=True))) is FetchFailure.NOT_METADATA


def test_trailing_slash_makes_another_issuer(run: Run) -> None:
    """RFC 8414 section 3.3: compared code point by code point."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        trusted = TrustedIssuer(issuer.url + "/", audience="a", jwks_options=JWKSOptions(start="lazy"))  # type: ignore[arg-type]
        assert run(outcome(trusted)) is FetchFailure.ISSUER_MISMATCH


@pytest.mark.parametrize(("same_origin", "expected"), [(True, FetchFailure.URL_REFUSED), (False, None)])
def test_jwks_uri_may_be_restricted_to_the_issuers_origin(
    same_origin: bool, expected: FetchFailure | None, run: Run, issuer: LocalIssuer
) -> None:
    """An optional rule: many providers keep keys on another host."""
    with LocalIssuer(algorithms=["ES256"]) as other:
        issuer.serve_discovery({**issuer.discovery(), "jwks_uri": other.jwks_uri})
        assert run(outcome(policy(issuer, discover=True, same_origin=same_origin))) == expected


@pytest.mark.parametrize(("elsewhere", "expected"), [(True, FetchFailure.URL_REFUSED), (False, None)])
def test_jwks_uri_may_be_restricted_to_the_origin_of_metadata_uri(
    elsewhere: bool, expected: FetchFailure | None, run: Run
) -> None:
    """The issuer's name need not be an address."""
    with (
        LocalIssuer(algorithms=["ES256"], identifier="urn:example:issuer") as named,
        LocalIssuer(algorithms=["ES256"]) as other,
    ):
        jwks_uri = other.jwks_uri if elsewhere else named.jwks_uri
        metadata = {"issuer": named.url, "jwks_uri": jwks_uri}
        named.serve("/metadata", Response(json.dumps(metadata).encode()))
        options = JWKSOptions(same_origin=True, start="lazy")  # type: ignore[arg-type]
        trusted = TrustedIssuer(named.url, audience="a", metadata_uri=f"{named.origin}/metadata", jwks_options=options)
        assert run(outcome(trusted)) == expected


def test_moved_jwks_uri_is_discovered_again(run: Run, issuer: LocalIssuer) -> None:
    """The discovered URL is used until it fails or grows old; the next attempt discovers anew."""
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, discover=True), clock) as (_, keys):
            held = await keys.get()
            for number in range(3):
                clock.forward(60)
                await keys.refresh_after_miss(f"kid {number}", held.generation)
            assert issuer.requests(f"/tenant{OPENID}") == 1
            issuer.serve("/elsewhere", Response(json.dumps(issuer.keys.jwks()).encode()))
            issuer.serve_discovery({**issuer.discovery(), "jwks_uri": f"{issuer.origin}/elsewhere"})
            issuer.serve_jwks(b"gone", status=410)
            for number in range(2):
                clock.forward(60)
                await keys.refresh_after_miss(f"other kid {number}", held.generation)
            assert issuer.requests("/elsewhere") == 1
            assert keys.health().last_error is None

    run(scenario())


def test_discovered_url_is_looked_up_again_after_max_age(run: Run, issuer: LocalIssuer) -> None:
    """Keys that moved are followed then, though the old place still answers."""
    clock = FakeClock()

    async def scenario() -> None:
        client = IssuerHTTPClient(JWKSOptions().http_settings(), clock=clock)
        source = Discovery(issuer.url, f"{issuer.origin}/tenant{OPENID}", max_age=600.0)
        asked = []
        for seconds in (0.0, 599.0, 1.0, 599.0, 1.0):
            clock.forward(seconds)
            await source.load(client, None)
            asked.append(issuer.requests(f"/tenant{OPENID}"))
        assert asked == [1, 1, 2, 2, 3]
        await client.aclose()

    run(scenario())


def test_validators_go_with_the_next_request(run: Run, issuer: LocalIssuer) -> None:
    """An ETag, else a Last-Modified; an unchanged set costs no body."""
    seen: list[dict[str, str]] = []
    document = json.dumps(issuer.keys.jwks()).encode()

    def answer(request: Request) -> Response:
        seen.append(dict(request.headers))
        if "if-modified-since" in request.headers:
            return Response(b"", 304)
        return Response(document, 200, {"Last-Modified": "Fri, 15 Jan 2027 08:00:00 GMT"})

    issuer.serve("/tenant/jwks", answer)
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            for number in range(2):
                clock.forward(60)
                assert await keys.refresh_after_miss(f"kid {number}", held.generation) is held
            assert keys.health().age == pytest.approx(0, abs=1)

    run(scenario())
    assert ["if-modified-since" in headers for headers in seen] == [False, True, True]


def test_document_without_validators_is_asked_for_unconditionally(run: Run, issuer: LocalIssuer) -> None:
    """Those of the document that it replaced are not its own."""
    seen: list[dict[str, str]] = []
    document = json.dumps(issuer.keys.jwks()).encode()

    def answer(request: Request) -> Response:
        seen.append(dict(request.headers))
        return Response(document, 200, {"ETag": '"1"'} if len(seen) == 1 else {})

    issuer.serve("/tenant/jwks", answer)
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer), clock) as (_, keys):
            held = await keys.get()
            for number in range(2):
                clock.forward(60)
                await keys.refresh_after_miss(f"kid {number}", held.generation)

    run(scenario())
    assert ["if-none-match" in headers for headers in seen] == [False, True, False]


def test_304_without_lifetime_keeps_the_lifetime(run: Run, issuer: LocalIssuer) -> None:
    """RFC 9111 section 3.2: header fields that the 304 does not repeat are those of the stored answer."""
    document = json.dumps(issuer.keys.jwks()).encode()

    def answer(request: Request) -> Response:
        if "if-none-match" in request.headers:
            return Response(b"", 304)
        return Response(document, 200, {"ETag": '"1"', "Cache-Control": "max-age=100"})

    issuer.serve("/tenant/jwks", answer)
    clock = FakeClock()

    async def scenario() -> None:
        async with started(policy(issuer, max_age=600, min_age=1), clock) as (_, keys):
            held = await keys.get()
            clock.forward(101)
            assert await keys.get() is held
            clock.forward(99)
            assert keys.current() is held
            clock.forward(1)
            assert keys.current() is None

    run(scenario())


def test_validators_are_for_their_own_url() -> None:
    """A tag of one server means nothing to another."""
    validators = Validators("https://a.example/jwks", '"tag"', "yesterday")
    assert validators.conditions("https://a.example/jwks") == {"if-none-match": '"tag"'}
    assert validators.conditions("https://b.example/jwks") == {}
    assert Validators("https://a.example/jwks").conditions("https://a.example/jwks") == {}


def test_changed_file_is_read_again(run: Run, tmp_path: Path, issuer: LocalIssuer) -> None:
    """A set that is renamed into place is noticed without a request and without the clock; a bad one changes nothing."""
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps(issuer.keys.jwks()))
    trusted = TrustedIssuer(
        "https://login.example", audience="a", jwks_options=JWKSOptions(jwks_file=path, poll_interval=0.05)
    )

    async def scenario() -> None:
        async with started(trusted) as (_, keys):
            await eventually(lambda: keys.current() is not None)
            kid = issuer.rotate().kid
            (tmp_path / "new").write_text(json.dumps(issuer.keys.jwks()))
            (tmp_path / "new").rename(path)
            await eventually(lambda: (held := keys.current()) is not None and held.jwk_set.holds(kid))
            path.write_text("{ half a doc")
            await eventually(lambda: keys.health().last_error is not None)
            assert keys.current() is not None
            path.write_text(json.dumps(issuer.keys.jwks()))
            await eventually(lambda: keys.health().last_error is None)
            path.unlink()
            assert keys.current() is not None

    run(scenario())


FILES = [
    (None, FetchFailure.FILE),
    (b" " * 65_537, FetchFailure.TOO_LARGE),
    (b" " * 65_536, FetchFailure.NOT_A_KEY_SET),
    (b"{}", FetchFailure.NOT_A_KEY_SET),
]


@pytest.mark.parametrize(("content", "error"), FILES)
def test_unusable_file(content: bytes | None, error: FetchFailure, run: Run, tmp_path: Path) -> None:
    """Missing, huge, or no key set: keys are unavailable, and health says why."""
    path = tmp_path / "jwks.json"
    if content is not None:
        path.write_bytes(content)
    options = JWKSOptions(jwks_file=str(path), start="lazy")  # type: ignore[arg-type]
    assert run(outcome(TrustedIssuer("https://login.example", audience="a", jwks_options=options))) is error


def test_byte_order_mark_before_key_set_and_metadata(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """RFC 8259 section 8.1 lets a reader ignore it; over HTTP, from a file and from your own source."""
    document = BOM_UTF8 + json.dumps(issuer.keys.jwks()).encode()
    issuer.serve_jwks(document)
    issuer.serve_discovery(BOM_UTF8 + json.dumps(issuer.discovery()).encode())
    path = tmp_path / "jwks.json"
    path.write_bytes(document)
    assert run(outcome(policy(issuer, discover=True))) is None
    assert run(outcome(policy(issuer, jwks_file=path))) is None
    assert run(outcome(policy(issuer, sources=(Static(document),)))) is None


CONFIGMAP = "..data"


def test_configmap_whose_symlink_is_swapped_is_read_again(run: Run, issuer: LocalIssuer, tmp_path: Path) -> None:
    """Kubernetes writes a new folder and swaps the symlink `..data`; the path of the file itself never changes."""

    def publish(version: str) -> None:
        folder = tmp_path / version
        folder.mkdir()
        (folder / "jwks.json").write_text(json.dumps(issuer.keys.jwks()))
        (tmp_path / "next").symlink_to(version)
        (tmp_path / "next").rename(tmp_path / CONFIGMAP)

    publish("one")
    (tmp_path / "jwks.json").symlink_to(f"{CONFIGMAP}/jwks.json")
    trusted = policy(issuer, jwks_file=tmp_path / "jwks.json", start="eager", poll_interval=0.05)

    async def scenario() -> None:
        async with started(trusted, SystemClock()) as (_, keys):
            await eventually(lambda: keys.current() is not None)
            kid = issuer.rotate().kid
            publish("two")
            await eventually(lambda: (held := keys.current()) is not None and held.jwk_set.holds(kid))

    run(scenario())


class Broken:
    """A source with a bug."""

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        raise ZeroDivisionError


class Silent:
    """A source that reports "not modified" although nothing is held."""

    async def load(self, client: HTTPClient, known: Validators | None) -> Loaded:
        return Loaded(None)


def test_sources_are_tried_in_order(run: Run, issuer: LocalIssuer) -> None:
    """The first that succeeds is used; if none does, the error of the first is reported."""
    document = json.dumps(issuer.keys.jwks()).encode()
    absent = JWKSURI(f"{issuer.origin}/nothing-here")
    assert run(outcome(policy(issuer, sources=(absent, Static(document))))) is None
    assert run(outcome(policy(issuer, sources=(absent, JWKSURI("https://10.0.0.1/jwks"))))) is FetchFailure.NOT_FOUND


@pytest.mark.parametrize(("source", "error"), [(Broken(), FetchFailure.INTERNAL), (Silent(), FetchFailure.PROTOCOL)])
def test_source_that_raises_is_a_failed_attempt(
    source: Any, error: FetchFailure, run: Run, issuer: LocalIssuer
) -> None:
    """Somebody else's exception is logged and becomes KEYS_UNAVAILABLE, never a traceback to a caller."""
    assert run(outcome(policy(issuer, sources=(source,)))) is error


def test_static_keys_need_no_event_loop() -> None:
    """A static set answers at once, on any thread, and no miss leads to a fetch."""
    from bearward.jwks.store import JWKSStore, MissAction

    issuer = LocalIssuer(algorithms=["ES256"])
    trusted = TrustedIssuer("https://login.example", audience="a", jwks=issuer.keys.jwks())
    keys = JWKSStore(clock=FakeClock()).keys_of(trusted)
    held = keys.current()
    assert held is not None
    assert keys.decide_on_miss("another", held.generation) is MissAction.UNKNOWN
    assert keys.health().state is Freshness.FRESH
    assert keys.health().next_refresh is None


def texts_of(issuer: LocalIssuer) -> list[tuple[str, Callable[[], None], str]]:
    """What breaks, and what the health then says; `{}` stands for the origin."""
    other = {**issuer.discovery(), "issuer": "https://other.example/"}
    metadata, keys = (
        f"{{}}/tenant{OPENID} (metadata of issuer): ",
        f"{{}}/tenant/jwks (jwks_uri in {{}}/tenant{OPENID}): ",
    )
    return [
        (
            "two issuers",
            lambda: issuer.serve_discovery(other),
            metadata
            + "metadata belongs to another issuer: it says 'https://other.example/', configured is '{}/tenant'; set issuer "
            "to exactly what the metadata says, or set jwks_uri",
        ),
        (
            "a status",
            lambda: issuer.serve_jwks(b"", status=503),
            keys
            + "responded with an error status (503); check that the issuer is up, and jwks_options.headers where it asks for "
            "credentials",
        ),
        (
            "a redirect",
            lambda: issuer.serve_jwks(b"", status=302),
            keys + "responded with a redirect (302); set jwks_uri to where the redirect leads",
        ),
        (
            "no key set",
            lambda: issuer.serve_jwks({"keys": []}),
            (
                "{}/tenant/jwks: document is not a usable JWK Set: the JWK Set has no usable key; check that jwks_uri is the issuer's "
                "JWK Set"
            ),
        ),
        (
            "nobody listens",
            issuer.down,
            metadata + "cannot connect: connection refused; check the host and port, or set jwks_options.proxy",
        ),
    ]


@pytest.mark.parametrize("number", range(5))
def test_failed_fetch_names_url_setting_cause_and_remedy(number: int, run: Run, issuer: LocalIssuer) -> None:
    """In the health as in the log, so that an operator need not guess."""
    origin = issuer.origin
    _, break_it, text = texts_of(issuer)[number]
    break_it()

    async def scenario() -> str | None:
        async with started(policy(issuer, discover=True)) as (_, keys):
            with contextlib.suppress(AuthError):
                await keys.get()
            return keys.health().last_error

    said = run(scenario()) or ""
    assert said.startswith(text.replace("{}", origin))


@pytest.mark.parametrize("setting", ["jwks_uri", "pem_uri"])
def test_missing_document_is_blamed_on_the_setting_that_named_it(setting: str) -> None:
    """Whoever configured an address is told to correct it; only one that was discovered can be set instead."""
    text = "https://login.example/keys ({}): responded that there is no such document (404); {}"
    where: Any = {"status": 404, "url": "https://login.example/keys"}
    configured = FetchError(FetchFailure.NOT_FOUND, **where, setting=setting)
    discovered = FetchError(FetchFailure.NOT_FOUND, **where, setting="metadata of issuer")
    assert str(configured) == text.format(setting, f"correct {setting}")
    assert str(discovered) == text.format("metadata of issuer", "set jwks_uri, or jwks_options.metadata")


def test_failure_shows_no_query_of_a_url() -> None:
    """It may hold a key of an API."""
    error = FetchError(FetchFailure.STATUS, 403, url="https://login.example/jwks?key=s3cret", setting="jwks_uri")
    assert "s3cret" not in f"{error} {error!r}"


def test_failures_have_texts_without_secrets() -> None:
    """What is logged is a class of error, at most with a status."""
    assert str(FetchError(FetchFailure.STATUS, 503)) == "responded with an error status (503)"
    assert str(FetchError(FetchFailure.TLS)) == "TLS handshake failed"
