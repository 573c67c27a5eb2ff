"""Commands that make a project and fill it: init, import, simulate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.shared import FormatName, ProjectPath, Quiet, choose, open_project, show_progress, split_pair


def init(
    path: Annotated[Path, typer.Argument(help="The folder to make.")],
    name: Annotated[str, typer.Option(help="What the project is called.")] = "shop",
) -> None:
    """Make a project folder with default settings."""
    from recsys.dataset.project import SETTINGS_FILE, Project

    project = Project.init(path, name)
    typer.echo(f"made {project.root}; its settings are in {SETTINGS_FILE}")
    typer.echo(f"next: recsys import {path} --items FILE --interactions FILE")


def import_files(
    path: ProjectPath,
    items: Annotated[list[Path] | None, typer.Option(help="Items; repeat for files that complete each other.")] = None,
    interactions: Annotated[Path | None, typer.Option(help="Interactions.")] = None,
    test_interactions: Annotated[
        Path | None, typer.Option(help="The test part of a published split; --interactions is then its train.")
    ] = None,
    users: Annotated[Path | None, typer.Option(help="Users.")] = None,
    reviews: Annotated[
        Path | None, typer.Option(help="Reviews: item_id and text; words that say how things look.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Where relative image paths start.")] = None,
    file_format: FormatName = None,
    column: Annotated[list[str] | None, typer.Option(metavar="OLD=NEW", help="Rename a column.")] = None,
    skip_bad: Annotated[bool, typer.Option("--skip-bad", help="Put bad rows into a file and go on.")] = False,
    append: Annotated[bool, typer.Option("--append", help="Add to what is there instead of replacing it.")] = False,
    no_image_check: Annotated[bool, typer.Option("--no-image-check", help="Do not decode every picture.")] = False,
    quiet: Quiet = False,
) -> None:
    """Import CSV, Parquet, RecBole or public data sets: all of it or, after an error, nothing."""
    from recsys.dataset.importers import FileFormat, ImportMode, ImportOptions, import_data

    with show_progress(quiet):
        report = import_data(
            open_project(path),
            items=items,
            interactions=interactions,
            test_interactions=test_interactions,
            users=users,
            reviews=reviews,
            options=ImportOptions(
                images=images,
                file_format=None if file_format is None else choose(FileFormat, file_format, "--format"),
                columns=dict(split_pair(text, "--column", "OLD=NEW") for text in column or []),
                mode=ImportMode.APPEND if append else ImportMode.REPLACE,
                skip_bad=skip_bad,
                check_images=not no_image_check,
            ),
        )
    typer.echo(str(report))
    typer.echo(f"next: recsys build {path}")


def simulate(
    path: ProjectPath,
    users: Annotated[int, typer.Option(min=1, help="How many people to draw.")] = 500,
    style_by: Annotated[
        str | None, typer.Option(help="Item column that holds the hidden style; default: clusters of the pictures.")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Draw users and events for a catalog that has none. They are not real and say nothing about real users."""
    from recsys.demo import SIMULATED_NOTE, simulate_project

    with show_progress(quiet):
        report = simulate_project(open_project(path), users, style_by)
    typer.secho(f"SIMULATED: {SIMULATED_NOTE}", fg=typer.colors.YELLOW, bold=True)
    typer.echo(str(report))
