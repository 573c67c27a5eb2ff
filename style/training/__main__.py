"""Train the weights that ship, and variants to compare with them: `python -m style.training RECIPE`."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from style.embedding import StyleEmbedder
from style.training.crops import drop_held_out, find_images, sample_evenly
from style.training.recipes import adain, compress, distill, embedding, film, gan
from style.training.teachers import load_teacher
from style.transfer.film import FilmShape, FilmStylizer

Run = Callable[[Namespace], object]
PRODUCTS = "folders of product photos"
STYLES = "folders of style references; every fifth image is held out"


def main(arguments: Sequence[str] | None = None) -> None:
    """Train by the recipe that the arguments name; None: the arguments of the process."""
    parser = ArgumentParser(prog="python -m style.training", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="RECIPE")
    for add_options, module in (
        (_distill, distill),
        (_embedding, embedding),
        (_film, film),
        (_adain, adain),
        (_gan, gan),
        (_compress, compress),
    ):
        text = str(module.__doc__)
        command = commands.add_parser(
            module.__name__.rpartition(".")[2],
            help=text.splitlines()[0],
            description=text,
            formatter_class=RawDescriptionHelpFormatter,
        )
        command.add_argument("--out", type=Path, required=True, help="folder for checkpoint, log and weights")
        command.set_defaults(run=add_options(command))
    given = parser.parse_args(arguments)
    given.run(given)


def _distill(parser: ArgumentParser) -> Run:
    _add_folders(parser, images="folders of training images")
    _add_folders(parser, required=False, styles=STYLES)
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors file of the teacher")
    default = _add_settings(parser, distill.DistillSettings())

    def run(given: Namespace) -> None:
        images = find_images(given.images) + drop_held_out(find_images(given.styles))
        distill.distill(images, given.teacher, given.out, _read_settings(default, given))

    return run


def _embedding(parser: ArgumentParser) -> Run:
    _add_folders(parser, images="folders of images of many kinds")
    _add_folders(parser, required=False, styles=STYLES)
    parser.add_argument("--per-folder", type=int, default=500, help="images of a folder (default: 500)")
    parser.add_argument("--backbone", default="vgg-slim", help="network to embed features of (default: vgg-slim)")
    parser.add_argument("--teacher", type=Path, help="safetensors file of the network that the backbone learned from")

    def run(given: Namespace) -> None:
        images = sample_evenly(given.images, given.per_folder) + drop_held_out(find_images(given.styles))
        embedding.fit_embedding(images, given.out, given.backbone, given.teacher)

    return run


def _film(parser: ArgumentParser) -> Run:
    _add_folders(parser, products=PRODUCTS, styles=STYLES)
    parser.add_argument("--per-folder", type=int, default=150, help="products of a folder that are styles (150)")
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors file of the loss network")
    default = _add_settings(parser, film.FilmSettings())

    def run(given: Namespace) -> None:
        styles = drop_held_out(find_images(given.styles)) + sample_evenly(given.products, given.per_folder)
        teacher = load_teacher(given.teacher)
        film.train_film(find_images(given.products), styles, teacher, given.out, _read_settings(default, given))

    return run


def _adain(parser: ArgumentParser) -> Run:
    _add_folders(parser, products=PRODUCTS, styles=STYLES)
    parser.add_argument("--contents", type=int, default=1000, help="products of a folder that are contents (1000)")
    parser.add_argument("--per-folder", type=int, default=50, help="products of a folder that are styles (50)")
    parser.add_argument("--teacher", type=Path, required=True, help="safetensors file of the loss network")
    default = _add_settings(parser, adain.AdaInSettings())

    def run(given: Namespace) -> None:
        styles = drop_held_out(find_images(given.styles)) + sample_evenly(given.products, given.per_folder)
        contents = sample_evenly(given.products, given.contents)
        adain.train_adain(contents, styles, load_teacher(given.teacher), given.out, _read_settings(default, given))

    return run


def _gan(parser: ArgumentParser) -> Run:
    _add_folders(parser, products=f"{PRODUCTS}; every fifth image is held out", styles=f"{STYLES}; all of one style")
    parser.add_argument("--most", type=int, default=1000, help="products in memory, evenly spaced (default: 1000)")
    default = _add_settings(parser, gan.GanSettings())

    def run(given: Namespace) -> None:
        products, styles = (drop_held_out(find_images(folders)) for folders in (given.products, given.styles))
        every = -(-len(products) // given.most)
        gan.train_gan(products[::every], styles, given.out, _read_settings(default, given))

    return run


def _compress(parser: ArgumentParser) -> Run:
    _add_folders(parser, products=PRODUCTS, styles=STYLES)
    parser.add_argument("--per-folder", type=int, default=600, help="products of a folder (default: 600)")
    default = _add_settings(parser, compress.CompressSettings())
    whole = FilmShape()
    for name in ("width", "fine", "colors", "hidden"):
        half = getattr(whole, name) // 2
        parser.add_argument(f"--{name}", type=int, default=half, help=f"channels of the small network ({half})")

    def run(given: Namespace) -> None:
        shape = FilmShape(width=given.width, fine=given.fine, colors=given.colors, hidden=given.hidden)
        z = compress.read_z(drop_held_out(find_images(given.styles)), StyleEmbedder.load())
        contents = sample_evenly(given.products, given.per_folder)
        compress.compress(FilmStylizer.load().module, shape, contents, z, given.out, _read_settings(default, given))

    return run


def _add_folders(parser: ArgumentParser, *, required: bool = True, **texts: str) -> None:
    """Add options that take folders, with their help texts by name."""
    for name, text in texts.items():
        number = "+" if required else "*"
        parser.add_argument(
            f"--{name}", type=Path, nargs=number, default=[], required=required, metavar="DIR", help=text
        )


def _add_settings(parser: ArgumentParser, default: Any) -> Any:
    """Add one option for each setting, of the type of its default; return the default settings."""
    values: Mapping[str, Any] = asdict(default)
    for name, value in values.items():
        option, text = f"--{name.replace('_', '-')}", f"default: {value}"
        if isinstance(value, bool):
            parser.add_argument(option, action="store_true", help=text)
        else:
            parser.add_argument(option, type=type(value), default=value, help=text)
    return default


def _read_settings(default: Any, given: Namespace) -> Any:
    """Return settings like `default` with the values of the options."""
    return type(default)(**{name: getattr(given, name) for name in asdict(default)})


if __name__ == "__main__":
    main()
