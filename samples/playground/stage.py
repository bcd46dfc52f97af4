"""What the page can do: each button, from its JSON to what happens in issuer and servers.

Rules of this file: one method a button, its name in `acts`; wrong input raises `InvalidInputError`. What blocks runs in a
thread. Nothing here decides about a token: the servers do, and the core says why.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

from bearward import AuthError, Principal, Refusal, TrustedIssuer
from bearward.credential_place import CredentialPlace
from samples.command_line import load
from samples.event_link import REVOCABLE
from samples.playground.explaining import explain_sent
from samples.playground.faults import FAULTS, Workshop, good_base
from samples.playground.live import Live
from samples.playground.minting import InvalidInputError, Mint, parts_of
from samples.playground.profiles import LOCAL, PROFILES
from samples.playground.rules import RulesTable
from samples.playground.scene import ALGORITHMS, SERVERS, Scene
from samples.playground.sending import OPERATIONS, PROOFS, Sender
from samples.playground.streams import KINDS, Streams

__all__ = ["Stage"]

Act = Callable[[dict[str, Any]], Awaitable[Any]]

_SCOPES = "notes:read notes:write"
_REVOKED_FOR = 3600.0
_SLOW = 2.0
"""Seconds that a slow issuer takes."""
_PUSH_INTERVAL = 0.2
_AT_LEAST = 1.0
"""Seconds between two pictures of the state: at most, and at least."""
_CLAIM_OF = {"token": "jti", "session": "sid", "subject": "sub"}
_MAX_TOKEN = 64 * 1024


class Stage:
    """The acts, and the picture that the page shows; used on the event loop of the page's server."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._mint = Mint(scene.issuer)
        settings = load(str(scene.own_config))
        self._verifier = settings.verifier(default_origins=[scene.http])
        trusted = [issuer for issuer in settings.issuers if isinstance(issuer, TrustedIssuer)]
        self._places = {issuer.issuer: issuer.place for issuer in trusted}
        self._rules = RulesTable(scene)
        self._known: set[tuple[str, str]] = set()
        """Which keys of which issuers the servers have used."""
        self._live: Live
        self._sender: Sender
        self._streams: Streams
        self.acts: dict[str, Act] = {
            "about": self.about,
            "mint": self.mint,
            "break": self.break_token,
            "sign": self.sign,
            "send": self.send,
            "rules": self.rules,
            "issuer": self.change_issuer,
            "revoke": self.revoke,
            "streams": self.change_streams,
        }

    async def start(self, _: object) -> None:
        """Connect to the servers, and listen for their events."""
        self._live, self._sender = Live(self._scene), Sender(self._scene, self._mint)
        self._streams = Streams(self._scene, self._sender, self._live.touch)
        await self._live.start()
        await self._verifier.start()

    async def stop(self, _: object) -> None:
        """Close everything."""
        await self._streams.close_all()
        await self._sender.aclose()
        await self._live.aclose()
        await self._verifier.aclose()

    async def follow(self) -> AsyncGenerator[str, None]:
        """The state as server-sent events, as it changes."""
        since = 0
        while True:
            version = self._live.version
            state = self._live.snapshot(since) | {"streams": self._streams.snapshot(), "now": time.time()}
            since = max((event["number"] for event in state["events"]), default=since)
            yield f"event: state\ndata: {json.dumps(state)}\n\n"
            await asyncio.sleep(_PUSH_INTERVAL)
            await self._live.wait(version, _AT_LEAST)

    async def about(self, _: dict[str, Any]) -> dict[str, Any]:
        """What there is to choose from."""
        return {
            "addresses": {server: self._scene.address(server) for server in SERVERS}
            | {"issuer": self._scene.issuer.url},
            "algorithms": list(ALGORITHMS),
            "profiles": [LOCAL, *PROFILES],
            "operations": list(OPERATIONS),
            "proofs": list(PROOFS),
            "faults": [{"name": fault.name, "shows": fault.shows} for fault in FAULTS.values()],
            "streams": list(KINDS),
        }

    async def mint(self, asked: dict[str, Any]) -> dict[str, Any]:
        """A good token."""
        algorithm = _one_of("algorithm", asked.get("algorithm"), ALGORITHMS)
        lifetime = asked.get("lifetime", 300)
        if isinstance(lifetime, bool) or not isinstance(lifetime, int) or not 1 <= lifetime <= 3600:
            raise InvalidInputError("lifetime must be a whole number of seconds from 1 to 3600")
        scope, subject = asked.get("scope", _SCOPES), asked.get("subject", "ada")
        if not isinstance(scope, str) or not isinstance(subject, str) or not subject:
            raise InvalidInputError("subject must be a name, and scope a text of scopes with spaces between them")
        token = await asyncio.to_thread(
            self._mint.mint,
            alg=algorithm,
            profile=str(asked.get("profile", LOCAL)),
            binding=str(asked.get("binding", "none")),
            scope=scope,
            subject=subject,
            lifetime=lifetime,
        )
        return {"token": token}

    async def break_token(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The token with one fault, and the proof to send with it."""
        fault = FAULTS[_one_of("fault", asked.get("fault"), FAULTS)]
        given = _token(asked, empty=True)
        workshop = Workshop(
            mint=self._mint, withdraw_key=self._withdraw_key, revoke=self._revoke, good=self._good_token
        )
        token = good_base(workshop, given)
        await self._make_known(token)
        broken = await fault.make(workshop, token)
        return {"token": broken.token, "proof": broken.proof, "shows": fault.shows}

    async def sign(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Changed members: signed again by the issuer, or with the signature that the token had."""
        header, claims = asked.get("header"), asked.get("claims")
        if not isinstance(header, dict) or not isinstance(claims, dict):
            raise InvalidInputError("header and claims must be objects")
        if asked.get("keep_signature"):
            return {"token": self._mint.with_old_signature(_token(asked), header, claims)}
        return {"token": await asyncio.to_thread(self._mint.sign, header, claims)}

    async def send(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Three answers, and why."""
        token = _token(asked, empty=True) or None
        place = self._place(token)
        operation, proof = str(asked.get("operation", "access")), str(asked.get("proof", "as bound"))
        answers = await self._sender.send(token, operation, proof=proof, place=place)
        await self._judge(token)  # so that the keys are here
        why = explain_sent(
            self._verifier,
            token,
            place=place,
            presented=None if token is None else self._sender.presented(operation, token, proof, place),
            access=self._rules.access(*OPERATIONS[operation].http),
            code=answers[0].code,
        )
        return {"answers": [answer.to_dict() for answer in answers], **why}

    async def rules(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Both tables, and what the token would be let in to."""
        token = _token(asked, empty=True) or None
        principal, refused = await self._judge(token)
        rows = self._rules.for_caller(principal, self._verifier, refused)
        return {"rows": rows, "subject": None if principal is None else principal.subject}

    async def change_issuer(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Rotate, withdraw, go down, come up, be slow, be quick."""
        issuer, rollover = self._scene.issuer, self._scene.rollover
        algorithm = _one_of("algorithm", asked.get("algorithm", ALGORITHMS[0]), ALGORITHMS)
        changes: dict[str, tuple[Callable[[], object], str | None]] = {
            "rotate": (lambda: rollover.rotate(algorithm), None),
            "withdraw": (rollover.withdraw, None),
            "down": (issuer.down, "down"),
            "up": (issuer.up, "up"),
            "slow": (lambda: issuer.slow(_SLOW), "slow"),
            "quick": (lambda: issuer.slow(0), "up"),
        }
        change, state = changes[_one_of("to", asked.get("to"), changes)]
        try:
            await asyncio.to_thread(change)
        except OSError:
            raise InvalidInputError(
                "the issuer's port was taken by another program: start the playground again"
            ) from None
        self._live.issuer_is = state or self._live.issuer_is
        await self._live.record("issuer", str(asked["to"]), _SAID[str(asked["to"])].format(algorithm=algorithm))
        return {}

    async def revoke(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Revoke in every server."""
        await self._revoke(_one_of("kind", asked.get("kind"), REVOCABLE), _token(asked))
        return {}

    async def change_streams(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Open one, or close all."""
        if asked.get("close"):
            await self._streams.close_all()
        else:
            await self._streams.open(str(asked.get("open")), _token(asked))
        return {}

    async def _judge(self, token: str | None) -> tuple[Principal | None, AuthError | None]:
        if token is None:
            return None, AuthError(Refusal.CREDENTIALS_MISSING)
        try:
            return await self._verifier.verify(token, unsafe_allow_bound=True, place=self._place(token)), None
        except AuthError as refused:
            return None, refused

    def _place(self, token: str | None) -> CredentialPlace | None:
        claims = parts_of(token or "").claims or {}
        issuer = claims.get("iss")
        return self._places.get(issuer) if isinstance(issuer, str) else None

    def _good_token(self, binding: str) -> str:
        return self._mint.mint(
            alg=ALGORITHMS[0], profile=LOCAL, binding=binding, scope=_SCOPES, subject="ada", lifetime=300
        )

    async def _make_known(self, token: str) -> None:
        """Have the servers fetch the key of a good token: they fetch none for a token that is wrong in other ways."""
        parts = parts_of(token)
        key = str((parts.header or {}).get("kid")), str((parts.claims or {}).get("iss"))
        if key in self._known:
            return
        answers = await self._sender.send(token, "access", place=self._place(token))
        await self._judge(token)
        if all(answer.accepted for answer in answers):
            self._known.add(key)

    async def _withdraw_key(self, algorithm: str) -> None:
        """Rotate and withdraw; a token of the new key makes the servers look for it, and so lose the old one."""
        if algorithm not in ALGORITHMS:
            algorithm = ALGORITHMS[0]
        await self.change_issuer({"to": "rotate", "algorithm": algorithm})
        await self.change_issuer({"to": "withdraw"})
        probe = self._mint.mint(alg=algorithm, profile=LOCAL, binding="none", scope="", subject="ada", lifetime=60)
        await self._sender.send(probe, "access")
        await self._judge(probe)

    async def _revoke(self, kind: str, token: str) -> None:
        parts = parts_of(token)
        members = (parts.header if kind == "key" else parts.claims) or {}
        claim = _CLAIM_OF.get(kind, "kid")
        name, issuer = members.get(claim), (parts.claims or {}).get("iss")
        if not isinstance(name, str) or not isinstance(issuer, str):
            raise InvalidInputError(f"the token must have iss and {claim} to revoke this {kind}: mint another one")
        now = self._verifier.now()
        document = {"kind": kind, "issuer": issuer, "name": name, "until": now + _REVOKED_FOR}
        REVOCABLE[kind](self._verifier.revocations, issuer, name, now, now + _REVOKED_FOR)
        await self._live.tell_all(document)
        await self._live.record("issuer", "revoke", f"a {kind} was revoked in all three servers")


_SAID = {
    "rotate": "signs {algorithm} by a new key; the old one stays published",
    "withdraw": "publishes only the keys that sign",
    "down": "is down: no server can fetch keys",
    "up": "is up again",
    "slow": f"is slow: {_SLOW:.0f} s for each response",
    "quick": "is quick again",
}


def _token(asked: dict[str, Any], *, empty: bool = False) -> str:
    token = asked.get("token") or ""
    if not isinstance(token, str) or len(token) > _MAX_TOKEN or not (token or empty):
        raise InvalidInputError("token must be a text of up to 64 KiB: mint one or paste one")
    return token.strip()


def _one_of(name: str, value: object, allowed: Any) -> str:
    if not isinstance(value, str) or value not in allowed:
        raise InvalidInputError(f"{name} must be one of {', '.join(allowed)}")
    return value
