"""Do engines obey z, how much of the product do they keep, and do they leave a grid?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from style.benchmarks.engines import PATIENCE, pictures_of, within
from style.benchmarks.vectors import HELD_OUT
from style.embedding import StyleEmbedder
from style.images import Pixels, center_square, open_image, to_pixels
from style.metrics import TransferScore, transfer_score
from style.training.crops import find_images
from style.transfer.base import Painting, Stylizer
from style.transfer.engine_names import ENGINE_NAMES
from style.transfer.registry import load_stylizer
from style.transfer.reinhard import lab_transfer
from style.vector import StyleVector

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
SIDE = 256
BASELINE = "Lab"
TITLES = ("gain", "gain^2", "Gram", "Gram^2", "content", "plain", "SSIM")
"""What the fields of `TransferScore` are called in the table; ^2: from squared distances, plain: the plain cosine."""


def pairs(products: Path, styles: Path, count: int) -> list[tuple[Pixels, Pixels]]:
    """Squares of a product and of a style, drawn by a fixed seed; of styles, only those that recipes hold out."""
    shown, held_out = find_images([products]), find_images([styles])[::HELD_OUT]
    random = np.random.default_rng(0)
    chosen = [(shown[random.integers(len(shown))], held_out[random.integers(len(held_out))]) for _ in range(count)]
    return [(_square(product), _square(style)) for product, style in chosen]


def transfer_lines(
    embedder: StyleEmbedder,
    judge: nn.Module,
    examples: Sequence[tuple[Pixels, Pixels]],
    engines: Sequence[str] = ENGINE_NAMES,
) -> Iterator[str]:
    """A table of medians per engine and strength, then in how many pairs gain rises with strength.

    First the baseline: colors moved to those of the style picture itself, which engines of z alone never see; the
    others are given the styles of the pairs to paint from. Slow engines run on the first pairs, as many as take about
    `engines.PATIENCE` seconds.
    """
    yield f"{len(examples)} pairs at {SIDE} px, medians, judged by a network that no engine saw"
    yield f"{'engine':10}{'strength':>9}" + "".join(f"{title:>9}" for title in TITLES)
    baseline = [transfer_score(judge, product, style, lab_transfer(product, style)) for product, style in examples]
    yield f"{BASELINE:10}{'':>9}{_row(np.median(_table(baseline), axis=0))}"
    styles, pictures = pictures_of(embedder, [style for _, style in examples])
    for name in tqdm(engines, desc="engines", disable=None):
        engine = load_stylizer(name, pictures=lambda: pictures)
        found = within(PATIENCE, [partial(_painted, engine, *pair) for pair in zip(examples, styles, strict=True)])
        # As long as there is patience: not all examples.
        shown = zip(examples, found, strict=False)
        scores = np.array([_table(_scores(judge, pair, painting)) for pair, (painting, _) in shown])
        if len(scores) < len(examples):
            yield f"{name:10}is slow: on {len(scores)} of {len(examples)} pairs"
        for strength, medians in zip(STRENGTHS, np.median(scores, axis=0), strict=True):
            yield f"{name:10}{strength:9.2f}{_row(medians)}"
        rises = (np.diff(scores[:, :, 0], axis=1) > 0).all(axis=1).mean()
        yield f"{name:10}gain rises with strength in {rises:.0%} of pairs; grid {grid(engine):.2f} (1: none)"


def _painted(engine: Stylizer, pair: tuple[Pixels, Pixels], z: StyleVector) -> Painting:
    return engine.paint([pair[0]], z)[0]


def _scores(judge: nn.Module, pair: tuple[Pixels, Pixels], painting: Painting) -> list[TransferScore]:
    product, style = pair
    return [
        transfer_score(judge, product, style, painting.on(product, texture=amount, color=amount))
        for amount in STRENGTHS
    ]


def _table(scores: Sequence[TransferScore]) -> NDArray[np.float64]:
    """One row per score, a column per field."""
    return np.array([astuple(score) for score in scores])


def _row(values: NDArray[np.float64]) -> str:
    return "".join(f"{value:9.2f}" for value in values)


def grid(engine: Stylizer, styles: int = 8) -> float:
    """How far the spectrum of what is added to plain grey stands out at periods of 2 and 4 pixels.

    The amplitude there over the largest one nearby, the worst of `styles` random styles; up to about 1 there is no
    grid. What stays under a thousandth of the range of values is not seen, and counts as none.
    """
    random = np.random.default_rng(0)
    grey = np.full((128, 128, 3), 0.5, dtype=np.float32)
    return max(_peak(engine.paint([grey], StyleVector.of(random.normal(size=128)))[0].texture) for _ in range(styles))


def _peak(texture: Pixels, margin: int = 16, floor: float = 1e-3) -> float:
    inner = texture.mean(axis=2)[margin:-margin, margin:-margin]
    worst = 0.0
    for axis in (0, 1):
        spectrum: NDArray[np.float64] = np.abs(np.fft.rfft(inner, axis=axis)).mean(axis=1 - axis) / inner.shape[axis]
        for period in (2, 4):
            at = inner.shape[axis] // period
            near = np.r_[spectrum[at - 5 : at - 1], spectrum[at + 2 : at + 6]]
            worst = max(worst, float(spectrum[at] / max(near.max(), floor)))
    return worst


def _square(path: Path) -> Pixels:
    return to_pixels(center_square(open_image(path), SIDE))
