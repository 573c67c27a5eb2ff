"""Do engines obey z, how much of the product do they keep, and do they leave a grid?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from style.benchmarks.vectors import HELD_OUT
from style.color_space import lab_statistics, with_lab_statistics
from style.embedding import StyleEmbedder
from style.images import Pixels, center_square, open_image, to_pixels
from style.metrics import TransferScore, transfer_score
from style.training.crops import find_images
from style.transfer.base import Stylizer
from style.transfer.registry import ENGINES, load_stylizer
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
    embedder: StyleEmbedder, judge: nn.Module, examples: Sequence[tuple[Pixels, Pixels]]
) -> Iterator[str]:
    """A table of medians per engine and strength, then in how many pairs gain rises with strength.

    First the baseline: colours moved to those of the style picture itself, which engines never see.
    """
    yield f"{len(examples)} pairs at {SIDE} px, medians, judged by a network that no engine saw"
    yield f"{'engine':10}{'strength':>9}" + "".join(f"{title:>9}" for title in TITLES)
    baseline = [transfer_score(judge, product, style, lab_transfer(product, style)) for product, style in examples]
    yield f"{BASELINE:10}{'':>9}{_row(np.median(_table(baseline), axis=0))}"
    whole = np.ones((SIDE, SIDE), dtype=np.float32)
    styles = [embedder.embed(style, whole) for _, style in examples]
    for name in ENGINES:
        engine = load_stylizer(name)
        shown = zip(tqdm(examples, desc=name, disable=None), styles, strict=True)
        scores = np.array([_table(_scores(judge, engine, pair, z)) for pair, z in shown])
        for strength, medians in zip(STRENGTHS, np.median(scores, axis=0), strict=True):
            yield f"{name:10}{strength:9.2f}{_row(medians)}"
        rises = (np.diff(scores[:, :, 0], axis=1) > 0).all(axis=1).mean()
        yield f"{name:10}gain rises with strength in {rises:.0%} of pairs; grid {grid(engine):.2f} (1: none)"


def lab_transfer(product: Pixels, style: Pixels) -> Pixels:
    """The product with the means and deviations of L*, a*, b* of the style picture (Reinhard et al. 2001)."""
    shown = [np.ones(picture.shape[:2], dtype=np.float32) for picture in (product, style)]
    mean, deviation = np.split(lab_statistics(style, shown[1]), 2)
    return with_lab_statistics(product, shown[0], mean, deviation)


def _scores(judge: nn.Module, engine: Stylizer, pair: tuple[Pixels, Pixels], z: StyleVector) -> list[TransferScore]:
    product, style = pair
    painting = engine.paint([product], z)[0]
    return [
        transfer_score(judge, product, style, painting.on(product, texture=amount, colour=amount))
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
