"""The rows of the table, in the order of the table."""

from __future__ import annotations

from tests.interop.rows import (
    authlib_server,
    browser,
    certificates,
    clients,
    cognito,
    curl,
    dpop_clients,
    dpop_issuer,
    dpop_verifiers,
    envoy,
    glewlwyd,
    how_to,
    load,
    makers,
    mock_server,
    nginx,
    oidc_provider,
    shapes,
    telemetry,
    together,
)
from tests.interop.sheet import Row

__all__ = ["ROWS"]

ROWS: tuple[Row, ...] = (
    *makers.ROWS,
    *oidc_provider.ROWS,
    *authlib_server.ROWS,
    *glewlwyd.ROWS,
    *mock_server.ROWS,
    *cognito.ROWS,
    *shapes.ROWS,
    *how_to.ROWS,
    *curl.ROWS,
    *clients.ROWS,
    *browser.ROWS,
    *load.ROWS,
    *envoy.ROWS,
    *nginx.ROWS,
    *certificates.ROWS,
    *dpop_issuer.ROWS,
    *dpop_clients.ROWS,
    *dpop_verifiers.ROWS,
    *telemetry.ROWS,
    *together.ROWS,
)
