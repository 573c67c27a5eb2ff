"""Add the log of restyled images that were requested directly."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Upgrade from the tables with experiments."""
    op.create_table(
        "renders",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("timestamp", sa.BigInteger(), nullable=False),
        sa.Column("user_id", sa.String(length=512), nullable=True),
        sa.Column("item_id", sa.String(length=512), nullable=True),
        sa.Column("style_id", sa.String(length=512), nullable=False),
        sa.Column("license", sa.Text(), nullable=False),
        sa.Column("engine", sa.String(length=128), nullable=False),
        sa.Column("strength", sa.Float(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_renders")),
        sqlite_autoincrement=True,
    )
    op.create_index(op.f("ix_renders_user_id"), "renders", ["user_id"], unique=False)
