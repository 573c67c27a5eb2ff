"""All engines on the same pairs of product and style: what they do to the product, how far they go, what they cost."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from style.backbone import WEIGHTS
from style.benchmarks.memory import engine_memory
from style.embedding import StyleEmbedder
from style.fidelity import Composite, Ruler
from style.images import Pixels
from style.metrics import psnr, transfer_score
from style.modes import PaintMode, Strength
from style.transfer.base import Painting, Stylizer
from style.transfer.engine_names import ENGINE_NAMES
from style.transfer.registry import load_stylizer
from style.transfer.style_images import StylePicture, StylePictures
from style.vector import StyleVector

EngineLoader = Callable[[StylePictures], Stylizer]
"""An engine, given the pictures of the styles that it will be asked for; engines of z alone ignore them."""

PATIENCE = 60.0
"""Seconds of painting after which an engine is asked for no further pair."""


@dataclass(frozen=True, slots=True)
class EngineFigures:
    """Medians over the first `pairs` pairs, whole pictures at full strength.

    `psnr` (dB), `ssim`: against the product. `style_gain`, `gram_gain`, `content`: see `style.metrics.TransferScore`.
    `edges`: the share of the product's strong edges that is left (`style.fidelity.Measures`). `seconds`: of the
    processor for one picture, one thread. `memory_mb`: see `engine_memory`; None where it was not measured.
    `weights_mb`: of the file, None where it is not among those that ship.
    """

    name: str
    version: str
    pairs: int
    psnr: float
    ssim: float
    style_gain: float
    gram_gain: float
    content: float
    edges: float
    seconds: float
    memory_mb: float | None
    weights_mb: float | None


class _Scores(TypedDict):
    psnr: float
    ssim: float
    style_gain: float
    gram_gain: float
    content: float
    edges: float


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """`examples`: products and styles, `(H, W, 3)` each. `painted`: by engine, one picture for each of its pairs."""

    examples: Sequence[tuple[Pixels, Pixels]]
    figures: tuple[EngineFigures, ...]
    painted: Mapping[str, Sequence[Pixels]]


def compare_engines(
    embedder: StyleEmbedder,
    judge: nn.Module,
    examples: Sequence[tuple[Pixels, Pixels]],
    names: Sequence[str] = ENGINE_NAMES,
    *,
    extra: Mapping[str, EngineLoader] | None = None,
    patience: float = PATIENCE,
    memory: bool = True,
) -> Comparison:
    """Paint the pairs with registered engines, then with `extra` ones by name.

    Raises UnknownEngineError for a name that is not registered, and what loading an engine raises.
    """
    styles, pictures = pictures_of(embedder, [style for _, style in examples])
    loaders = {name: partial(_registered, name) for name in names} | dict(extra or {})
    painted: dict[str, Sequence[Pixels]] = {}
    figures = []
    for name, load in tqdm(loaders.items(), desc="engines", disable=None):
        with _one_thread():
            engine = load(pictures)
            paintings, seconds = _paintings(engine, [product for product, _ in examples], styles, patience)
        shown = [part.on(product) for part, (product, _) in zip(paintings, examples, strict=False)]
        measured = engine_memory(name) if memory and name in ENGINE_NAMES else None
        figures.append(
            EngineFigures(
                name=name,
                version=engine.version,
                pairs=len(shown),
                **_scores(judge, examples, paintings, shown),
                seconds=seconds,
                memory_mb=measured,
                weights_mb=weights_mb(engine),
            )
        )
        painted[name] = shown
    return Comparison(examples, tuple(figures), painted)


def pictures_of(embedder: StyleEmbedder, styles: Sequence[Pixels]) -> tuple[list[StyleVector], StylePictures]:
    """The style vector of each picture, taken whole, and all that differ as pictures to paint from."""
    vectors = [embedder.embed(pixels, np.ones(pixels.shape[:2], dtype=np.float32)) for pixels in styles]
    kept: dict[bytes, StylePicture] = {}
    for pixels, vector in zip(styles, vectors, strict=True):
        kept.setdefault(vector.values.tobytes(), StylePicture(f"style {len(kept)}", vector, pixels))
    return vectors, StylePictures(list(kept.values()))


def figure_lines(figures: Sequence[EngineFigures], wanted: int) -> Iterator[str]:
    """The table for a terminal; `wanted` is how many pairs there were."""
    titles = ("PSNR", "SSIM", "gain", "Gram", "content", "edges", "ms", "memory MB", "weights MB", "pairs")
    yield f"{'engine':14}" + "".join(f"{title:>11}" for title in titles)
    for one in figures:
        shares = (one.ssim, one.style_gain, one.gram_gain, one.content, one.edges)
        sizes = ("-" if size is None else f"{size:.1f}" for size in (one.memory_mb, one.weights_mb))
        cells = (f"{one.psnr:.1f}", *(f"{share:.2f}" for share in shares), f"{1000 * one.seconds:.0f}", *sizes)
        few = f"{one.pairs} of {wanted}" if one.pairs < wanted else f"{one.pairs}"
        yield f"{one.name:14}" + "".join(f"{cell:>11}" for cell in (*cells, few))


def weights_mb(engine: Stylizer) -> float | None:
    """MB of the engine's weights, found among those that ship by their hash; 0 for an engine without any."""
    if not engine.model_sha256:
        return 0.0
    for file in sorted(Path(str(WEIGHTS)).glob("*.safetensors")):
        if hashlib.sha256(file.read_bytes()).hexdigest() == engine.model_sha256:
            return file.stat().st_size / 1e6
    return None


