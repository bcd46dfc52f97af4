"""What the commands do, run as a process against real servers: an issuer, Valkey, applications of both frameworks."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from email.utils import formatdate
from pathlib import Path

import httpx2
import pytest

from bearward.testing import LocalIssuer, SigningKey, exchange
from tests.command_line.process import COMMAND, bearward, environment
from tests.core.jwks.cache_servers import Valkey

pytestmark = pytest.mark.thorough

AUDIENCE = "https://api.example"
SECRET = "0123456789abcdef" * 2


@pytest.fixture(scope="module")
def issuer() -> Iterator[LocalIssuer]:
    """An issuer that is up."""
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, clients={"app": "s3cret"}) as one:
        yield one


def settings(issuer: LocalIssuer, path: Path, more: str = "") -> str:
    """A settings file that trusts the issuer."""
    path.write_text(f"{more}\n[[issuers]]\nissuer = '{issuer.url}'\naudience = '{AUDIENCE}'\n")
    return str(path)


def test_explain_judges_by_a_file_by_the_environment_and_by_options(issuer: LocalIssuer, tmp_path: Path) -> None:
    """Three ways to say the same."""
    token, config = issuer.mint(), settings(issuer, tmp_path / "settings.toml", "notes = 'x'")
    by_file = bearward("explain", "--config", config, "--program-setting", "notes", given=token)
    trust = {"BEARWARD_ISSUER": issuer.url, "BEARWARD_AUDIENCE": AUDIENCE}
    by_environment = bearward("explain", given=token, env=trust)
    by_options = bearward("explain", "--issuer", issuer.url, "--audience", AUDIENCE, given=token)
    assert [by_file.code, by_environment.code, by_options.code] == [0, 0, 0]
    assert by_file.out.partition("\n")[0] == "accepted"


def test_explain_offline_asks_nobody(tmp_path: Path) -> None:
    """With a file of keys the issuer need not be there, and a template's tenants are judged too."""
    key = SigningKey.generate("ES256")
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [key.public_jwk()]}))
    config = tmp_path / "settings.toml"
    config.write_text(
        f"cache = 'redis://127.0.0.1:1/0'\ncache_secret = '{SECRET}'\n"
        f"[[issuers]]\ntemplate = 'https://login.example/{{tenant}}/v2.0'\naudience = '{AUDIENCE}'\n"
    )
    with LocalIssuer(algorithms=["ES256"], audience=AUDIENCE, identifier="https://login.example/blue/v2.0") as one:
        token = one.mint(key=key)
        asked = one.requests()
        given = ("explain", "--config", str(config), "--jwks-file", str(tmp_path / "keys.json"))
        accepted = bearward(*given, given=token)
        near = bearward(*given, "--json", given=one.mint(key=key, iss="https://login.example/blue/v2.0/"))
        assert one.requests() == asked
    assert (accepted.code, accepted.err) == (0, "")
    wrong = next(check for check in json.loads(near.out)["checks"] if check["verdict"] == "wrong")
    assert wrong["hint"].startswith("near miss: the token's issuer is https://login.example/{tenant}/v2.0 with a slash")


def test_explain_shows_claims_only_if_asked(issuer: LocalIssuer) -> None:
    """Hidden by default, in lines and in JSON."""
    token = issuer.mint(aud="marker-aud", sub="marker-sub")
    given = ("explain", "--issuer", issuer.url, "--audience", AUDIENCE)
    for arguments in (given, (*given, "--json")):
        assert "marker" not in bearward(*arguments, given=token).out
    shown = bearward(*given, "--show-claims", given=token)
    assert (shown.code, '"marker-aud"' in shown.out) == (1, True)


def test_keys_says_of_each_key_why_it_is_not_used() -> None:
    """A weak key, a secret and a private key beside a good one; nothing private is printed."""
    good = SigningKey.generate("ES256", kid="good")
    private = {**SigningKey.generate("ES256", kid="private").public_jwk(), "d": "c2VjcmV0LW9mLXRoZS1pc3N1ZXI"}
    with LocalIssuer() as issuer:
        issuer.jwks_headers["Cache-Control"] = "max-age=120"
        issuer.serve_jwks({"keys": [good.public_jwk(), private, {"kty": "oct", "k": "c2VjcmV0"}, 1]})
        ended = bearward("keys", "--issuer", issuer.url, "--json")
        lines = bearward("keys", "--issuer", issuer.url)
    (report,) = json.loads(ended.out)["issuers"]
    assert (ended.code, report["usable"]) == (0, True)
    assert [key["kid"] for key in report["keys"]] == ["good", "private", None, None]
    assert [bool(key["why_not"]) for key in report["keys"]] == [False, True, True, True]
    assert "private members" in report["keys"][1]["why_not"]
    assert "c2VjcmV0" not in ended.out + lines.out
    assert "1 of 4 keys usable" in lines.out


