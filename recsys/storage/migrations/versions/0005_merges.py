"""Ids of visitors who turned out to be users."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the table of merges."""
    op.create_table(
        "merges",
        sa.Column("old_id", sa.String(512), nullable=False),
        sa.Column("user_id", sa.String(512), nullable=False),
        sa.Column("merged_at", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("old_id", name="pk_merges"),
    )
    op.create_index("ix_merges_user_id", "merges", ["user_id"])
