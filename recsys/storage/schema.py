"""The schema of live data, brought up to date by Alembic when a database is opened."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from recsys.errors import ConfigError

HEAD = "0003"
"""The newest step in `migrations/versions`. Alembic could tell, but takes its time to load for a schema that is new."""
_MIGRATIONS = Path(__file__).with_name("migrations")


def revision(connection: Connection) -> str | None:
    """The last step that the database took, or None where it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return found


def upgrade(connection: Connection) -> None:
    """Take the steps that the database lacks, within the connection's transaction, which must be the only writer's.

    Raises ConfigError where the database took steps that this version does not know.
    """
    # Loaded for this alone, and it takes a fifth of a second.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    current = revision(connection)
    if current is not None:
        known = {step.revision for step in ScriptDirectory.from_config(config).walk_revisions()}
        if current not in known:
            raise ConfigError(
                f"storage.database: its schema is {current}, newer than {HEAD}, the newest that this version knows; "
                "install the version of style-recsys that wrote it, or a newer one"
            )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
