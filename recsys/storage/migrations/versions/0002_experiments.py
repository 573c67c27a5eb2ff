"""Add the columns that experiments need to exposures and events: session, probabilities of arms, and segments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Upgrade from the first tables; the new columns of existing rows are NULL."""
    op.add_column("exposures", sa.Column("session_id", sa.String(length=512), nullable=True))
    op.add_column("exposures", sa.Column("platform", sa.String(length=512), nullable=True))
    op.add_column("exposures", sa.Column("category", sa.Text(), nullable=True))
    op.add_column("exposures", sa.Column("arm_propensities", sa.Text(), nullable=True))
    op.add_column("events", sa.Column("session_id", sa.String(length=512), nullable=True))
