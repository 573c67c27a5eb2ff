"""The commands `recsys key ...`: API keys of a project's service."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.clock import now

if TYPE_CHECKING:
    from recsys.storage.live.keys import KeyStore

ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="The project folder.")]

key = typer.Typer(no_args_is_help=True, help="API keys: make, list and revoke them; kept as hashes alone.")


@key.command("create")
def create(
    path: ProjectPath,
    name: Annotated[str, typer.Option(help="What the key is called, such as who has it.")],
    scope: Annotated[list[str], typer.Option(help="What it may do: read, events or admin; repeatable.")],
) -> None:
    """Make a key and print it: it cannot be shown again."""
    from recsys.schema import Scope

    unknown = [text for text in scope if text not in list(Scope)]
    if unknown:
        raise typer.BadParameter(f"--scope {unknown[0]!r}: use one of {', '.join(Scope)}")
    with _keys(path) as keys:
        text = keys.create(name, [Scope(text) for text in scope], now())
    typer.echo(text)
    typer.echo("keep it now: only its hash is stored; callers send it in the header X-API-Key", err=True)


@key.command("list")
def list_(path: ProjectPath) -> None:
    """List all keys: name, scopes, and when they were made and revoked."""
    with _keys(path) as keys:
        stored = keys.all()
    for each in stored:
        scopes = ",".join(sorted(each.scopes))
        state = "active" if each.revoked_at is None else f"revoked {_day(each.revoked_at)}"
        typer.echo(f"{each.name:<24} {scopes:<20} made {_day(each.created_at)}  {state}")
    if not stored:
        typer.echo("no keys yet; `recsys key create` makes one")


@key.command("revoke")
def revoke(path: ProjectPath, name: Annotated[str, typer.Option(help="Which key.")]) -> None:
    """Make a key void for good."""
    with _keys(path) as keys:
        keys.revoke(name, now())
    typer.echo(f"revoked {name}")


@contextmanager
def _keys(path: Path) -> Iterator[KeyStore]:
    from recsys.dataset.project import Project
    from recsys.storage.database import Database
    from recsys.storage.live.keys import KeyStore

    database = Database.open(Project.open(path).database_url)
    try:
        yield KeyStore(database)
    finally:
        database.close()


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).date().isoformat()
