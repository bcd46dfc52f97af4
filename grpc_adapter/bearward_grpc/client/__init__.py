"""The client side: tokens for outgoing calls, obtained by client credentials, exchanged, or forwarded from the caller."""

from __future__ import annotations

from bearward.client_credentials.grant import TokenUnavailableError
from bearward_grpc.client.aio import aio_interceptors
from bearward_grpc.client.channels import aio_channel, channel, is_local
from bearward_grpc.client.credentials import call_credentials
from bearward_grpc.client.dpop_key import DPoPKey
from bearward_grpc.client.proofs import ProvenToken
from bearward_grpc.client.sources import CallerToken, ClientCredentials, TokenSource
from bearward_grpc.client.sync import ClientAuthInterceptor
from bearward_grpc.client.token_exchange import TokenExchange

__all__ = [
    "CallerToken",
    "ClientAuthInterceptor",
    "ClientCredentials",
    "DPoPKey",
    "ProvenToken",
    "TokenExchange",
    "TokenSource",
    "TokenUnavailableError",
    "aio_channel",
    "aio_interceptors",
    "call_credentials",
    "channel",
    "is_local",
]
