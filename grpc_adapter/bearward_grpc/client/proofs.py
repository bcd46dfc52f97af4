"""DPoP proofs for outgoing calls (RFC 9449 section 4).

Rules of this file: a proof names the method as an HTTP/2 request does: `POST`, and the server's public origin followed
by `/package.Service/Method`. A nonce from a server is used from then on.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import grpc

from bearward.dpop.origins import PublicOrigins
from bearward.errors import ConfigurationError
from bearward_grpc.client.dpop_key import DPoPKey
from bearward_grpc.client.sources import TokenSource

__all__ = ["DPoPKey", "ProvenToken", "Prover"]

_NONCE_REQUIRED = "dpop_nonce_required"
_MAX_NONCE = 512  # characters


class ProvenToken:
    """A source whose tokens are bound to `key`: each call carries a proof beside the token of `source`."""

    def __init__(self, source: TokenSource, key: DPoPKey) -> None:
        self._source = source
        self.dpop_key: DPoPKey = key

    def token(self) -> str:
        """A token of `source`."""
        return self._source.token()

    async def token_async(self) -> str:
        """A token of `source`."""
        return await self._source.token_async()

    def invalidate(self, token: str) -> bool:
        """Forget `token`."""
        return self._source.invalidate(token)

    def __repr__(self) -> str:
        return f"<ProvenToken of {self._source!r} by {self.dpop_key!r}>"


class Prover:
    """What the calls of one channel carry: a token, and a proof where its source has a key.

    `origin` is the server's public origin; without one it is that which grpc itself connects to.
    """

    def __init__(self, source: TokenSource, origin: str | None) -> None:
        self._key: DPoPKey | None = getattr(source, "dpop_key", None)
        self._origin = None if origin is None else PublicOrigins(origin).origins[0]
        self._nonce: str | None = None

    @property
    def has_key(self) -> bool:
        """Whether calls carry proofs."""
        return self._key is not None

    def metadata(self, token: str, method: str, service_url: str | None = None) -> tuple[tuple[str, str], ...]:
        """The entries for a call of `method` (`/package.Service/Method`) with `token`.

        `service_url` is what grpc tells call credentials (`https://host/package.Service`). Raises `ConfigurationError`
        if the server's origin is not known.
        """
        if self._key is None:
            return (("authorization", f"Bearer {token}"),)
        origin = self._origin or _origin_of(service_url)
        proof = self._key.proof(origin + method, token=token, nonce=self._nonce)
        return ("authorization", f"DPoP {token}"), ("dpop", proof)

    def learn(self, trailers: Any) -> bool:
        """Keep the nonce of a call's trailers; whether the call was refused for want of it."""
        held = {key: value for key, value in trailers or () if isinstance(value, str)}
        nonce = held.get("dpop-nonce", "")
        if self._key is None or not nonce or len(nonce) > _MAX_NONCE:
            return False
        self._nonce = nonce
        return held.get("bearward-code") == _NONCE_REQUIRED or "use_dpop_nonce" in held.get("www-authenticate", "")

    def call_credentials(self, token: str) -> grpc.CallCredentials:
        """Call credentials of one token, which grpc asks for the metadata of a call; they need TLS."""
        if self._key is None:
            return grpc.access_token_call_credentials(token)
        return grpc.metadata_call_credentials(_Plugin(self, token), name="bearward")


class _Plugin(grpc.AuthMetadataPlugin):  # type: ignore[misc,unused-ignore]
    def __init__(self, prover: Prover, token: str) -> None:
        self._prover, self._token = prover, token

    def __call__(self, context: Any, callback: Any) -> None:
        method = f"/{urlsplit(context.service_url).path.strip('/')}/{context.method_name}"
        try:
            metadata = self._prover.metadata(self._token, method, context.service_url)
        except Exception as error:  # noqa: BLE001  (grpc turns it into UNAVAILABLE)
            callback((), error)
        else:
            callback(metadata, None)


def _origin_of(service_url: str | None) -> str:
    if service_url is None:
        raise ConfigurationError("origin", "must be the server's public origin, such as https://api.example")
    parts = urlsplit(service_url)
    return f"{parts.scheme}://{parts.netloc}"
