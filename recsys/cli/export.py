"""Commands `recsys export`, `recsys restyle-sequence` and `recsys bench compression`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from recsys.cli.shared import choose
from style.export.formats import ExportFormat, Precision

Share = Annotated[float | None, typer.Option(min=0.01, max=0.95, help="Prune this share of channels, then retrain.")]


def export(
    output: Annotated[Path, typer.Option(help="Folder for the files.")],
    file_format: Annotated[ExportFormat, typer.Option("--format", help="Format of the file.")],
    engine: Annotated[str, typer.Option(help="Engine that consists of one network.")] = "film",
    int8: Annotated[str | None, typer.Option(metavar="static|dynamic", help="Store weights in 8 bits.")] = None,
    float16: Annotated[bool, typer.Option("--float16", help="Store weights in 16 bits.")] = False,
    prune: Share = None,
    products: Annotated[
        Path | None, typer.Option(help="Photos for comparison, calibration and distillation; default: the sample.")
    ] = None,
    steps: Annotated[int, typer.Option(min=1, help="Training steps of a pruned network.")] = 2000,
) -> None:
    """Export an engine's network to a file for another runtime, and compare the file with the engine."""
    from recsys.dataset.sample import sample_folder
    from style.export.run import export_engine

    if int8 not in (None, "static", "dynamic"):
        raise typer.BadParameter(f"--int8 {int8!r}: use static or dynamic")
    if int8 is not None and float16:
        raise typer.BadParameter("--int8 and --float16 exclude each other")
    precision = Precision.FLOAT16 if float16 else Precision(f"int8-{int8}") if int8 else Precision.FLOAT32
    for line in export_engine(
        engine, file_format, precision, output, products or sample_folder() / "images", prune, steps
    ):
        typer.echo(line)


def bench_compression(
    products: Annotated[Path, typer.Option(help="Product photos.")],
    styles: Annotated[Path, typer.Option(help="Style images; every fifth one is used.")],
    judge: Annotated[Path | None, typer.Option(help="Weights of VGG-19 to relu4_1; default: vgg-slim.")] = None,
    pairs: Annotated[int, typer.Option(min=1, help="Pairs of product and style.")] = 12,
    small: Annotated[
        list[Path] | None, typer.Option(help="Weights of style.training.recipes.compress; repeatable.")
    ] = None,
) -> None:
    """Measure compressed variants of film: size, time, style gain, likeness."""
    from style.benchmarks.compression import compression_lines

    for line in compression_lines(products, styles, judge=judge, count=pairs, small=small or ()):
        typer.echo(line)


def restyle_sequence(
    frames: Annotated[Path, typer.Argument(metavar="FRAMES", help="A folder of images, an animation or a video.")],
    out: Annotated[Path, typer.Option(help="An animated .webp or .png, or a folder.")],
    like: Annotated[Path | None, typer.Option(help="Restyle toward this image.")] = None,
    styles: Annotated[Path | None, typer.Option(help="Folder with a styles.csv; default: the sample's.")] = None,
    style: Annotated[str | None, typer.Option(help="Restyle toward this style reference of --styles.")] = None,
    engine: Annotated[str, typer.Option(help="Engine that paints.")] = "film",
    strength: Annotated[float, typer.Option(min=0.0, max=1.0, help="0 returns the frames unchanged.")] = 0.6,
    mode: Annotated[str, typer.Option(help="Part to paint: product, full, background or tone.")] = "product",
    keep_color: Annotated[bool, typer.Option("--keep-color", help="Change lightness only.")] = False,
    no_fidelity: Annotated[bool, typer.Option("--no-fidelity", help="Do not limit the strength.")] = False,
    memory: Annotated[float, typer.Option(min=0.0, max=0.99, help="Share of texture from earlier frames.")] = 0.95,
    size: Annotated[int, typer.Option(min=32, max=2048, help="Largest short side in pixels.")] = 512,
    measure: Annotated[bool, typer.Option("--measure", help="Also measure flicker with and without memory.")] = False,
) -> None:
    """Restyle a product's gallery, spin or video without flicker."""
    from recsys.dataset.sample import sample_folder
    from style.modes import PaintMode
    from style.sequences.run import SequenceTask, run_sequence

    paint_mode = choose(PaintMode, mode, "--mode")
    if (like is None) == (style is None):
        raise typer.BadParameter("give one of --like and --style")
    library = (styles or sample_folder()) if style is not None else styles
    task = SequenceTask(frames, out, engine, strength, paint_mode, keep_color, not no_fidelity, memory, size, measure)
    for line in run_sequence(task, like, library, style):
        typer.echo(line)
