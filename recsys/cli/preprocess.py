"""Command `recsys preprocess`: applies a recipe to one photo, to try it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer


def preprocess(
    photo: Annotated[Path, typer.Argument(help="Photo to process.")],
    steps: Annotated[
        list[str], typer.Option(metavar="STEP", help="Step, such as denoise:nlm; repeat in order of application.")
    ],
    output: Annotated[Path, typer.Option(help="File for both images side by side: .jpg, .png or .webp.")],
    size: Annotated[int, typer.Option(min=32, max=2048, help="Largest short side in pixels.")] = 512,
) -> None:
    """Write a photo before and after the steps of a recipe (extra `vision`)."""
    from recsys.reports.inline_images import format_of, refuse_overwriting
    from recsys.storage.artifacts import write_bytes
    from style.images import read_image
    from style.preprocess.before_after import side_by_side
    from style.preprocess.recipe import Recipe
    from style.provenance.mark import encode

    image_format, recipe = format_of(output), Recipe.from_texts(steps)
    refuse_overwriting(output, [photo])
    before = read_image(photo, short_side=size)
    after = recipe(before)
    write_bytes(output, encode(side_by_side(before, after), image_format, None))
    sizes = (f"{image.shape[1]} x {image.shape[0]}" for image in (before, after))
    typer.echo(f"wrote {output}: {' -> '.join(sizes)}")
    typer.echo(f"in recsys.toml:\n[preprocess]\nsteps = {json.dumps(steps)}")
