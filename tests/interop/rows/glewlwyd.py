"""Glewlwyd (Debian): an OpenID server in C over GnuTLS. One plugin instance, and so one issuer, for each algorithm."""

from __future__ import annotations

import gzip
import shutil
import sqlite3
from pathlib import Path
from typing import Any

import httpx2
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from tests.interop import loopback
from tests.interop.forgeries import forgeries
from tests.interop.pair import AUDIENCE, Pair
from tests.interop.processes import Process, free_port
from tests.interop.sheet import ACCEPTED, Row, Sheet
from tests.interop.tokens import header_of, post_form, wait_until_expired

__all__ = ["ROWS"]

_SCHEMA = Path("/usr/share/doc/glewlwyd/database/init.sqlite3.sql.gz")
_CLIENT = ("robot", "a-secret-that-only-this-test-knows")
_KINDS = {
    **{f"RS{size}": ("rsa", size) for size in (256, 384, 512)},
    **{f"PS{size}": ("rsa-pss", size) for size in (256, 512)},
    **{f"ES{size}": ("ecdsa", size) for size in (256, 512)},
    "EdDSA": ("eddsa", 256),
}
_CURVES: dict[str, ec.EllipticCurve] = {"ES256": ec.SECP256R1(), "ES512": ec.SECP521R1()}


def _run(sheet: Sheet) -> None:
    url = _started(sheet)
    with httpx2.Client(base_url=url) as admin:
        _set_up(admin)
        for algorithm, kind in _KINDS.items():
            key = _private_key(algorithm)
            _add_issuer(admin, algorithm, f"{url}/api/{algorithm}", key, kind=kind)
            # the same issuer by the same key, but for tokens that live a second
            _add_issuer(admin, f"{algorithm}-brief", f"{url}/api/{algorithm}", key, kind=kind, seconds=1)
        _add_issuer(admin, "short", f"{url}/api/short", _short_key(), kind=("ecdsa", 512))
        _add_issuer(admin, "ES384", f"{url}/api/ES384", ec.generate_private_key(ec.SECP384R1()), kind=("ecdsa", 384))
    names = (*_KINDS, "short", "ES384")
    pair = Pair(sheet, *({"issuer": f"{url}/api/{name}", "audience": AUDIENCE} for name in names))
    brief = {algorithm: _token(f"{url}/api/{algorithm}-brief") for algorithm in _KINDS}
    for algorithm, expired in brief.items():
        _judge(sheet, pair, f"{url}/api/{algorithm}", algorithm)
        wait_until_expired(expired)
        sheet.expect(f"{algorithm}: expired", "token_expired", pair.ask(expired))
    short = _token(f"{url}/api/short")
    sheet.expect("ES512: a key with a coordinate that lacks its leading zero", ACCEPTED, pair.ask(short))
    crossed = _token(f"{url}/api/ES256")
    sheet.check(
        "ES256: one issuer's keys are not another's", "HTTP", header_of(crossed)["kid"] != header_of(short)["kid"]
    )
    misnamed = _token(f"{url}/api/ES384")
    sheet.check("ES384 asked for: it signs as ES512", "HTTP", header_of(misnamed)["alg"] == "ES512")
    sheet.expect("ES512 by a key on P-384, the issuer's only one", "keys_unavailable", pair.ask(misnamed))
    sheet.note("Asked for ES384 it says ES512 of a key on P-384: such a key fits no algorithm (RFC 7518 section 3.4).")
    sheet.note("The jwks_uri has a double slash. EC coordinates are published without their leading zeros.")


def _judge(sheet: Sheet, pair: Pair, issuer: str, algorithm: str) -> None:
    sheet.algorithms[algorithm] = None
    metadata = loopback.get(f"{issuer}/.well-known/openid-configuration").json()
    sheet.check(
        f"{algorithm}: double slash in jwks_uri", "HTTP", "//api/" in metadata["jwks_uri"], metadata["jwks_uri"]
    )
    jwks = loopback.get(metadata["jwks_uri"]).json()
    good = _token(issuer)
    sheet.check(f"{algorithm}: signed so", "HTTP", header_of(good)["alg"] == algorithm, header_of(good)["alg"])
    sheet.expect(f"{algorithm}: good", ACCEPTED, pair.ask(good))
    for name, forged, wanted in forgeries(good, jwks):
        sheet.expect(f"{algorithm}: {name}", wanted, pair.ask(forged))
    sheet.expect(
        f"{algorithm}: another resource", "audience_mismatch", pair.ask(_token(issuer, "https://other.example"))
    )