def within(seconds: float, runs: Sequence[Callable[[], Painting]]) -> Iterator[tuple[Painting, float]]:
    """What runs give, one after the other, and the processor seconds of each, until `seconds` are spent; at least one.

    Of the processor, because others that use the machine would be counted with the clock's.
    """
    spent = 0.0
    for run in runs:
        start, before = time.perf_counter(), time.process_time()
        painting = run()
        spent += time.perf_counter() - start
        yield painting, time.process_time() - before
        if spent > seconds:
            return


def _paintings(
    engine: Stylizer, products: Sequence[Pixels], styles: Sequence[StyleVector], patience: float
) -> tuple[list[Painting], float]:
    """Paintings of as many pairs as there is patience for, and the median time of one."""

    def paint(product: Pixels, style: StyleVector) -> Painting:
        # Whole pictures are compared, so that colors are judged by all of them.
        return engine.paint([product], style, [np.ones(product.shape[:2], dtype=np.float32)])[0]

    found = list(within(patience, [partial(paint, *pair) for pair in zip(products, styles, strict=True)]))
    # The first one warms up: runtimes make their kernels for a new size of picture.
    times = [took for _, took in found[1:]] or [found[0][1]]
    return [painting for painting, _ in found], float(np.median(times))


def _scores(
    judge: nn.Module,
    examples: Sequence[tuple[Pixels, Pixels]],
    paintings: Sequence[Painting],
    shown: Sequence[Pixels],
) -> _Scores:
    rows: list[_Scores] = []
    for (product, style), painting, after in zip(examples, paintings, shown, strict=False):
        score = transfer_score(judge, product, style, after)
        rows.append(
            _Scores(
                psnr=psnr(product, after),
                ssim=score.ssim,
                style_gain=score.style_gain,
                gram_gain=score.gram_gain,
                content=score.content,
                edges=_edges(product, painting),
            )
        )
    return _Scores(
        psnr=_median(row["psnr"] for row in rows),
        ssim=_median(row["ssim"] for row in rows),
        style_gain=_median(row["style_gain"] for row in rows),
        gram_gain=_median(row["gram_gain"] for row in rows),
        content=_median(row["content"] for row in rows),
        edges=_median(row["edges"] for row in rows),
    )


def _median(values: Iterable[float]) -> float:
    return float(np.median(list(values)))


def _edges(product: Pixels, painting: Painting) -> float:
    whole = np.ones(product.shape[:2], dtype=np.float32)
    return Ruler(Composite(product, painting, whole, whole)).measures(Strength.of(1.0, PaintMode.FULL)).edges


def _registered(name: str, pictures: StylePictures) -> Stylizer:
    return load_stylizer(name, 1, lambda: pictures)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
