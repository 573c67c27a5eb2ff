"""The command `recsys train-style`: an engine of one's own from folders of pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from style.training.recipe import Recipe, RunSettings


def train_style(
    products: Annotated[list[Path], typer.Option(help="A folder of product photos; repeatable.")],
    styles: Annotated[list[Path], typer.Option(help="A picture of the style, or a folder of them; repeatable.")],
    name: Annotated[str, typer.Option(help="What the engine is called: lower-case letters, digits and -.")],
    engine: Annotated[str, typer.Option(help="What kind of engine: see docs/training.md.")] = "feedforward",
    project: Annotated[Path | None, typer.Option(help="The project that it is for.")] = None,
    out: Annotated[Path | None, typer.Option(help="Without a project: the folder that its folder goes into.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps of training, at most.")] = None,
    batch: Annotated[int | None, typer.Option(min=1, help="Pictures in a step.")] = None,
    side: Annotated[int | None, typer.Option(min=32, max=1024, help="Side of a picture in a step, in pixels.")] = None,
    learning_rate: Annotated[float | None, typer.Option(min=1e-7, max=1.0, help="Its peak.")] = None,
    validate_every: Annotated[int | None, typer.Option(min=1, help="Steps between validations.")] = None,
    patience: Annotated[int | None, typer.Option(min=1, help="Validations without gain before it stops.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed, another engine.")] = None,
    loss_network: Annotated[
        Path | None, typer.Option(help="Weights of a VGG-19 that teaches. Default: the small one that ships.")
    ] = None,
    judge: Annotated[Path | None, typer.Option(help="Weights of a VGG-19 that judges. Default: likewise.")] = None,
    license: Annotated[
        str | None, typer.Option(help="Of the styles, for the card and for pictures. Default: as styles.csv says.")
    ] = None,
    tensorboard: Annotated[bool, typer.Option("--tensorboard", help="Also write TensorBoard's files.")] = False,
) -> None:
    """Train an engine for a style of one's own; the same command again goes on where it was stopped."""
    from recsys.storage.artifacts import exclusive_lock
    from style.training.registry import RECIPES
    from style.training.teachers import load_teacher
    from style.training.workflow import TrainingJob, train

    if engine not in RECIPES:
        raise typer.BadParameter(f"--engine {engine!r}: use one of {', '.join(RECIPES)}")
    recipe = RECIPES[engine]
    order = TrainingJob(
        recipe=recipe,
        products=products,
        styles=styles,
        out=_place(project, out) / name,
        settings=_settings(
            recipe,
            {
                "steps": steps,
                "batch": batch,
                "side": side,
                "learning_rate": learning_rate,
                "validate_every": validate_every,
                "patience": patience,
                "seed": seed,
            },
        ),
        loss_network=None if loss_network is None else load_teacher(loss_network),
        judge=None if judge is None else load_teacher(judge),
        license=license,
        tensorboard=tensorboard,
    )
    order.check()
    order.out.mkdir(parents=True, exist_ok=True)
    with exclusive_lock(order.out):
        train(order)
    typer.echo((order.out / "card.md").read_text(encoding="utf-8"))
    typer.echo(f"the engine is in {order.out}")
    if project is not None:
        typer.echo(f'next: set engine = "{name}" under [restyle] in {project / "recsys.toml"}, or give --engine {name}')


def _place(project: Path | None, out: Path | None) -> Path:
    """The folder of engines that was named."""
    from recsys.dataset.project import Project

    if (project is None) == (out is None):
        raise typer.BadParameter("give either --project or --out")
    return Project.open(project).engines if project is not None else Path(str(out))


def _settings(recipe: Recipe, given: dict[str, int | float | None]) -> RunSettings:
    """The recipe's defaults, with what was given in their place."""
    wanted: dict[str, Any] = {key: value for key, value in given.items() if value is not None}
    return replace(recipe.defaults, **wanted)
