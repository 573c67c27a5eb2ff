"""Comparison of all engines on the same pairs of product and style: fidelity to the product, style gain, cost."""

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
from style.fidelity import Composite, FidelityMeter
from style.images import Pixels
from style.metrics import psnr, transfer_score
from style.modes import PaintMode, Strength
from style.transfer.base import Painting, Stylizer
from style.transfer.engine_names import ENGINE_NAMES
from style.transfer.registry import load_stylizer
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import StyleVector

EngineLoader = Callable[[StyleImages], Stylizer]
"""Function that builds an engine from the images of the styles to paint; engines that need only z ignore them."""

PATIENCE = 60.0
"""Seconds of painting after which an engine gets no further pair."""


@dataclass(frozen=True, slots=True)
class EngineResult:
    """Medians over the first `pairs` pairs, whole images at full strength.

    `psnr` (dB), `ssim`: against the product. `style_gain`, `gram_gain`, `content`: see `style.metrics.TransferScore`.
    `edges`: the share of the product's strong edges that is left (`style.fidelity.Measures`). `seconds`: processor time
    for one image, one thread. `memory_mb`: see `engine_memory`; None if not measured. `weights_mb`: of the weights
    file, None if it is not packaged.
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
    """Result of `compare_engines`.

    `examples`: products and styles, `(H, W, 3)` each. `painted`: by engine, one image for each of its pairs.
    """

    examples: Sequence[tuple[Pixels, Pixels]]
    results: tuple[EngineResult, ...]
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

    Args:
        embedder: Computes the styles' vectors.
        judge: Network whose features score the images.
        examples: Pairs of product and style, `(H, W, 3)` each.
        names: Registered engines.
        extra: Loaders of further engines, by name.
        patience: Seconds of painting after which an engine gets no further pair.
        memory: Measure the memory of registered engines, each in a process of its own.

    Raises:
        UnknownEngineError: If a name is not registered; loading an engine may raise other errors.
    """
    styles, images = embed_styles(embedder, [style for _, style in examples])
    loaders = {name: partial(_load_registered, name) for name in names} | dict(extra or {})
    painted: dict[str, Sequence[Pixels]] = {}
    results = []
    for name, load in tqdm(loaders.items(), desc="engines", disable=None):
        with _one_thread():
            engine = load(images)
            paintings, seconds = _paint_pairs(engine, [product for product, _ in examples], styles, patience)
        after = [part.on(product) for part, (product, _) in zip(paintings, examples, strict=False)]
        measured = engine_memory(name) if memory and name in ENGINE_NAMES else None
        results.append(
            EngineResult(
                name=name,
                version=engine.version,
                pairs=len(after),
                **_median_scores(judge, examples, paintings, after),
                seconds=seconds,
                memory_mb=measured,
                weights_mb=weights_mb(engine),
            )
        )
        painted[name] = after
    return Comparison(examples, tuple(results), painted)


def embed_styles(embedder: StyleEmbedder, styles: Sequence[Pixels]) -> tuple[list[StyleVector], StyleImages]:
    """Compute the style vector of each image, taken whole, and collect all different ones as style images."""
    vectors = [embedder.embed(pixels, np.ones(pixels.shape[:2], dtype=np.float32)) for pixels in styles]
    different: dict[bytes, StyleImage] = {}
    for pixels, vector in zip(styles, vectors, strict=True):
        different.setdefault(vector.values.tobytes(), StyleImage(f"style {len(different)}", vector, pixels))
    return vectors, StyleImages(list(different.values()))


def result_lines(results: Sequence[EngineResult], wanted: int) -> Iterator[str]:
    """Format the table for a terminal; `wanted` is the number of all pairs."""
    titles = ("PSNR", "SSIM", "gain", "Gram", "content", "edges", "ms", "memory MB", "weights MB", "pairs")
    yield f"{'engine':14}" + "".join(f"{title:>11}" for title in titles)
    for one in results:
        shares = (one.ssim, one.style_gain, one.gram_gain, one.content, one.edges)
        sizes = ("-" if size is None else f"{size:.1f}" for size in (one.memory_mb, one.weights_mb))
        cells = (f"{one.psnr:.1f}", *(f"{share:.2f}" for share in shares), f"{1000 * one.seconds:.0f}", *sizes)
        few = f"{one.pairs} of {wanted}" if one.pairs < wanted else f"{one.pairs}"
        yield f"{one.name:14}" + "".join(f"{cell:>11}" for cell in (*cells, few))


def weights_mb(engine: Stylizer) -> float | None:
    """Return the MB of the engine's weights, found among packaged files by hash; 0 for an engine without weights."""
    if not engine.model_sha256:
        return 0.0
    for file in sorted(Path(str(WEIGHTS)).glob("*.safetensors")):
        if hashlib.sha256(file.read_bytes()).hexdigest() == engine.model_sha256:
            return file.stat().st_size / 1e6
    return None


def run_within(seconds: float, runs: Sequence[Callable[[], Painting]]) -> Iterator[tuple[Painting, float]]:
    """Run functions one after the other until `seconds` are spent, at least one.

    Yields:
        Painting and processor seconds of each run. Wall time would include other load on the machine.
    """
    spent = 0.0
    for run in runs:
        start, before = time.perf_counter(), time.process_time()
        painting = run()
        spent += time.perf_counter() - start
        yield painting, time.process_time() - before
        if spent > seconds:
            return


def _paint_pairs(
    engine: Stylizer, products: Sequence[Pixels], styles: Sequence[StyleVector], patience: float
) -> tuple[list[Painting], float]:
    """Paint as many pairs as `patience` allows; return the paintings and the median time of one."""

    def paint(product: Pixels, style: StyleVector) -> Painting:
        # Whole images are compared, so colors are judged by the whole image.
        return engine.paint([product], style, [np.ones(product.shape[:2], dtype=np.float32)])[0]

    runs = list(run_within(patience, [partial(paint, *pair) for pair in zip(products, styles, strict=True)]))
    # The first run warms up: runtimes compile their kernels for a new image size.
    times = [took for _, took in runs[1:]] or [runs[0][1]]
    return [painting for painting, _ in runs], float(np.median(times))


def _median_scores(
    judge: nn.Module,
    examples: Sequence[tuple[Pixels, Pixels]],
    paintings: Sequence[Painting],
    painted: Sequence[Pixels],
) -> _Scores:
    rows: list[_Scores] = []
    full = Strength.from_number(1.0, PaintMode.FULL)
    for (product, style), painting, after in zip(examples, paintings, painted, strict=False):
        score = transfer_score(judge, product, style, after)
        whole = np.ones(product.shape[:2], dtype=np.float32)
        rows.append(
            _Scores(
                psnr=psnr(product, after),
                ssim=score.ssim,
                style_gain=score.style_gain,
                gram_gain=score.gram_gain,
                content=score.content,
                edges=FidelityMeter(Composite(product, painting, whole, whole)).measure(full).edges,
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


def _load_registered(name: str, images: StyleImages) -> Stylizer:
    return load_stylizer(name, 1, lambda: images)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