def test_doctor_makes_a_round_trip_through_the_cache_and_asks_the_store(issuer: LocalIssuer, tmp_path: Path) -> None:
    """What is shared by a fleet is reachable, takes a value, and gives it back; nothing stays in it."""
    with Valkey(tmp_path) as valkey:
        env = {
            "BEARWARD_ISSUER": issuer.url,
            "BEARWARD_AUDIENCE": AUDIENCE,
            "BEARWARD_CACHE": valkey.url,
            "BEARWARD_CACHE_SECRET": SECRET,
            "BEARWARD_REVOCATIONS_ON_FAILURE": "refuse",
        }
        ended = bearward("doctor", "--json", env=env)
    found = {one["area"]: one for one in json.loads(ended.out)["findings"]}
    assert ended.code == 0, ended.out
    assert found["cache"]["said"] == "takes a value and gives it back"
    assert found["revocations"]["verdict"] == "right"
    assert SECRET not in ended.out


def test_doctor_finds_several_things_at_once(tmp_path: Path) -> None:
    """One look: a metadata document of another issuer, unsafe settings, a secret file for everybody."""
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    secret.chmod(0o644)
    with LocalIssuer() as issuer:
        config = tmp_path / "settings.toml"
        config.write_text(f"[[issuers]]\nissuer = '{issuer.url}/'\naudience = 'a'\nunsafe_allow_no_expiry = true\n")
        env = {"BEARWARD_CACHE_SECRET_FILE": str(secret)}
        ended = bearward("doctor", "--config", str(config), "--json", env=env)
    said = {(one["area"], one["verdict"]): one["said"] for one in json.loads(ended.out)["findings"]}
    assert ended.code == 1
    assert "near miss: the metadata says the configured issuer without the slash" in said["discovery", "wrong"]
    assert "unsafe_allow_no_expiry is set" in said["settings", "note"]
    assert "can be read by every user" in said["secrets", "note"]


def test_doctor_compares_the_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An issuer whose responses are dated an hour from now has another clock than this machine."""
    monkeypatch.setattr(exchange._Exchange, "date_time_string", lambda _: formatdate(time.time() + 3600, usegmt=True))
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        ended = bearward("doctor", "--config", settings(issuer, tmp_path / "settings.toml"), "--json")
    (found,) = (one for one in json.loads(ended.out)["findings"] if one["area"] == "clock")
    assert (ended.code, found["verdict"], found["subject"]) == (1, "wrong", issuer.url)
    assert re.fullmatch("its clock is .* ahead of the clock of this machine", found["said"])
    assert "(NTP)" in found["remedy"]


def test_doctor_finds_redirects(tmp_path: Path) -> None:
    """Keys that are elsewhere are not followed there; the setting that mends it is named."""
    with LocalIssuer(algorithms=["ES256"]) as issuer:
        issuer.serve_garbage("a redirect to elsewhere")
        ended = bearward("doctor", "--config", settings(issuer, tmp_path / "settings.toml"), "--json")
    (found,) = (one for one in json.loads(ended.out)["findings"] if one["area"] == "redirects")
    assert (ended.code, found["verdict"]) == (1, "wrong")
    assert "set jwks_uri to where the redirect leads" in found["remedy"]


def test_doctor_warns_of_explanations(issuer: LocalIssuer, tmp_path: Path) -> None:
    """What is right during development is a note, since a proxy on the same machine would hand them on to anyone."""
    ended = bearward("doctor", "--config", settings(issuer, tmp_path / "settings.toml", "explain = true"), "--json")
    assert ended.code == 0
    (said,) = (one["said"] for one in json.loads(ended.out)["findings"] if one["said"].startswith("explain "))
    assert said == "explain is set: whoever reaches the servers through a proxy on this machine is told why, too"


def test_doctor_looks_into_files_of_certificates(issuer: LocalIssuer, tmp_path: Path) -> None:
    """A file that holds no certificate is named, whatever else that makes fail."""
    (tmp_path / "ca.pem").write_text("no certificate")
    config = settings(issuer, tmp_path / "settings.toml")
    with Path(config).open("a") as file:
        file.write(f"[issuers.keys]\nca_file = '{tmp_path}/ca.pem'\n")
    ended = bearward("doctor", "--config", config)
    assert ended.code == 1
    assert "ca_file holds no certificate in PEM; set ca_file to certificates in PEM" in ended.out


def test_doctor_says_what_is_wrong_with_settings(tmp_path: Path) -> None:
    """Settings that are invalid are one finding among others."""
    config = tmp_path / "settings.toml"
    config.write_text("[[issuers]]\nissuer = 'https://login.example'\naudience = 'a'\nleewey = 1\n")
    ended = bearward("doctor", "--config", str(config))
    assert ended.code == 1
    assert "settings\tissuers[0].leewey\tis not a setting here" in ended.out


APPLICATION = """
from concurrent.futures import ThreadPoolExecutor

