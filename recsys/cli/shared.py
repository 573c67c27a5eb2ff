"""Arguments and small functions that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from recsys.dataset.project import Project
    from recsys.ranking.recommender import Recommender

Choice = TypeVar("Choice", bound=StrEnum)
ProjectPath = Annotated[Path, typer.Argument(metavar="PROJECT", help="Project folder.")]
FormatName = Annotated[
    str | None,
    typer.Option(
        "--format",
        help="Format of all files: csv, parquet, recbole, movielens, lightgcn, amazon-reviews or hm. "
        "Default: recognized per file.",
    ),
]


def open_project(path: Path) -> Project:
    from recsys.dataset.project import Project

    return Project.open(path)


def load_recommender(project: Project) -> Recommender:
    from recsys.bundle.store import load_bundle
    from recsys.ranking.recommender import Recommender

    return Recommender(load_bundle(project.bundles, project.root))


def split_pair(text: str, option: str, form: str) -> tuple[str, str]:
    left, equals, right = text.partition("=")
    if not (left and equals and right):
        raise typer.BadParameter(f"{option} {text!r}: expected {form}")
    return left, right


def choose(kinds: type[Choice], text: str, option: str) -> Choice:
    if text not in list(kinds):
        raise typer.BadParameter(f"{option} {text!r}: use one of {', '.join(kinds)}")
    return kinds(text)
