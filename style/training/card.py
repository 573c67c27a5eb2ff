"""Measure a trained engine on test images, beside engines that ship, and write its card."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from torch import nn

from style.embedding import StyleEmbedder
from style.images import Pixels, center_square, open_image, to_pixels
from style.metrics import transfer_score
from style.training.run_state import to_json, write_atomically
from style.training.splits import Split
from style.transfer.base import Stylizer
from style.vector import StyleVector

SIDE = 256
MOST_PAIRS = 24
CARD_FILES = ("card.json", "card.md")


@dataclass(frozen=True, slots=True)
class Results:
    """Medians over pairs of a test product and a test style at strength 1 (see `style.metrics.TransferScore`).

    `milliseconds` is the median time to paint one image of 256 px squared with one thread.
    """

    style_gain: float
    gram_gain: float
    content: float
    ssim: float
    milliseconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """Product and style reference, `(256, 256, 3)` each, and the reference's style vector."""

    product: Pixels
    style: Pixels
    vector: StyleVector


def load_examples(products: Sequence[Path], styles: Sequence[Path], embedder: StyleEmbedder) -> list[Example]:
    """Return up to 24 products, each with one of the styles in turn, as squares from the middle of the images."""
    mask = np.ones((SIDE, SIDE), dtype=np.float32)
    squares = [to_pixels(center_square(open_image(path), SIDE)) for path in styles]
    vectors = [embedder.embed(square, mask) for square in squares]
    return [
        Example(to_pixels(center_square(open_image(path), SIDE)), squares[i % len(styles)], vectors[i % len(styles)])
        for i, path in enumerate(products[:MOST_PAIRS])
    ]


def measure(engine: Stylizer, judge: nn.Module, pairs: Sequence[Example]) -> Results:
    """Return an engine's results on pairs, measured through the judge's taps."""
    engine.paint([pairs[0].product], pairs[0].vector)  # the first call of a network compiles
    rows = []
    for pair in pairs:
        started = time.perf_counter()
        painting = engine.paint([pair.product], pair.vector)[0]
        seconds = time.perf_counter() - started
        score = transfer_score(judge, pair.product, pair.style, painting.on(pair.product))
        rows.append((score.style_gain, score.gram_gain, score.content, score.ssim, 1000 * seconds))
    return Results(*(round(float(value), 4) for value in np.median(np.array(rows), axis=0)))


@dataclass(frozen=True, slots=True)
class Card:
    """Card of a trained engine.

    Attributes:
        name: Name of the engine.
        recipe: Kind of the recipe.
        license: License of the style references.
        references: File names of the style references.
        images: Counts and hashes of products and styles.
        settings: Settings of the run.
        loss_network: Name of the network of the losses.
        judge: Name of the network that measured results.
        independent: Whether judge and loss network are different networks.
        parameters: Number of weights.
        size: Bytes of the weights' file.
        steps: Steps done.
        best_step: Step of the best weights.
        seconds: Seconds of training.
        pairs: Pairs of a test product and a test style.
        results: Results on these pairs by name of the engine, its own first.
    """

    name: str
    recipe: str
    license: str
    references: tuple[str, ...]
    images: Mapping[str, Mapping[str, int | str]]
    settings: Mapping[str, object]
    loss_network: str
    judge: str
    independent: bool
    parameters: int
    size: int
    steps: int
    best_step: int
    seconds: float
    pairs: int
    results: Mapping[str, Results]


def write_card(folder: Path, card: Card) -> None:
    """Write `card.json` and `card.md`."""
    write_atomically(folder / CARD_FILES[0], to_json(asdict(card)))
    write_atomically(folder / CARD_FILES[1], to_markdown(card))


def to_markdown(card: Card) -> str:
    """Return the card as Markdown."""
    judge = (
        "which the engine was not trained with"
        if card.independent
        else "the loss network itself, which favors the engine"
    )
    images = [
        f"| {name} | {' | '.join(str(counts[split]) for split in Split)} | `{str(counts['sha256'])[:16]}` |"
        for name, counts in card.images.items()
    ]
    results = [
        f"| {name} | {one.style_gain:.2f} | {one.gram_gain:.2f} | {one.content:.2f} | {one.ssim:.2f} "
        f"| {one.milliseconds:.0f} |"
        for name, one in card.results.items()
    ]
    lines = [
        f"# {card.name}",
        "",
        f"- **Recipe:** `{card.recipe}`; {card.parameters:,} parameters, {card.size / 1e6:.2f} MB in half precision.",
        f"- **Trained:** {card.steps:,} steps in {card.seconds / 60:.1f} minutes; the weights are those after step "
        f"{card.best_step:,}, the best on the validation images. Loss network: {card.loss_network}.",
        f"- **References:** {', '.join(card.references)}. **License of the references:** {card.license}.",
        "",
        "| images | train | validation | test | hash of all |",
        "|---|---|---|---|---|",
        *images,
        "",
        f"Medians over {card.pairs} pairs of the test split, strength 1, {SIDE} px, judged by {card.judge} ({judge}):",
        "",
        "| engine | style gain | Gram gain | content | SSIM | ms per image, one thread |",
        "|---|---|---|---|---|---|",
        *results,
        "",
        f"Settings: {', '.join(f'{key} {value}' for key, value in card.settings.items())}.",
    ]
    return "\n".join(lines) + "\n"
