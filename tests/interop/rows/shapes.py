"""Issuers that cannot be run here, by their documented shape: `shapes/*.json`, with keys made for the run.

Rule of this file: the discovery document, the JWK Set and the tokens are shaped as the vendor's documentation says;
only the host is ours. Each shape names its sources.
"""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from joserfc import jws
from joserfc.jwk import OctKey, RSAKey

from tests.interop.certificates import x5c, x5t
from tests.interop.forgeries import forgeries
from tests.interop.manifest import HERE
from tests.interop.pair import Pair, environment
from tests.interop.processes import Process, free_port
from tests.interop.sheet import ACCEPTED, Row, Sheet

__all__ = ["ROWS"]

Shape = dict[str, Any]


def _run(shape: Shape, sheet: Sheet) -> None:
    port, now = free_port(), int(time.time())
    base, other = f"http://127.0.0.1:{port}", f"http://localhost:{port}"
    shape = _filled(shape, {"{base}": base, "{other}": other}, now)
    keys = {order["kid"]: RSAKey.generate_key(2048) for order in shape["jwks"]["keys"]}
    jwks = {"keys": [_published(order, keys[order["kid"]]) for order in shape["jwks"]["keys"]]}
    documents = {
        shape["metadata"]["path"]: {"type": "application/json", "body": shape["metadata"]["document"]},
        shape["jwks"]["path"]: {
            "type": shape["jwks"]["type"],
            "headers": shape["jwks"].get("headers", {}),
            "body": jwks,
        },
    }
    file = sheet.folder / "documents.json"
    file.write_text(json.dumps(documents), encoding="utf-8")
    command = [sys.executable, "-m", "tests.interop.peers.documents", file, str(port)]
    sheet.start(Process("documents", command, sheet.folder, env=environment())).line("listening")
    pair = Pair(sheet, {"issuer": shape["issuer"], **shape["trust"]})
    sheet.algorithms["RS256"] = None
    for order in shape["tokens"]:
        token = order.get("raw") or _signed(order, keys)
        sheet.expect(order["case"], order["wanted"], pair.ask(token))
        if order["wanted"] == ACCEPTED:
            for name, forged, wanted in forgeries(token, jwks):
                sheet.expect(f"{order['case']}: {name}", wanted, pair.ask(forged))
    sheet.note(
        f"Shape: {shape['quirks']}. Sources: "
        + "; ".join(f"[{s['title']}]({s['url']})" for s in shape["sources"])
        + "."
    )


def _filled(value: Any, names: dict[str, str], now: int) -> Any:
    """The fixture with hosts and times put in."""
    if isinstance(value, dict):
        if value.keys() == {"$seconds"}:
            return now + value["$seconds"]
        return {name: _filled(item, names, now) for name, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, names, now) for item in value]
    if isinstance(value, str):
        for name, text in names.items():
            value = value.replace(name, text)
    return value


def _published(order: dict[str, Any], key: RSAKey) -> dict[str, Any]:
    members = {name: order[name] for name in ("alg", "use", "kid") if name in order}
    jwk = {**key.as_dict(private=False), **members, **order.get("members", {})}
    if order.get("x5c"):
        jwk["x5c"] = [x5c(key.private_key)]
        if order.get("x5t"):
            jwk["x5t"] = x5t(jwk["x5c"][0])
    if order.get("x5t_is_kid"):
        jwk["x5t"] = order["kid"]
    return jwk


def _signed(order: dict[str, Any], keys: dict[str, RSAKey]) -> str:
    key = OctKey.import_key(order["secret"]) if "secret" in order else keys[order["key"]]
    registry = jws.JWSRegistry(algorithms=["RS256", "HS512"], strict_check_header=False)
    return jws.serialize_compact(order["header"], json.dumps(order["claims"]), key, registry=registry)


def _row(file: Path) -> Row:
    shape: Shape = json.loads(file.read_text(encoding="utf-8"))
    return Row(f"shape-{file.stem}", f"{shape['name']}, by shape", (), partial(_run, shape))


ROWS = tuple(_row(file) for file in sorted((HERE / "shapes").glob("*.json")))
