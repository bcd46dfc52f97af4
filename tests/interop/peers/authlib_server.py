"""`python -m tests.interop.peers.authlib_server ALG AUDIENCE`: Authlib's authorization server with access tokens by RFC 9068.

Flask serves it, as Authlib's own guide shows. The client `robot` asks for tokens by its credentials; the scope `brief` makes
one that lives for two seconds, `id` one with the shape of an ID token, signed by the same key, and `elsewhere` one for
another API.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import grants
from authlib.oauth2.rfc9068 import JWTBearerTokenGenerator
from flask import Flask
from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey
from werkzeug.serving import make_server

SECRET = "a-secret-that-only-this-test-knows"
_LIVES = {"brief": 2}


class Robot:
    """The one client, with what the grant asks of it."""

    client_id = "robot"

    def get_client_id(self) -> str:
        """Its name."""
        return self.client_id

    def get_allowed_scope(self, scope: str) -> str:
        """Whatever it asks for."""
        return scope

    def check_client_secret(self, secret: str) -> bool:
        """Whether it is the client."""
        return secret == SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        """HTTP Basic alone."""
        return (method, endpoint) == ("client_secret_basic", "token")

    def check_grant_type(self, grant_type: str) -> bool:
        """Client credentials alone."""
        return grant_type == "client_credentials"


def add_routes(app: Flask, algorithm: str, audience: str, issuer: str) -> None:
    """Make the application that server."""
    made: Any = ECKey.generate_key("P-256") if algorithm.startswith("ES") else RSAKey.generate_key(2048)
    key = made.import_key({**made.as_dict(private=True), "kid": algorithm, "use": "sig"})

    class Tokens(JWTBearerTokenGenerator):  # type: ignore[misc,unused-ignore]
        def get_jwks(self) -> dict[str, Any]:
            private: dict[str, Any] = key.as_dict(private=True)
            return private

        def get_audiences(self, client: Any, user: Any, scope: str) -> str:
            return "https://another.example" if scope == "elsewhere" else audience

        def _get_expires_in(self, client: Any, grant_type: str) -> int:
            return self.lives

        lives = 300

        def access_token_generator(self, client: Any, grant_type: str, user: Any, scope: str) -> Any:
            self.lives = _LIVES.get(scope, 300)
            if scope == "id":
                return identity()
            return super().access_token_generator(client, grant_type, user, scope)

    def identity() -> str:
        now = int(time.time())
        claims = {
            "iss": issuer,
            "sub": "ada",
            "aud": "robot",
            "azp": "robot",
            "iat": now,
            "exp": now + 300,
            "nonce": "n",
        }
        return jwt.encode({"alg": algorithm, "kid": algorithm}, claims, key)

    server = AuthorizationServer(app, query_client=lambda _: Robot(), save_token=lambda token, request: None)
    server.register_grant(grants.ClientCredentialsGrant)
    server.register_token_generator("default", Tokens(issuer, algorithm))
    document = {"issuer": issuer, "jwks_uri": f"{issuer}/jwks", "token_endpoint": f"{issuer}/token"}
    app.add_url_rule("/token", "token", server.create_token_response, methods=["POST"])
    app.add_url_rule("/jwks", "jwks", lambda: KeySet([key]).as_dict(private=False))
    app.add_url_rule("/.well-known/openid-configuration", "metadata", lambda: document)


def main(algorithm: str, audience: str) -> None:
    """Serve until told to end."""
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"  # on loopback
    app = Flask("authlib")
    server = make_server("127.0.0.1", 0, app, threaded=True)
    issuer = f"http://127.0.0.1:{server.server_port}"
    add_routes(app, algorithm, audience, issuer)
    sys.stdout.write(f"listening on {issuer}\n")
    sys.stdout.flush()
    server.serve_forever()


if __name__ == "__main__":
    main(*sys.argv[1:])
