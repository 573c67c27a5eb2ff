"""The command `recsys`: each subcommand calls one function of the library and prints its result.

Libraries that take long to import are imported by the command that needs them, so that help answers at once.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from recsys import __version__
from recsys.cli.bench import bench
from recsys.cli.build import build, refresh
from recsys.cli.data import import_files, init, simulate
from recsys.cli.evaluate import evaluate, tune
from recsys.cli.experiments import experiment
from recsys.cli.export import export, restyle_sequence
from recsys.cli.images import images
from recsys.cli.inspect import audit, doctor, rights
from recsys.cli.key import key
from recsys.cli.preprocess import preprocess
from recsys.cli.recommend import recommend, similar, taste
from recsys.cli.restyle import restyle
from recsys.cli.serve import demo, page, serve
from recsys.cli.train import train_style
from recsys.errors import RecsysError
from style.errors import StyleError


class _Commands(TyperGroup):
    """Print expected errors as one message and exit with code 1; after Ctrl-C exit with code 130."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (RecsysError, StyleError) as error:
            typer.secho(f"error: {error}", err=True, fg=typer.colors.RED)
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            # The terminal leaves the cursor in a bar: the message begins on a line of its own.
            typer.echo("\nstopped by Ctrl-C; run the same command again", err=True)
            raise typer.Exit(130) from None


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Recommendations with style-aware ranking, restyled toward each user's own taste.",
)
app.command()(init)
app.command("import")(import_files)
app.command()(simulate)
app.command()(build)
app.command()(refresh)
app.command()(recommend)
app.command()(similar)
app.command()(taste)
app.command()(restyle)
app.command()(evaluate)
app.command()(tune)
app.command()(page)
app.command()(serve)
app.command()(rights)
app.command()(audit)
app.command()(doctor)
app.command()(preprocess)
app.command("train-style")(train_style)
app.command()(export)
app.command("restyle-sequence")(restyle_sequence)
app.command()(demo)
app.add_typer(bench, name="bench")
app.add_typer(images, name="images")
app.add_typer(key, name="key")
app.add_typer(experiment, name="experiment")


def main() -> None:
    """Entry point: exit code 1 for an error of the data or the request, 2 for wrong usage, 130 for Ctrl-C."""
    app()


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"style-recsys {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Read the options in front of a command."""