import grpc
from sanic import Sanic, text

from bearward import TrustedIssuer, Verifier, authenticated, deny, public, requires, scope
from bearward_grpc import check_on_start
from bearward_grpc.method_rules.policy import Policy
from bearward_sanic import install
from samples.v1.sample_pb2_grpc import ProtectedServiceServicer, add_ProtectedServiceServicer_to_server

app = Sanic("described")
install(app, Verifier(TrustedIssuer("https://login.example", audience="a")))


@app.get("/notes")
@requires(scope("notes:read"))
async def notes(request):
    return text("")


@app.get("/about")
@public
async def about(request):
    return text("")


POLICY = Policy({"bearward.sample.v1.ProtectedService": authenticated})


def server():
    made = check_on_start(grpc.server(ThreadPoolExecutor(1)), POLICY)
    add_ProtectedServiceServicer_to_server(ProtectedServiceServicer(), made)
    return made


def broken():
    raise ValueError("a secret text")
"""


def test_rules_of_an_application_and_of_a_server(tmp_path: Path) -> None:
    """Who may call what, as the adapters decided, without a server that runs."""
    (tmp_path / "described.py").write_text(APPLICATION)
    env = {"PYTHONPATH": f"{tmp_path}:{Path.cwd()}", "PYTHONWARNINGS": "ignore"}
    sanic = bearward("rules", "described:app", env=env)
    server = bearward("rules", "described:server()", "--json", env=env)
    policy = bearward("rules", "described:POLICY", env=env)
    broken = bearward("rules", "described:broken()", env=env)
    doctor = bearward("doctor", "--issuer", "https://login.invalid", "--app", "described:app", "--json", env=env)
    assert "described.notes\tGET\trequires(scope('notes:read'))" in sanic.out
    assert "described.about\tGET\tpublic" in sanic.out
    rules = {row["name"]: row["rule"] for row in json.loads(server.out)["rules"]}
    assert rules["/bearward.sample.v1.ProtectedService/WhoAmI"] == "authenticated"
    assert policy.out.splitlines()[-1].split("\t") == ["(every other method)", "", "deny"]
    assert broken.line == "bearward rules: described:broken(): failed when it was called (ValueError)"
    assert ("rules", "right") in {(one["area"], one["verdict"]) for one in json.loads(doctor.out)["findings"]}


def test_token_is_granted_by_the_secret_alone(issuer: LocalIssuer, tmp_path: Path) -> None:
    """From the environment or a file; a wrong one is the issuer's own code, and exit code 1."""
    given = ("token", "--issuer", issuer.url, "--client-id", "app")
    (tmp_path / "secret").write_text("s3cret\n")
    by_file = bearward(*given, "--client-secret-file", str(tmp_path / "secret"))
    by_environment = bearward(*given, "--json", env={"BEARWARD_CLIENT_SECRET": "s3cret"})
    wrong = bearward(*given, env={"BEARWARD_CLIENT_SECRET": "other"})
    assert (by_file.code, by_file.out.count("."), by_file.err) == (0, 2, "")
    assert json.loads(by_environment.out)["expires_in"] == 300
    assert (wrong.code, wrong.line) == (1, "bearward token: no token: invalid_client")


def test_token_endpoint_that_is_not_there_is_code_3() -> None:
    """An issuer that is down, one without a token endpoint, and one that is no issuer."""
    with LocalIssuer() as issuer:
        issuer.serve_discovery({"issuer": issuer.url})
        none = bearward("token", "--issuer", issuer.url, "--client-id", "a", env={"BEARWARD_CLIENT_SECRET": "x"})
        issuer.serve_discovery(b"<html>")
        html = bearward("token", "--issuer", issuer.url, "--client-id", "a", env={"BEARWARD_CLIENT_SECRET": "x"})
        issuer.down()
        down = bearward(
            "token", "--token-endpoint", issuer.token_endpoint, "--client-id", "a", env={"BEARWARD_CLIENT_SECRET": "x"}
        )
    assert [none.code, html.code, down.code] == [3, 3, 3]
    assert "its metadata names no token_endpoint" in none.line
    assert "its metadata is not a JSON object" in html.line
    assert "the token endpoint cannot be reached" in down.line


