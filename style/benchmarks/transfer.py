"""Benchmark of engines: do they follow z, how much of the product do they keep, and do they leave a grid?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import astuple
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from style.benchmarks.engines import PATIENCE, embed_styles, run_within
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
"""Column titles for the fields of `TransferScore`; ^2: from squared distances, plain: the plain cosine."""


def pairs(products: Path, styles: Path, count: int) -> list[tuple[Pixels, Pixels]]:
    """Draw squares of a product and of a style by a fixed seed; of styles, only those that recipes hold out."""
    photos, held_out = find_images([products]), find_images([styles])[::HELD_OUT]
    random = np.random.default_rng(0)
    chosen = [(photos[random.integers(len(photos))], held_out[random.integers(len(held_out))]) for _ in range(count)]
    return [(_square(product), _square(style)) for product, style in chosen]


def transfer_lines(
    embedder: StyleEmbedder,
    judge: nn.Module,
    examples: Sequence[tuple[Pixels, Pixels]],
    engines: Sequence[str] = ENGINE_NAMES,
) -> Iterator[str]:
    """Yield a table of medians per engine and strength, then the share of pairs in which gain rises with strength.

    The baseline comes first: colors moved to those of the style image itself, which engines that need only z never see.
    The other engines paint from the styles of the pairs. Slow engines run on the first pairs, for about
    `engines.PATIENCE` seconds.

    Args:
        embedder: Computes the styles' vectors.
        judge: Network whose features score the images.
        examples: Pairs of product and style.
        engines: Names of registered engines.
    """
    yield f"{len(examples)} pairs at {SIDE} px, medians, judged by a network that no engine was trained on"
    yield f"{'engine':10}{'strength':>9}" + "".join(f"{title:>9}" for title in TITLES)
    baseline = [transfer_score(judge, product, style, lab_transfer(product, style)) for product, style in examples]
    yield f"{BASELINE:10}{'':>9}{_row(np.median(_table(baseline), axis=0))}"
    styles, images = embed_styles(embedder, [style for _, style in examples])
    for name in tqdm(engines, desc="engines", disable=None):
        engine = load_stylizer(name, styles=lambda: images)
        runs = [partial(_paint, engine, product, z) for (product, _), z in zip(examples, styles, strict=True)]
        # Runs end when the time is spent: not all examples have one.
        rows = []
        for (product, style), (painting, _) in zip(examples, run_within(PATIENCE, runs), strict=False):
            painted = (painting.on(product, texture=amount, color=amount) for amount in STRENGTHS)
            rows.append(_table([transfer_score(judge, product, style, after) for after in painted]))
        scores = np.array(rows)  # (pairs, strengths, fields)
        if len(scores) < len(examples):
            yield f"{name:10}is slow: on {len(scores)} of {len(examples)} pairs"
        for strength, medians in zip(STRENGTHS, np.median(scores, axis=0), strict=True):
            yield f"{name:10}{strength:9.2f}{_row(medians)}"
        rises = (np.diff(scores[:, :, 0], axis=1) > 0).all(axis=1).mean()
        yield f"{name:10}gain rises with strength in {rises:.0%} of pairs; grid {grid_level(engine):.2f} (1: none)"


def _paint(engine: Stylizer, product: Pixels, z: StyleVector) -> Painting:
    return engine.paint([product], z)[0]


def _table(scores: Sequence[TransferScore]) -> NDArray[np.float64]:
    """Return an array with a row per score and a column per field."""
    return np.array([astuple(score) for score in scores])


def _row(values: NDArray[np.float64]) -> str:
    return "".join(f"{value:9.2f}" for value in values)


def grid_level(engine: Stylizer, styles: int = 8) -> float:
    """Measure peaks at periods of 2 and 4 pixels in the spectrum of the texture that is added to plain gray.

    The result is the amplitude there over the largest one nearby, the worst of `styles` random styles. Up to about 1
    there is no grid. Amplitudes below a thousandth of the range of values are invisible and count as none.
    """
    random = np.random.default_rng(0)
    gray = np.full((128, 128, 3), 0.5, dtype=np.float32)
    vectors = (StyleVector.from_values(random.normal(size=128)) for _ in range(styles))
    return max(_peak(engine.paint([gray], vector)[0].texture) for vector in vectors)


def _peak(texture: Pixels, margin: int = 16, floor: float = 1e-3) -> float:
    inner = texture.mean(axis=2)[margin:-margin, margin:-margin]
    worst = 0.0
    for axis in (0, 1):
        # Amplitudes along one axis, averaged over the other.
        spectrum: NDArray[np.float64] = np.abs(np.fft.rfft(inner, axis=axis)).mean(axis=1 - axis) / inner.shape[axis]
        for period in (2, 4):
            at = inner.shape[axis] // period
            near = np.r_[spectrum[at - 5 : at - 1], spectrum[at + 2 : at + 6]]
            worst = max(worst, float(spectrum[at] / max(near.max(), floor)))
    return worst


def _square(path: Path) -> Pixels:
    return to_pixels(center_square(open_image(path), SIDE))
