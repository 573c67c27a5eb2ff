"""Schema of live data; Alembic upgrades it when a database is opened."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from recsys.errors import ConfigError

HEAD = "0006"
"""Newest step in `migrations/versions`. Alembic knows it too, but is slow to load if the schema is current."""
_MIGRATIONS = Path(__file__).with_name("migrations")


def revision(connection: Connection) -> str | None:
    """Return the last step that the database took, or None if it is empty."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    version: str | None = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return version


def upgrade(connection: Connection) -> None:
    """Take the missing steps within the connection's transaction, which must be the only writer's.

    Raises ConfigError if the database took steps that this version does not know.
    """
    # Loaded only here, as it takes a fifth of a second.
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
