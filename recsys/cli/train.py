"""Command `recsys train-style`: train a custom engine from folders of images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer


def train_style(
    products: Annotated[list[Path], typer.Option(help="Folder of product photos; repeatable.")],
    styles: Annotated[list[Path], typer.Option(help="Style reference, or a folder of them; repeatable.")],
    name: Annotated[str, typer.Option(help="Name of the engine: lower-case letters, digits and -.")],
    engine: Annotated[str, typer.Option(help="Kind of the engine, see docs/training.md.")] = "feedforward",
    project: Annotated[Path | None, typer.Option(help="Project that receives the engine.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder that receives the engine, without a project.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of training at most.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Crops in a step.")] = None,
    side: Annotated[int | None, typer.Option(min=32, max=1024, help="Side of a crop, in pixels.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-7, max=1.0, help="Peak of the learning rate.")] = None,
    validate_every: Annotated[int | None, typer.Option(min=1, help="Steps between validations.")] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Validations without improvement before training stops.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Seed of all random numbers.")] = None,
    loss_network: Annotated[
        Path | None, typer.Option(help="Weights of a VGG-19 for the losses. Default: the small network that ships.")
    ] = None,
    judge: Annotated[
        Path | None, typer.Option(help="Weights of a VGG-19 that measures results. Default: as for the losses.")
    ] = None,
    license: Annotated[
        str | None, typer.Option(help="License of the styles, for card and images. Default: as in styles.csv.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Write TensorBoard files too.")] = False,
) -> None:
    """Train an engine for a custom style; run the same command again to continue a stopped run."""
    from recsys.dataset.project import Project
    from recsys.storage.artifacts import exclusive_lock
    from style.training.registry import RECIPES
    from style.training.teachers import load_teacher
    from style.training.workflow import TrainingJob, train

    if engine not in RECIPES:
        raise typer.BadParameter(f"--engine {engine!r}: use one of {', '.join(RECIPES)}")
    if (project is None) == (out is None):
        raise typer.BadParameter("give either --project or --out")
    recipe = RECIPES[engine]
    given: dict[str, Any] = {
        "steps": steps,
        "batch": batch,
        "side": side,
        "learning_rate": learning_rate,
        "validate_every": validate_every,
        "patience": patience,
        "seed": seed,
    }
    engines = Project.open(project).engines if project is not None else Path(str(out))
    job = TrainingJob(
        recipe=recipe,
        products=products,
        styles=styles,
        out=engines / name,
        settings=replace(recipe.defaults, **{key: value for key, value in given.items() if value is not None}),
        loss_network=None if loss_network is None else load_teacher(loss_network),
        judge=None if judge is None else load_teacher(judge),
        license=license,
        tensorboard=tensorboard,
    )
    job.check()
    job.out.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(job.out):
        train(job)
    typer.echo((job.out / "card.md").read_text(encoding="utf-8"))
    typer.echo(f"the engine is in {job.out}")
    if project is not None:
        typer.echo(f'next: set engine = "{name}" under [restyle] in {project / "recsys.toml"}, or give --engine {name}')
