"""Items that were changed in part name the fields that they set; the others follow the imported catalog."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add the column; items so far were put as a whole."""
    op.add_column("items", sa.Column("fields", sa.Text))