def _token(issuer: str, resource: str = AUDIENCE) -> str:
    form = {"grant_type": "client_credentials", "scope": "notes:read", "resource": resource}
    token: str = post_form(f"{issuer}/token", form, auth=_CLIENT)["access_token"]
    return token


def _started(sheet: Sheet) -> str:
    port = free_port()
    database = sheet.folder / "glewlwyd.db"
    with sqlite3.connect(database) as connection:
        connection.executescript(gzip.decompress(_SCHEMA.read_bytes()).decode())
    connection.close()
    config = sheet.folder / "glewlwyd.conf"
    config.write_text(_CONFIG.format(port=port, folder=sheet.folder, database=database), encoding="utf-8")
    process = sheet.start(Process("glewlwyd", [shutil.which("glewlwyd") or "glewlwyd", "-c", config], sheet.folder))
    process.until_listening(port)
    return f"http://127.0.0.1:{port}"


def _set_up(admin: httpx2.Client) -> None:
    _post(admin, "/api/auth/", username="admin", password="password")
    _post(admin, "/api/scope/", name="notes:read", display_name="read", password_required=False, scheme={})
    _post(
        admin,
        "/api/client/",
        client_id=_CLIENT[0],
        password=_CLIENT[1],
        enabled=True,
        confidential=True,
        authorization_type=["client_credentials"],
        token_endpoint_auth_method=["client_secret_basic"],
        scope=["notes:read"],
        resource=[AUDIENCE, "https://other.example"],
    )


def _add_issuer(
    admin: httpx2.Client,
    name: str,
    issuer: str,
    key: Any,
    *,
    kind: tuple[str, int],
    seconds: int = 300,
) -> None:
    jwt_type, size = kind
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    times = {"access-token-duration": seconds, "refresh-token-duration": 60, "code-duration": 60}
    grants = ("code", "token", "password", "refresh", "device", "implicit", "none")
    parameters = {
        "iss": issuer,
        "jwt-type": jwt_type,
        "jwt-key-size": str(size),
        "key": private,
        "cert": public,
        **times,
        **{f"auth-type-{grant}-enabled": False for grant in grants},
        "auth-type-client-enabled": True,
        "allow-non-oidc": True,
        "jwks-show": True,
        "refresh-token-rolling": False,
        "resource-allowed": True,
        "resource-client-property": "resource",
        "resource-scope-and-client-property": False,
        "subject-type": "public",
    }
    _post(
        admin,
        "/api/mod/plugin/",
        module="oidc",
        name=name,
        display_name=name,
        parameters=parameters,
        order_rank=0,
        readonly=False,
    )


def _post(admin: httpx2.Client, path: str, **body: Any) -> None:
    response = admin.post(path, json=body)
    if response.status_code != 200:
        raise RuntimeError(f"{path}: {response.status_code} {response.text[:300]}")


def _private_key(algorithm: str) -> Any:
    if algorithm in _CURVES:
        return ec.generate_private_key(_CURVES[algorithm])
    return Ed25519PrivateKey.generate() if algorithm == "EdDSA" else rsa.generate_private_key(65537, 2048)


def _short_key() -> ec.EllipticCurvePrivateKey:
    """On P-521, with a coordinate below 2**520: its first octet is zero."""
    while True:
        key = ec.generate_private_key(ec.SECP521R1())
        numbers = key.public_key().public_numbers()
        if min(numbers.x, numbers.y) < 1 << 520:
            return key


_CONFIG = """
port={port}
bind_address="127.0.0.1"
external_url="http://127.0.0.1:{port}/"
login_url="login.html"
api_prefix="api"
static_files_path="{folder}"
cookie_domain="127.0.0.1"
cookie_secure=0
session_key="GLEWLWYD2_SESSION_ID"
admin_scope="g_admin"
profile_scope="g_profile"
user_module_path="/usr/lib/glewlwyd/user"
user_middleware_module_path="/usr/lib/glewlwyd/user_middleware"
client_module_path="/usr/lib/glewlwyd/client"
user_auth_scheme_module_path="/usr/lib/glewlwyd/scheme"
plugin_module_path="/usr/lib/glewlwyd/plugin"
log_mode="console"
log_level="WARNING"
hash_algorithm="SHA512"
database={{ type="sqlite3"; path="{database}"; }};
"""

ROWS = (Row("glewlwyd", "Glewlwyd, an OpenID server in C over GnuTLS", ("debian:glewlwyd",), _run),)
