"""Issuers that cannot be run here, by their documented shape: `shapes/*.json`, with keys made for the run.

Rules of this file: documents, keys and tokens are as the vendor's documentation has them, hosts and all; only where
`hosts` says so another host takes the place of the vendor's. What is trusted is what `docs/issuers.md` tells readers
to trust.
"""

from __future__ import annotations

import json
import re
import sys
import time
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from joserfc.jwk import RSAKey

from tests.interop.certificates import x5c, x5t, x5t_s256
from tests.interop.forgeries import forgeries
from tests.interop.manifest import HERE, TOP
from tests.interop.pair import Pair, environment
from tests.interop.processes import Process, free_port
from tests.interop.sheet import ACCEPTED, Row, Sheet
from tests.interop.tokens import b64, hs512, signed

__all__ = ["ROWS"]

Shape = dict[str, Any]
PAGE = TOP / "docs" / "issuers.md"


def _run(shape: Shape, sheet: Sheet) -> None:
    sheet.version = f"as documented in {shape['checked']}"
    port, now = free_port(), int(time.time())
    places = {"{base}": f"http://127.0.0.1:{port}", "{other}": f"http://localhost:{port}"}
    hosts = {host: places[place] for host, place in shape["hosts"].items()}
    shape = _filled({"trust": _trusted(shape), **shape}, hosts, now)
    orders = [key for document in shape["documents"] for key in document.get("keys", ())]
    keys = {order["kid"]: RSAKey.generate_key(2048) for order in orders}
    documents = {document["path"]: _document(document, keys) for document in shape["documents"]}
    file = sheet.folder / "documents.json"
    file.write_text(json.dumps(documents), encoding="utf-8")
    command = [sys.executable, "-m", "tests.interop.peers.documents", file, str(port)]
    sheet.start(Process("documents", command, sheet.folder, env=environment())).line("listening")
    usable = any(order["wanted"] == ACCEPTED for order in shape["tokens"])
    pair = Pair(sheet, *shape["trust"], wait=usable)
    sheet.algorithms["RS256"] = None
    published = {"keys": [_published(order, keys[order["kid"]]) for order in orders]}
    for order in shape["tokens"]:
        _judge(sheet, pair, order, _token(shape, order, keys), published)
    sheet.note(f"Shape: {shape['quirks']}. Sources: " + "; ".join(_source(source) for source in shape["sources"]) + ".")


def _judge(sheet: Sheet, pair: Pair, order: dict[str, Any], token: str, published: dict[str, Any]) -> None:
    case = order["case"]
    sheet.expect(case, order["wanted"], pair.ask(token))
    if "notes" in order:
        sheet.expect(f"{case}: scope notes:read", order["notes"], pair.ask_notes(token))
    if order["wanted"] == ACCEPTED:
        for name, forged, wanted in forgeries(token, published):
            sheet.expect(f"{case}: {name}", wanted, pair.ask(forged))


def _source(source: dict[str, str]) -> str:
    return f"[{source['title']}]({source['url']}) ({source['says']})"


def _trusted(shape: Shape) -> list[dict[str, Any]]:
    """The tables `[[issuers]]` under the vendor's heading; a shape that must be refused brings its own."""
    if "trust" in shape:
        own: list[dict[str, Any]] = shape["trust"]
        return own
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {shape['name']}\n", 1)[1].split("\n## ", 1)[0]
    found = re.findall(r"^```toml\n(.*?)^```", section, re.DOTALL | re.MULTILINE)
    tables: list[dict[str, Any]] = tomllib.loads(found[0])["issuers"]
    return tables


def _filled(value: Any, hosts: dict[str, str], now: int) -> Any:
    """The fixture with hosts and times put in."""
    if isinstance(value, dict):
        if value.keys() == {"$seconds"}:
            return now + value["$seconds"]
        return {name: _filled(item, hosts, now) for name, item in value.items() if name != "hosts"}
    if isinstance(value, list):
        return [_filled(item, hosts, now) for item in value]
    if isinstance(value, str):
        for host, ours in hosts.items():
            value = value.replace(host, ours)
    return value


def _document(document: dict[str, Any], keys: dict[str, RSAKey]) -> dict[str, Any]:
    orders = document.get("keys")
    jwks = None if orders is None else {"keys": [_published(order, keys[order["kid"]]) for order in orders]}
    return {**document, "body": document.get("body", jwks)}


def _published(order: dict[str, Any], key: RSAKey) -> dict[str, Any]:
    members = {name: order[name] for name in ("alg", "use", "kid") if name in order}
    certificate = x5c(key.private_key)
    about = {"x5c": [certificate], "x5t": x5t(certificate), "x5t#S256": x5t_s256(certificate)}
    chosen = {name: about[name] for name in order.get("certificate", ())}
    return {**key.as_dict(private=False), **members, **chosen, **order.get("members", {})}


def _token(shape: Shape, order: dict[str, Any], keys: dict[str, RSAKey]) -> str:
    if "raw" in order:
        return str(order["raw"])
    claims = {**shape["claims"][order["claims"]], **order.get("change", {})}
    payload = {name: value for name, value in claims.items() if name not in order.get("without", ())}
    header: str | dict[str, Any] = order["header"] if "header" in order else shape["header"]
    # a header that is text has the vendor's own white space
    head = b64(header.encode() if isinstance(header, str) else header)
    named: dict[str, Any] = json.loads(header) if isinstance(header, str) else header
    if "secret" in order:
        return hs512(head, payload, order["secret"].encode())
    key: Any = keys[order.get("key", named["kid"])].private_key
    return signed(head, payload, lambda octets: key.sign(octets, PKCS1v15(), hashes.SHA256()))


def _row(file: Path) -> Row:
    shape: Shape = json.loads(file.read_text(encoding="utf-8"))
    return Row(f"shape-{file.stem}", f"{shape['name']}, by shape", (), partial(_run, shape))


ROWS = tuple(_row(file) for file in sorted((HERE / "shapes").glob("*.json")))
