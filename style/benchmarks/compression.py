"""Benchmark of compressed variants of `film`: size, time, style gain, and likeness to the product and the original."""

from __future__ import annotations

import tempfile
import time
import zlib
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import nn
from tqdm import tqdm

from style.backbone import load_backbone, read_weights
from style.benchmarks.transfer import pairs
from style.color_space import luma
from style.embedding import StyleEmbedder
from style.errors import ExtraError
from style.export.export import ExportOptions, load_network, make_batches, write_network
from style.export.formats import PRECISIONS, ExportFormat
from style.images import Pixels
from style.metrics import psnr, ssim, transfer_score
from style.training.recipes.prune import prune_film, shape_from_tensors, shape_of, shrink_shape
from style.training.teachers import load_teacher
from style.transfer.film import FilmNet, FilmStylizer
from style.vector import StyleVector

SIDE = 256
LIKENESS = ("SSIM photo", "SSIM film", "PSNR film")
"""Likeness to the photo, and to the original's painting."""
CALIBRATION = 16
TURNS = 31
"""Products for the calibration of 8 bits; none of them is scored."""


@dataclass(frozen=True, slots=True)
class Variant:
    """One way of storing the network: its name, its bytes on disk, and the engine that runs it."""

    name: str
    size: int
    engine: FilmStylizer


Example = tuple[Pixels, Pixels, StyleVector]


def compression_lines(
    products: Path, styles: Path, *, judge: Path | None = None, count: int = 12, small: Sequence[Path] = ()
) -> Iterator[str]:
    """Yield a table with a row per variant: medians over `count` pairs of product and held-out style.

    Args:
        products: Folder of product photos.
        styles: Folder of style images, of which every fifth is held out.
        judge: File of a network as in `bench style`; default: `vgg-slim`, from which z is computed.
        count: Pairs to score.
        small: Weights written by `style.training.recipes.compress`.
    """
    network = load_backbone("vgg-slim") if judge is None else load_teacher(judge)
    drawn = pairs(products, styles, count + CALIBRATION)
    embedder = StyleEmbedder.load()
    whole = np.ones((SIDE, SIDE), dtype=np.float32)
    examples = [(product, style, embedder.embed(style, whole)) for product, style in drawn[:count]]
    original = FilmStylizer.load(threads=1)
    references = [_paint(original, product, z) for product, _, z in examples]
    judge_name = judge.stem if judge else "vgg-slim"
    yield f"{count} pairs at {SIDE} px, medians, full strength; one thread; judged by {judge_name}"
    yield f"{'variant':34}{'bytes':>10}{'ms':>8}{'times':>7}{'gain':>7}" + "".join(f"{title:>12}" for title in LIKENESS)
    with tempfile.TemporaryDirectory() as folder:
        calibration = [product for product, _ in drawn[count:]]
        for variant in tqdm(_variants(original, calibration, small, Path(folder)), desc="variants", disable=None):
            if isinstance(variant, str):
                yield variant
                continue
            # Both engines run in turns, so that other load on the machine affects both; the first turn warms up.
            example = examples[0]
            times: list[list[float]] = [[], []]
            for index in range(2 * (TURNS + 1)):
                start = time.perf_counter()
                (original, variant.engine)[index % 2].paint([example[0]], example[2])
                times[index % 2].append(time.perf_counter() - start)
            base, own = (float(np.median(each[1:])) for each in times)
            yield (
                f"{variant.name:34}{variant.size:10d}{1000 * own:8.1f}{base / own:7.2f}"
                + _score_row(network, variant.engine, examples, references)
            )


def _variants(
    original: FilmStylizer, calibration: Sequence[Pixels], small: Sequence[Path], folder: Path
) -> Iterator[Variant | str]:
    module = original.module
    yield Variant("float32 weights, OpenVINO", len(save(module.state_dict())), original)
    yield Variant("float16 weights (as packaged)", len(_half_bytes(module)), original)
    batches = make_batches(original.network_spec(), calibration)
    for file_format in (ExportFormat.OPENVINO, ExportFormat.ONNX, ExportFormat.TORCHSCRIPT):
        for precision in PRECISIONS[file_format]:
            try:
                options = ExportOptions("film", original.version, file_format, precision)
                yield _export_variant(original, options, batches, folder)
            except ExtraError as error:
                yield f"{file_format + ' ' + precision:34}not measured: {error}"
    for share in (0.5, 0.75):
        pruned = _zero_smallest(module, share)
        name = f"{share:.0%} of weights zero, deflated"
        yield Variant(name, len(zlib.compress(_half_bytes(pruned), 9)), FilmStylizer(pruned, name, threads=1))
    for share in (0.25, 0.5):
        thin = prune_film(module, shrink_shape(shape_of(module), share))
        name = f"{share:.0%} of channels pruned, untrained"
        yield Variant(name, len(_half_bytes(thin)), FilmStylizer(thin, name, threads=1))
    for file in small:
        tensors = read_weights(file, sha256="")
        thin = FilmNet(shape_from_tensors(tensors))
        thin.load_state_dict(tensors)
        name = f"width {thin.enter.out_channels}, distilled"
        yield Variant(name, file.stat().st_size, FilmStylizer(thin, name, threads=1))


def _export_variant(
    original: FilmStylizer, options: ExportOptions, batches: Sequence[tuple[torch.Tensor, ...]], folder: Path
) -> Variant:
    inside = folder / f"{options.file_format}-{options.precision}"
    inside.mkdir()
    path = inside / f"film{options.file_format.suffix}"
    write_network(original.network_spec(), options, path, batches)
    size = sum(part.stat().st_size for part in inside.iterdir())
    runner = load_network(path, options.file_format)
    engine = FilmStylizer(original.module, original.version, runnable=runner)
    return Variant(f"{options.file_format} {options.precision}", size, engine)


@torch.no_grad()
def _zero_smallest(network: FilmNet, share: float) -> FilmNet:
    """Copy the network with the smallest `share` of each layer's weights set to zero: unstructured pruning."""
    pruned = deepcopy(network)
    for layer in pruned.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer is not pruned.palette:
            size = layer.weight.abs()
            layer.weight.mul_(size > size.flatten().kthvalue(max(1, round(share * size.numel()))).values)
    return pruned


def _half_bytes(network: nn.Module) -> bytes:
    return save({key: value.half() for key, value in network.state_dict().items()})


def _paint(engine: FilmStylizer, product: Pixels, z: StyleVector) -> Pixels:
    return engine.paint([product], z)[0].on(product)


def _score_row(
    judge: nn.Module, engine: FilmStylizer, examples: Sequence[Example], references: Sequence[Pixels]
) -> str:
    rows: list[tuple[float, float, float, float]] = []
    for (product, style, z), original in zip(examples, references, strict=True):
        painted = _paint(engine, product, z)
        score = transfer_score(judge, product, style, painted)
        rows.append((score.style_gain, score.ssim, ssim(luma(original), luma(painted)), psnr(original, painted)))
    gain, to_photo, to_film, noise = np.median(np.array(rows), axis=0)
    return f"{gain:7.2f}{to_photo:12.3f}{to_film:12.3f}{noise:12.1f}"
