"""Ratings and images of exposures name the action of the restyling bandit; an arm belongs to an experiment."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Rename the column of ratings, and the key in the JSON of exposures."""
    op.execute("ALTER TABLE feedback RENAME COLUMN arm TO action")
    # Quotes within strings are escaped in JSON, hence only keys match.
    op.execute("""UPDATE exposures SET pictures = REPLACE(pictures, '"arm": ', '"action": ')""")