def test_secret_is_not_sent_where_the_metadata_of_another_issuer_says() -> None:
    """RFC 8414 section 3.3: metadata is that of the issuer that was asked for, or none of it is used."""
    with LocalIssuer(clients={"a": "x"}) as issuer:
        for claimed in (f"{issuer.url}/", "https://login.example", None):
            issuer.serve_discovery({**issuer.discovery(), "issuer": claimed})
            said = bearward("token", "--issuer", issuer.url, "--client-id", "a", env={"BEARWARD_CLIENT_SECRET": "x"})
            assert (said.code, said.out) == (3, "")
            assert (
                said.line == f"bearward token: {issuer.url}: its metadata is that of another issuer, compared exactly"
            )
        assert not issuer.requests("/token")


@contextmanager
def running_issuer(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """`bearward issuer` on a free port, and where it is."""
    process = subprocess.Popen(
        [*COMMAND, "issuer", "--port", "0", *arguments], stdout=subprocess.PIPE, text=True, env=environment()
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("listening on "), line
        yield process, line.split()[2].rstrip(",")
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_issuer_has_faults_on_demand() -> None:
    """It grants tokens, breaks as it is told to, and works again; Ctrl-C ends it with code 0."""
    with running_issuer("--algorithm", "ES256") as (process, url):
        token = httpx2.post(f"{url}/token", data={"grant_type": "client_credentials"}, auth=("a", "b")).json()
        given = ("explain", "--issuer", url, "--audience", AUDIENCE)
        assert bearward(*given, given=token["access_token"]).code == 0
        assert httpx2.post(f"{url}/fault", data={"fault": "html"}).json() == {"fault": "html"}
        assert bearward(*given, given=token["access_token"]).code == 3
        assert httpx2.post(f"{url}/fault", data={"fault": "wrong-issuer"}).status_code == 200
        assert "near miss" in bearward("doctor", "--issuer", url).out
        assert httpx2.post(f"{url}/fault", data={"fault": "none"}).status_code == 200
        assert bearward(*given, given=token["access_token"]).code == 0
        assert "wrong-issuer" in httpx2.post(f"{url}/fault", data={"fault": "nonsense"}).json()["faults"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_revoked_token_is_refused_once_the_store_has_it(issuer: LocalIssuer, tmp_path: Path) -> None:
    """`revoke` writes to the store that the servers share; `explain` then says that the token was revoked."""
    token = issuer.mint(claims={"jti": "id-1"})
    with Valkey(tmp_path) as valkey:
        shared = f"cache = '{valkey.url}'\ncache_secret = '{SECRET}'\nrevocations = {{ on_failure = 'refuse' }}"
        config = settings(issuer, tmp_path / "settings.toml", shared)
        before = bearward("explain", "--config", config, given=token)
        revoked = bearward("revoke", "token", "id-1", "--config", config)
        after = bearward("explain", "--config", config, given=token)
    down = bearward("revoke", "token", "id-1", "--config", config)
    assert [before.code, revoked.code, after.code, down.code] == [0, 0, 1, 3]
    assert revoked.out == "revoked\n"
    assert after.out.startswith("refused (token_revoked)")
    assert down.line == "bearward revoke: not revoked: the store does not answer"


def test_config_check_names_the_setting(tmp_path: Path) -> None:
    """Valid, or the line says which setting and what it must be; as JSON too."""
    config = tmp_path / "settings.toml"
    config.write_text("[[issuers]]\nissuer = 'https://login.example'\naudience = 'a'\nleeway = 301\n")
    line = bearward("config", "check", "--config", str(config))
    data = bearward("config", "check", "--config", str(config), "--json")
    config.write_text("[[issuers]]\nissuer = 'https://login.example'\naudience = 'a'\n")
    valid = bearward("config", "check", "--config", str(config), "--json")
    assert (line.code, data.code, valid.code) == (2, 2, 0)
    assert line.line == "bearward config: issuers[0].leeway: must be a number of seconds between 0 and 300"
    assert json.loads(data.out) == {
        "valid": False,
        "setting": "issuers[0].leeway",
        "requirement": "must be a number of seconds between 0 and 300",
        "mistakes": [{"setting": "issuers[0].leeway", "requirement": "must be a number of seconds between 0 and 300"}],
    }
    assert json.loads(valid.out) == {"valid": True, "issuers": ["https://login.example"]}
