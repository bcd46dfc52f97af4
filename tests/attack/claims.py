"""Hostile claims: times, issuer and audience; and tokens that are made to cost more than they are worth."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from bearward.testing import json_octets
from tests.attack.case import Case, bearer
from tests.attack.token_factory import OUT, TokenFactory, b64, segments

__all__ = ["cost", "issuer_and_audience", "time"]

_MISSING, _MALFORMED = "claim_missing", "claim_malformed"
_EXPIRED, _EARLY, _FUTURE = "token_expired", "token_not_yet_valid", "token_issued_in_future"
_HUGE = 10**400


def time(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7519 sections 4.1.4 to 4.1.6: `exp` is there and ahead, `nbf` and `iat` are past; all are numbers."""
    now = forge.now
    changes: dict[str, tuple[dict[str, Any], str]] = {
        "no exp": ({"exp": OUT}, _MISSING),
        "exp a second ago": ({"exp": now - 1}, _EXPIRED),
        "exp half a second ago": ({"exp": now - 0.5}, _EXPIRED),
        "exp an hour ago": ({"exp": now - 3600}, _EXPIRED),
        "exp 0": ({"exp": 0}, _EXPIRED),
        "exp negative": ({"exp": -1}, _EXPIRED),
        "exp very negative": ({"exp": -(10**30)}, _EXPIRED),
        "exp minus 1e299": ({"exp": -1e299}, _EXPIRED),
        "exp a tiny fraction": ({"exp": 1e-300}, _EXPIRED),
        "nbf in an hour": ({"nbf": now + 3600}, _EARLY),
        "nbf in an hour, fractional": ({"nbf": now + 3600.5}, _EARLY),
        "nbf 1e20": ({"nbf": 1e20}, _EARLY),
        "nbf beyond exp": ({"nbf": now + 7200, "exp": now + 3600}, _EARLY),
        "iat in an hour": ({"iat": now + 3600}, _FUTURE),
        "iat in milliseconds": ({"iat": now * 1000}, _FUTURE),
        "iat 1e20": ({"iat": 1e20}, _FUTURE),
        "expired and not yet valid": ({"exp": now - 5, "nbf": now + 5000}, _EXPIRED),
    }
    for name, (change, code) in changes.items():
        yield bearer("time", name, forge.sign(claims=change), code)
    kinds: dict[str, Any] = {
        "null": None,
        "a string": str(now + 3600),
        "true": True,
        "false": False,
        "a list": [now],
        "an object": {"t": now},
        "empty": "",
        "a date": "2099-01-01T00:00:00Z",
    }
    for claim in ("exp", "nbf", "iat"):
        for name, value in kinds.items():
            yield bearer("time", f"{claim} {name}", forge.sign(claims={claim: value}), _MALFORMED)
        huge = forge.sign(claims={claim: _HUGE})
        yield bearer("time", f"{claim} in 400 digits", huge, _MALFORMED)
        yield bearer("time", f"{claim} in 400 digits, negative", forge.sign(claims={claim: -_HUGE}), _MALFORMED)


def issuer_and_audience(forge: TokenFactory) -> Iterator[Case]:
    """RFC 7519 sections 4.1.1 and 4.1.3: compared whole and exactly; one of the audiences is ours."""
    untrusted = "issuer_untrusted"
    us, them = forge.issuer, forge.audience
    issuers: dict[str, tuple[Any, str]] = {
        "absent": (OUT, _MISSING),
        "null": (None, _MALFORMED),
        "a list with it": ([us], _MALFORMED),
        "an object": ({us: 1}, _MALFORMED),
        "a number": (1, _MALFORMED),
        "true": (True, _MALFORMED),
        "empty": ("", untrusted),
        "another": ("https://other.example", untrusted),
        "with a slash behind": (us + "/", untrusted),
        "with a space behind": (us + " ", untrusted),
        "with a line feed behind": (us + "\n", untrusted),
        "with NUL behind": (us + "\x00", untrusted),
        "with more behind": (us + ".evil.example", untrusted),
        "cut short": (us[:-1], untrusted),
        "one letter": (us[0], untrusted),
        "in capitals": (us.upper(), untrusted),
        "with another scheme": (us.replace("http://", "https://"), untrusted),
        "with a user name": (us.replace("://", "://x@"), untrusted),
        "with a query": (us + "?", untrusted),
        "with a fragment": (us + "#", untrusted),
        "with a path that goes back": (us + "/x/..", untrusted),
        "percent encoded": (us.replace("1", "%31", 1), untrusted),
        "a lookalike": (us.replace("o", "о") if "o" in us else us + "а", untrusted),  # noqa: RUF001
        "its discovery document": (us + "/.well-known/openid-configuration", untrusted),
        "the attacker's server": (forge.canary, untrusted),
        "a file": ("file:///etc/passwd", untrusted),
        "two hundred thousand bits": ("x" * 4000, untrusted),
    }
    for name, (value, code) in issuers.items():
        yield bearer("issuer and audience", f"iss {name}", forge.sign(claims={"iss": value}), code)
    mismatch = "audience_mismatch"
    audiences: dict[str, tuple[Any, str]] = {
        "absent": (OUT, _MISSING),
        "null": (None, _MALFORMED),
        "true": (True, _MALFORMED),
        "a number": (1, _MALFORMED),
        "an object with it": ({them: 1}, _MALFORMED),
        "an empty list": ([], _MALFORMED),
        "a list of lists": ([[them]], _MALFORMED),
        "a list with null": ([them, None], _MALFORMED),
        "a list with a number": ([them, 1], _MALFORMED),
        "empty": ("", mismatch),
        "another": ("https://other.example", mismatch),
        "a list of others": (["https://other.example", "x"], mismatch),
        "with a slash behind": (them + "/", mismatch),
        "with a path behind": (them + "/orders", mismatch),
        "cut short": (them[:-1], mismatch),
        "one letter": (them[0], mismatch),
        "in capitals": (them.upper(), mismatch),
        "with a space before": (" " + them, mismatch),
        "with NUL behind": (them + "\x00", mismatch),
        "separated by spaces": (f"x {them} y", mismatch),
        "separated by commas": (f"x,{them}", mismatch),
        "a star": ("*", mismatch),
        "a pattern": (".*", mismatch),
        "two hundred others": ([f"https://{n}.example" for n in range(200)], mismatch),
    }
    for name, (value, code) in audiences.items():
        yield bearer("issuer and audience", f"aud {name}", forge.sign(claims={"aud": value}), code)
    kinds: dict[str, Any] = {"a number": 7, "null": None, "a list": ["ada"], "an object": {}, "true": True}
    for claim in ("sub", "jti"):
        for name, odd in kinds.items():
            yield bearer("issuer and audience", f"{claim} {name}", forge.sign(claims={claim: odd}), _MALFORMED)
    for name, bound in {
        "a thumbprint": {"jkt": "x"},
        "a certificate": {"x5t#S256": "x"},
        "empty": {},
        "null": None,
    }.items():
        token = forge.sign(claims={"cnf": bound})
        yield bearer("issuer and audience", f"cnf {name}", token, "token_sender_constrained")


