"""Entry point of Alembic: run the steps that `Database.open` needs, in the transaction that it has begun."""

from __future__ import annotations

from alembic import context

from recsys.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
