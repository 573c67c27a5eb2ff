"""Commands that create a project and fill it: init, import, simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.shared import FormatName, ProjectPath, Quiet, choose, open_project, show_progress, split_pair


def init(
    path: Annotated[Path, typer.Argument(help="Folder to create.")],
    name: Annotated[str | None, typer.Option(help="Name of the project. Default: the folder's.")] = None,
) -> None:
    """Create a project folder with default settings."""
    from recsys.dataset.project import SETTINGS_FILE, Project

    project = Project.init(path, name or path.resolve().name)
    typer.echo(f"created {project.root}; its settings are in {SETTINGS_FILE}")
    typer.echo(f"next: recsys import {path} --items FILE --interactions FILE")


def import_files(
    path: ProjectPath,
    items: Annotated[
        list[Path] | None, typer.Option(help="File of items; repeat for files that complete each other.")
    ] = None,
    interactions: Annotated[Path | None, typer.Option(help="File of events or ratings.")] = None,
    test_interactions: Annotated[
        Path | None, typer.Option(help="Test part of a published split; --interactions is then its train part.")
    ] = None,
    users: Annotated[Path | None, typer.Option(help="File of users.")] = None,
    reviews: Annotated[
        Path | None, typer.Option(help="File of reviews (item_id, text): they teach the meaning of words.")
    ] = None,
    aliases: Annotated[
        Path | None,
        typer.Option(help="File of visitors who are users (old_id, user_id): events of both count together."),
    ] = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of relative image paths. Default: the folder of the items file.")
    ] = None,
    file_format: FormatName = None,
    column: Annotated[
        list[str] | None, typer.Option(metavar="OLD=NEW", help="Rename a column, as sku=item_id; repeatable.")
    ] = None,
    decimal: Annotated[
        str | None, typer.Option(metavar="SIGN", help="Decimal sign of numbers: . or , Default: each column shows it.")
    ] = None,
    dates: Annotated[
        str | None,
        typer.Option(
            metavar="ORDER", help="Order in dates such as 05/06/2024: dmy or mdy. Default: the dates show it."
        ),
    ] = None,
    encoding: Annotated[
        str | None, typer.Option(help="Character encoding of text files, as cp1251. Default: recognized per file.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show how files are read and the first rows, and change nothing.")
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Write wrong rows to a file in rejects/ and import the others.")
    ] = False,
    append: Annotated[
        bool, typer.Option("--append", help="Add to the imported data instead of replacing them.")
    ] = False,
    no_image_check: Annotated[
        bool, typer.Option("--no-image-check", help="Do not check that images can be decoded.")
    ] = False,
    watch: Annotated[
        float | None,
        typer.Option(min=0.1, metavar="SECONDS", help="Go on: look this often, and import complete new versions."),
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Import files of shop systems, logs, tables or public data sets: all of it or, after an error, nothing."""
    from recsys.dataset.importers import DateOrder, FileFormat, ImportMode, ImportOptions, import_data
    from recsys.dataset.importers.options import ImportSources
    from recsys.dataset.importers.watch import WATCH_FILE, FileWatch

    if decimal not in (None, ".", ","):
        raise typer.BadParameter(f"--decimal {decimal!r}: use . or ,")

    if watch is not None and dry_run:
        raise typer.BadParameter("--watch imports, and --dry-run does not: leave one out")
    options = ImportOptions(
        images=images,
        file_format=None if file_format is None else choose(FileFormat, file_format, "--format"),
        columns=dict(split_pair(text, "--column", "OLD=NEW") for text in column or []),
        mode=ImportMode.APPEND if append else ImportMode.REPLACE,
        skip_bad=skip_bad,
        check_images=not no_image_check,
        decimal=decimal or "",
        dates=None if dates is None else choose(DateOrder, dates, "--dates"),
        encoding=encoding,
        dry_run=dry_run,
    )
    sources = ImportSources(tuple(items or ()), interactions, test_interactions, users, reviews, aliases)

    def load() -> None:
        with show_progress(quiet):
            report = import_data(
                open_project(path),
                items=sources.items,
                interactions=interactions,
                test_interactions=test_interactions,
                users=users,
                reviews=reviews,
                aliases=aliases,
                options=options,
            )
        typer.echo(str(report))
        typer.echo("nothing was changed: this was a dry run" if dry_run else f"next: recsys build {path}")

    if watch is None:
        load()
    else:
        state = open_project(path).cache / WATCH_FILE
        FileWatch(sources.files, state, load, lambda line: typer.echo(line, err=True)).run(watch)


def simulate(
    path: ProjectPath,
    users: Annotated[int, typer.Option(min=1, help="Number of users to draw.")] = 500,
    style_by: Annotated[
        str | None, typer.Option(help="Item column that holds the hidden style; default: clusters of the images.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw users and events for a catalog that has none. They are not real and say nothing about real users."""
    from recsys.demo import SIMULATED_NOTE, simulate_project

    with show_progress(quiet):
        report = simulate_project(open_project(path), users, style_by)
    typer.secho(f"SIMULATED: {SIMULATED_NOTE}", fg=typer.colors.YELLOW, bold=True)
    typer.echo(str(report))
