"""How good a trained engine is on pictures that it never saw, beside engines that ship, and the card that says so."""

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
from style.training.run_state import as_json, write_whole
from style.training.splits import Part
from style.transfer.base import Stylizer
from style.vector import StyleVector

SIDE = 256
MOST_PAIRS = 24
CARD_FILES = ("card.json", "card.md")


@dataclass(frozen=True, slots=True)
class Figures:
    """Medians over pairs of a test product and a test style at strength 1 (see `style.metrics.TransferScore`).

    `milliseconds`: median time to paint one picture of 256 px squared with one thread.
    """

    style_gain: float
    gram_gain: float
    content: float
    ssim: float
    milliseconds: float


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A product and a style, `(256, 256, 3)` each, and the vector of the style."""

    product: Pixels
    style: Pixels
    vector: StyleVector


def examples(products: Sequence[Path], styles: Sequence[Path], embedder: StyleEmbedder) -> list[Example]:
    """Up to 24 products, each with one of the styles in turn; squares from the middle of the pictures."""
    whole = np.ones((SIDE, SIDE), dtype=np.float32)
    squares = [to_pixels(center_square(open_image(path), SIDE)) for path in styles]
    vectors = [embedder.embed(square, whole) for square in squares]
    return [
        Example(to_pixels(center_square(open_image(path), SIDE)), squares[i % len(styles)], vectors[i % len(styles)])
        for i, path in enumerate(products[:MOST_PAIRS])
    ]


def measure(engine: Stylizer, judge: nn.Module, pairs: Sequence[Example]) -> Figures:
    """An engine's figures on pairs, seen through the judge's taps."""
    engine.paint([pairs[0].product], pairs[0].vector)  # the first call of a network compiles
    rows = []
    for pair in pairs:
        begun = time.perf_counter()
        painting = engine.paint([pair.product], pair.vector)[0]
        seconds = time.perf_counter() - begun
        score = transfer_score(judge, pair.product, pair.style, painting.on(pair.product))
        rows.append((score.style_gain, score.gram_gain, score.content, score.ssim, 1000 * seconds))
    return Figures(*(round(float(value), 4) for value in np.median(np.array(rows), axis=0)))


@dataclass(frozen=True, slots=True)
class Card:
    """What there is to say of a trained engine.

    `pictures`: counts and hashes of products and styles. `figures`: of this engine and of others on the same pairs, by
    name, its own first. `judge`: the network that judged, `independent` where it is not the one that taught.
    """

    name: str
    recipe: str
    license: str
    references: tuple[str, ...]
    pictures: Mapping[str, Mapping[str, int | str]]
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
    figures: Mapping[str, Figures]


def write_card(folder: Path, card: Card) -> None:
    """Write `card.json` and `card.md`."""
    write_whole(folder / CARD_FILES[0], as_json(asdict(card)))
    write_whole(folder / CARD_FILES[1], markdown(card))


def markdown(card: Card) -> str:
    """The card for people."""
    judged = (
        "which the engine never saw" if card.independent else "the loss network itself, which is kinder than others"
    )
    lines = [
        f"# {card.name}",
        "",
        f"- **Recipe:** `{card.recipe}`; {card.parameters:,} parameters, {card.size / 1e6:.2f} MB in half precision.",
        f"- **Trained:** {card.steps:,} steps in {card.seconds / 60:.1f} minutes; the weights are those after step "
        f"{card.best_step:,}, which did best on the validation pictures. Loss network: {card.loss_network}.",
        f"- **References:** {', '.join(card.references)}. **License of the references:** {card.license}.",
        "",
        "| pictures | train | validation | test | hash of all |",
        "|---|---|---|---|---|",
        *(_pictures_row(name, counts) for name, counts in card.pictures.items()),
        "",
        f"Medians over {card.pairs} pairs of the test split, strength 1, {SIDE} px, judged by {card.judge} ({judged}):",
        "",
        "| engine | style gain | Gram gain | content | SSIM | ms per picture, one thread |",
        "|---|---|---|---|---|---|",
        *(_figures_row(name, figures) for name, figures in card.figures.items()),
        "",
        f"Settings: {', '.join(f'{key} {value}' for key, value in card.settings.items())}.",
    ]
    return "\n".join(lines) + "\n"


def _pictures_row(name: str, counts: Mapping[str, int | str]) -> str:
    held = " | ".join(str(counts[part]) for part in Part)
    return f"| {name} | {held} | `{str(counts['sha256'])[:16]}` |"


def _figures_row(name: str, found: Figures) -> str:
    values = (found.style_gain, found.gram_gain, found.content, found.ssim)
    return f"| {name} | {' | '.join(f'{value:.2f}' for value in values)} | {found.milliseconds:.0f} |"
