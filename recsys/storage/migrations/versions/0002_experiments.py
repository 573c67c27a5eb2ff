"""What experiments need of exposures and events: the session, the arms' probabilities, and segments."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """From the first tables; rows that are there have none of it."""
    op.add_column("exposures", sa.Column("session_id", sa.String(length=512), nullable=True))
    op.add_column("exposures", sa.Column("platform", sa.String(length=512), nullable=True))
    op.add_column("exposures", sa.Column("category", sa.Text(), nullable=True))
    op.add_column("exposures", sa.Column("arm_propensities", sa.Text(), nullable=True))
    op.add_column("events", sa.Column("session_id", sa.String(length=512), nullable=True))
