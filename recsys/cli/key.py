"""The commands `recsys key ...`: API keys of a project's service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.shared import ProjectPath, choose, open_project
from recsys.clock import now

if TYPE_CHECKING:
    from recsys.storage.live.keys import KeyStore

key = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys; only their hashes are stored.")


@key.command("create")
def create(
    path: ProjectPath,
    name: Annotated[str, typer.Option(help="Name of the key, such as its owner.")],
    scope: Annotated[list[str], typer.Option(help="Scope: read, events or admin; repeatable.")],
) -> None:
    """Create a key and print it once; it cannot be shown again."""
    from recsys.schema import Scope

    scopes = [choose(Scope, text, "--scope") for text in scope]
    with _keys(path) as keys:
        text = keys.create(name, scopes, now())
    typer.echo(text)
    typer.echo("copy it now: only its hash is stored; clients send it in the header X-API-Key", err=True)


@key.command("list")
def list_(path: ProjectPath) -> None:
    """List all keys: name, scopes, and days of creation and revocation."""
    with _keys(path) as keys:
        stored = keys.all()
    for each in stored:
        scopes = ",".join(sorted(each.scopes))
        state = "active" if each.revoked_at is None else f"revoked {_day(each.revoked_at)}"
        typer.echo(f"{each.name:<24} {scopes:<20} created {_day(each.created_at)}  {state}")
    if not stored:
        typer.echo("no keys yet; create one with `recsys key create`")


@key.command("revoke")
def revoke(path: ProjectPath, name: Annotated[str, typer.Option(help="Name of the key.")]) -> None:
    """Revoke a key for good."""
    with _keys(path) as keys:
        keys.revoke(name, now())
    typer.echo(f"revoked {name}")


@contextmanager
def _keys(path: Path) -> Iterator[KeyStore]:
    from recsys.storage.database import Database
    from recsys.storage.live.keys import KeyStore

    database = Database.open(open_project(path).database_url)
    try:
        yield KeyStore(database)
    finally:
        database.close()


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
