"""Figures of the style tower: do vectors mean style, and do engines obey them?

    python tests/benchmarks/style_tower.py --labelled FOLDER_PER_STYLE --products FOLDER --judge vgg19.safetensors

Prints leave-one-out retrieval on the labelled folder tree (with the raw Gram matrices of the same network beside it),
and per engine and strength the medians over pairs of product and style, judged by another network than the one that
was trained with.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from style.embedding import StyleEmbedder
from style.gram import gram, upper_triangle
from style.images import Pixels, center_square, open_image, to_pixels
from style.metrics import retrieval_score, transfer_score
from style.training.crops import find_images
from style.training.teachers import load_teacher
from style.transfer.base import Stylizer
from style.transfer.registry import ENGINES, load_stylizer

STRENGTHS = (0.25, 0.5, 0.75, 1.0)
SIDE = 256


def retrieval(folder: Path) -> None:
    paths = find_images([folder])
    labels = [path.parent.name for path in paths]
    embedder = StyleEmbedder.load()
    start = time.perf_counter()
    vectors = embedder.embed_files(paths)
    seconds = time.perf_counter() - start
    print(f"\n{len(paths)} images, {len(set(labels))} styles, leave-one-out")
    print(f"{'vector':34}{'numbers':>9}{'R@1':>8}{'mAP@10':>8}")
    for name, found in (("raw Gram, same network", raw_grams(embedder, paths)), (embedder.version, vectors)):
        score = retrieval_score(found, labels)
        print(f"{name:34}{found.shape[1]:9}{score.recall_at_1:8.3f}{score.map_at_10:8.3f}")
    print(f"{len(paths) / seconds:.1f} images/s from files to vectors")


@torch.inference_mode()
def raw_grams(embedder: StyleEmbedder, paths: Sequence[Path]) -> np.ndarray:
    rows = []
    for path in tqdm(paths, desc="raw Gram", disable=None):
        pixels = to_pixels(center_square(open_image(path, short_side=224), 224))
        maps = embedder.network(torch.from_numpy(pixels).permute(2, 0, 1)[None])
        row = torch.cat([upper_triangle(gram(maps[tap])) for tap in list(maps)[:4]], dim=1)[0]
        rows.append((row / row.norm()).numpy())
    return np.stack(rows)


def pairs(products: Path, styles: Path, count: int) -> Iterator[tuple[Pixels, Pixels]]:
    """Deterministic pairs; styles are those that training leaves for validation, every fifth."""
    held_out = [path for index, path in enumerate(find_images([styles])) if index % 5 == 0]
    shown = find_images([products])
    random = np.random.default_rng(0)
    for _ in range(count):
        yield square(shown[random.integers(len(shown))]), square(held_out[random.integers(len(held_out))])


def square(path: Path) -> Pixels:
    return to_pixels(center_square(open_image(path), SIDE))


def transfer(judge: nn.Module, examples: Sequence[tuple[Pixels, Pixels]]) -> None:
    embedder = StyleEmbedder.load()
    whole = np.ones((SIDE, SIDE), dtype=np.float32)
    vectors = [embedder.embed(style, whole) for _, style in examples]
    print(f"\n{len(examples)} pairs, {SIDE} px, medians")
    print(f"{'engine':10}{'strength':>9}{'style gain':>12}{'Gram gain':>11}{'content':>9}{'SSIM':>7}{'ms':>7}")
    for name in ENGINES:
        engine = load_stylizer(name)
        for strength in STRENGTHS:
            rows = [
                (transfer_score(judge, product, style, engine.restyle(product, z, strength)))
                for (product, style), z in zip(examples, vectors, strict=True)
            ]
            medians = np.median([(r.style_gain, r.gram_gain, r.content, r.ssim) for r in rows], axis=0)
            gain, gram_gain, content, similarity = medians
            milliseconds = 1000 * median_seconds(engine, examples, vectors)
            print(
                f"{name:10}{strength:9.2f}{gain:12.2f}{gram_gain:11.2f}{content:9.2f}{similarity:7.2f}"
                f"{milliseconds:7.1f}"
            )


def median_seconds(engine: Stylizer, examples: Sequence[tuple[Pixels, Pixels]], vectors: Sequence) -> float:
    times = []
    for (product, _), z in list(zip(examples, vectors, strict=True))[:10]:
        start = time.perf_counter()
        engine.restyle(product, z, 1.0)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--labelled", type=Path, required=True, help="one folder of images per style")
    parser.add_argument("--products", type=Path, help="product photos to restyle")
    parser.add_argument("--judge", type=Path, help="safetensors of VGG-19 to relu4_1 (see style.training.teachers)")
    parser.add_argument("--pairs", type=int, default=40)
    arguments = parser.parse_args()
    if arguments.products and arguments.judge:
        transfer(load_teacher(arguments.judge), list(pairs(arguments.products, arguments.labelled, arguments.pairs)))
    retrieval(arguments.labelled)


if __name__ == "__main__":
    main()
