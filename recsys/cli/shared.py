"""Arguments and small functions that several commands share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from recsys.progress import VARIABLE, ProgressStyle, chosen_style, make_listener, report_progress

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.ranking.recommender import Recommender

WORTH_A_TABLE_S = 2.0
Choice = TypeVar("Choice", bound=StrEnum)
ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="Project folder.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="Show neither progress nor where the time went.")]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Format of all files: csv, json, parquet, excel, shopify, woocommerce, magento, prestashop, bigcommerce, "
        "google-merchant, google-merchant-xml, ga4, ga4-flat, rees46, uirt, recbole, movielens, "
        "lightgcn, amazon-reviews or hm. Default: recognized per file.",
    ),
]


def open_project(path: Path) -> Project:
    """Open the project in a folder."""
    from recsys.dataset.project import Project

    return Project.open(path)


def load_recommender(project: Project) -> Recommender:
    """Load the recommender of a project's current bundle."""
    from recsys.bundle.store import load_bundle
    from recsys.ranking.recommender import Recommender

    return Recommender(load_bundle(project.bundles, project.root))


def split_pair(text: str, option: str, form: str) -> tuple[str, str]:
    """Split LEFT=RIGHT at the first equals sign; `form` names the expected form in the error."""
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise typer.BadParameter(f"{option} {text!r}: expected {form}")
    return left, right


def choose(kinds: type[Choice], text: str, option: str) -> Choice:
    """Return the member of an enum that an option names."""
    if text not in list(kinds):
        raise typer.BadParameter(f"{option} {text!r}: use one of {', '.join(kinds)}")
    return kinds(text)


@contextmanager
def show_progress(quiet: bool) -> Iterator[None]:
    """Show the stages of the block on stderr, and after more than two seconds a table of where the time went.

    Bars on a terminal; elsewhere, as in a log, one line per stage. `RECSYS_PROGRESS` overrides that.
    """
    style = chosen_style()
    if style is ProgressStyle.OFF and VARIABLE not in os.environ:
        style = ProgressStyle.LINES
    with report_progress(None if quiet else make_listener(style)) as timings:
        yield
    if timings.seconds >= WORTH_A_TABLE_S and not quiet and style is not ProgressStyle.OFF:
        typer.echo(timings.table(), err=True)
