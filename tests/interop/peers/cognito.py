"""`python -m tests.interop.peers.cognito URL`: ask moto's Cognito for a user's tokens, as an app does, by boto3.

Prints one line of JSON: the client id, both tokens, and where the keys are.
"""

from __future__ import annotations

import importlib
import json
import sys
from typing import Any

_PASSWORD = "Correct-horse-9"


def main(url: str) -> None:
    """Make a pool, a client and a user, and sign in."""
    boto3: Any = importlib.import_module("boto3")
    cognito = boto3.client(
        "cognito-idp", endpoint_url=url, region_name="eu-west-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    pool = cognito.create_user_pool(PoolName="people")["UserPool"]["Id"]
    app = cognito.create_user_pool_client(
        UserPoolId=pool,
        ClientName="app",
        ExplicitAuthFlows=["ALLOW_USER_PASSWORD_AUTH", "ALLOW_ADMIN_USER_PASSWORD_AUTH"],
    )["UserPoolClient"]["ClientId"]
    cognito.admin_create_user(UserPoolId=pool, Username="ada")
    cognito.admin_set_user_password(UserPoolId=pool, Username="ada", Password=_PASSWORD, Permanent=True)
    cognito.create_group(GroupName="readers", UserPoolId=pool)
    cognito.admin_add_user_to_group(UserPoolId=pool, Username="ada", GroupName="readers")
    signed_in = cognito.admin_initiate_auth(
        UserPoolId=pool,
        ClientId=app,
        AuthFlow="ADMIN_USER_PASSWORD_AUTH",
        AuthParameters={"USERNAME": "ada", "PASSWORD": _PASSWORD},
    )["AuthenticationResult"]
    found = {
        "issuer": f"https://cognito-idp.eu-west-1.amazonaws.com/{pool}",
        "jwks_uri": f"{url}/{pool}/.well-known/jwks.json",
        "client_id": app,
        "access": signed_in["AccessToken"],
        "id": signed_in["IdToken"],
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
