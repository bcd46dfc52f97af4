"""The tables, by family."""

from __future__ import annotations

from tests.profiles.table import Table
from tests.profiles.tables import asserters, customers, enterprise, self_hosted, standards, workloads

__all__ = ["TABLES"]

TABLES: tuple[Table, ...] = (
    *self_hosted.TABLES,
    *enterprise.TABLES,
    *customers.TABLES,
    *workloads.TABLES,
    *standards.TABLES,
    *asserters.TABLES,
)
