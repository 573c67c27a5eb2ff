"""Commands `recsys bench ...`: measurements, each beside its baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.export import bench_compression
from recsys.cli.shared import open_project
from style.benchmarks.tables import Table

bench = typer.Typer(no_args_is_help=True, help="Measure what this project claims, each result beside its baseline.")
bench.command("compression")(bench_compression)


@bench.command("style")
def bench_style(
    labeled: Annotated[
        Path | None, typer.Option(help="Folder with one folder of images per style, such as paintings.")
    ] = None,
    products: Annotated[Path | None, typer.Option(help="Product photos; columns of an items.csv are labels.")] = None,
    judge: Annotated[
        Path | None, typer.Option(help="Weights of VGG-19 to relu4_1, which judges restyled images.")
    ] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of product and style.")] = 40,
    only: Annotated[Table | None, typer.Option(help="Only this table.")] = None,
) -> None:
    """Measure how well style vectors tell styles apart, how engines follow them, and how fast."""
    from style.benchmarks.run import bench_style as lines

    if labeled is None and products is None:
        raise typer.BadParameter("give --labeled, --products or both")
    if only is Table.TRANSFER and None in (labeled, products, judge):
        raise typer.BadParameter("--only transfer needs --labeled, --products and --judge")
    for line in lines(labeled, products, judge, pairs, only):
        typer.echo(line)


@bench.command("engines")
def bench_engines(
    products: Annotated[Path, typer.Option(help="Product photos.")],
    styles: Annotated[Path, typer.Option(help="Style images; every fifth one is used: recipes hold it out.")],
    output: Annotated[Path, typer.Option(help="HTML file to write.")] = Path("engines.html"),
    engine: Annotated[list[str] | None, typer.Option(help="Compare only this engine; repeatable.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of product and style.")] = 12,
    judge: Annotated[Path | None, typer.Option(help="Weights of VGG-19 to relu4_1. Default: the small VGG.")] = None,
    patience: Annotated[float, typer.Option(min=0.0, help="Seconds after which an engine gets no further pair.")] = 60,
    experiment: Annotated[
        str | None, typer.Option(help="Add clicks and purchases of this experiment; needs --project.")
    ] = None,
    project: Annotated[Path | None, typer.Option(help="Project of --experiment.")] = None,
) -> None:
    """Compare all engines on the same pairs: metrics, images and experiment results, as a page."""
    from recsys.cli.experiments.logs import analyze_experiment
    from recsys.reports.engine_behavior import behavior_of
    from recsys.reports.engine_page import check_page, write_engine_page
    from style.benchmarks.run import bench_engines as compared

    if (experiment is None) != (project is None):
        raise typer.BadParameter("--experiment and --project go together")
    check_page(output)
    behavior = None
    if experiment is not None and project is not None:
        shop = open_project(project)
        behavior = behavior_of(analyze_experiment(shop, experiment), shop.settings.restyle.engine)
    found, lines, judged_by = compared(products, styles, engine, pairs, judge, patience)
    for line in lines:
        typer.echo(line)
    write_engine_page(found, output, judge=judged_by, behavior=behavior)
    typer.echo(f"wrote {output}")


@bench.command("rank")
def bench_rank(
    items: Annotated[list[int] | None, typer.Option(min=200, help="Items of a synthetic shop; repeatable.")] = None,
    requests: Annotated[int, typer.Option(min=10, help="Requests of each kind.")] = 300,
) -> None:
    """Measure one request on one core, step by step, and the recall of the vector indexes."""
    from recsys.benchmarks.rank import rank_lines as lines

    for line in lines(items or [10_000, 100_000], requests):
        typer.echo(line)


@bench.command("scale")
def bench_scale(
    full: Annotated[bool, typer.Option("--full", help="Also 1M items and 10M events: many GiB, many minutes.")] = False,
    share: Annotated[list[float] | None, typer.Option(min=1e-4, max=1.0, help="Other shares of the full size.")] = None,
    iterations: Annotated[int | None, typer.Option(min=1, help="Iterations of ALS, if not the setting's.")] = None,
) -> None:
    """Measure seconds and memory of training at 1/100, 1/10 and, with --full, 1/1 of 1M items and 10M events."""
    from recsys.benchmarks.scale import SHARES
    from recsys.benchmarks.scale import scale_lines as lines

    for line in lines(share or ((*SHARES, 1.0) if full else SHARES), iterations):
        typer.echo(line)


@bench.command("serve")
def bench_serve(
    only: Annotated[
        list[str] | None, typer.Option(help="Name of one promise to measure; repeatable. Default: all.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder that keeps shops and logs. Default: a temporary one.")
    ] = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Seconds of each load.")] = 10.0,
    repeats: Annotated[int, typer.Option(min=1, help="Repetitions of each load; medians are printed.")] = 3,
) -> None:
    """Measure the promises of the service on a real server under load, each beside its baseline."""
    from tempfile import TemporaryDirectory

    from recsys.benchmarks.service.results import Bench, Effort
    from recsys.benchmarks.service.run import serve_lines as lines
    from recsys.benchmarks.service.shops import Shops
    from recsys.demo import sample_shop

    with TemporaryDirectory() as scratch:
        folder = work or Path(scratch)
        shops = Shops(folder, lambda path: sample_shop(path, lambda _: None))
        for line in lines(Bench(shops, folder / "logs", Effort(seconds, repeats)), only or ()):
            typer.echo(line)