def cost(forge: TokenFactory) -> Iterator[Case]:
    """RFC 8725 section 3.11 and plain prudence: any token costs little, whatever its shape."""
    first, second, third = forge.parts()
    digits, deep = b"9" * 4700, b"[" * 2300 + b"]" * 2300
    bodies = {
        "deep arrays": b'{"a":' + deep + b"}",
        "deep objects": b'{"a":' * 780 + b"1" + b"}" * 780,
        "digits": b'{"exp":' + digits + b"}",
        "digits of a fraction that ends badly": b'{"a":0.' + digits + b"e}",
        "an exponent of digits": b'{"a":1e' + digits + b"}",
        "escapes without an end": b'{"a":"' + b'\\"' * 2300,
        "quotes without an end": b'"' * 4700,
        "backslashes": b'{"a":"' + b"\\" * 4701,
        "escaped surrogates": b'{"a":"' + b"\\ud800" * 900 + b'"}',
        "commas": b"{" + b"," * 4700 + b"}",
        "white space and nothing else": b" " * 4700,
    }
    for name, body in bodies.items():
        yield bearer("cost", f"payload: {name}", segments(first, b64(body), third), "payload_malformed")
        short = body[:3900]
        yield bearer("cost", f"header: {name}", segments(b64(short), second, third), "header_malformed")
    wide = b'{"a":' + b"[" * 5900 + b"]" * 5900 + b"}"
    yield bearer(
        "cost", "payload: 12 KiB of arrays", segments(first, b64(wide), third), "payload_malformed", large=True
    )
    strings = b'{"a":"' + b"[{" * 2300 + b'"}'
    yield bearer("cost", "payload: brackets in a string", segments(first, b64(strings), third), "claim_missing")
    members = json_octets({f"m{n}": n for n in range(500)})
    yield bearer("cost", "payload: many members", segments(first, b64(members), third), "claim_missing")
    array = json_octets({"a": [1] * 1500})
    yield bearer("cost", "payload: many elements", segments(first, b64(array), third), "claim_missing")
    crowd = json_octets({"a": [1] * 1538})
    yield bearer("cost", "payload: too many elements", segments(first, b64(crowd), third), "payload_malformed")
    twins = b"{" + b'"a":1,' * 780 + b'"a":1}'
    yield bearer(
        "cost", "payload: one member a thousand times", segments(first, b64(twins), third), "payload_malformed"
    )
    empties = b'{"a":[' + b"{}," * 1500 + b"{}]}"
    yield bearer("cost", "payload: many empty objects", segments(first, b64(empties), third), "payload_malformed")
    yield bearer("cost", "7,000 dots", b"." * 7000, "token_malformed")
    yield bearer("cost", "7,000 letters", b"e" * 7000, "token_malformed")
    yield bearer("cost", "a signature of 5 KiB", segments(first, second, b64(bytes(5000))), "signature_invalid")
    yield bearer("cost", "20 KiB", segments(first, b64(bytes(15000)), third), "token_too_large", large=True)
    yield bearer("cost", "60 KiB", segments(first, b64(bytes(45000)), third), "token_too_large", large=True)
