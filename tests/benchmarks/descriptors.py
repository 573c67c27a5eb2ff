"""Retrieval of products of the same kind or color by each descriptor, compared with the style vector and chance.

    python tests/benchmarks/descriptors.py FOLDER [--labels color article]

FOLDER has an `items.csv` with a column `image` and the labels. R@1: how often the nearest other photo has the same
label; chance: the same for a photo drawn at random. ms: CPU time to describe one photo, without its mask.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.profiles.style_vectors import COLOR_SIDE
from style.descriptors.registry import DESCRIPTORS
from style.embedding import StyleEmbedder
from style.images import read_image
from style.mask import product_mask


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--labels", nargs="+", default=["color", "article"])
    given = parser.parse_args()
    items = pd.read_csv(given.folder / "items.csv")
    labels = {name: items[name].to_numpy() for name in given.labels}
    pictures = [read_image(given.folder / image, short_side=COLOR_SIDE) for image in items["image"]]
    masks = [product_mask(pixels) for pixels in pictures]
    whole = float(np.mean([mask.min() == 1 for mask in masks]))
    print(f"{len(pictures)} photos, {whole:.0%} without a product that stands out")
    print(f"{'':18s} {'D':>4s} {'ms':>6s} " + " ".join(f"{name:>8s}" for name in labels))

    def row(name: str, dimensions: int, took: float, nearest: np.ndarray) -> None:
        found = " ".join(f"{(values[nearest] == values).mean():8.3f}" for values in labels.values())
        print(f"{name:18s} {dimensions:4d} {1000 * took / len(pictures):6.1f} {found}", flush=True)

    for name, each in DESCRIPTORS.items():
        begun = time.process_time()
        found = np.stack([each.describe(*pair) for pair in zip(pictures, masks, strict=True)])
        took = time.process_time() - begun
        distances = np.stack([each.distances(one, found) for one in found])
        np.fill_diagonal(distances, np.inf)
        row(name, each.dimensions, took, distances.argmin(axis=1))
    begun = time.process_time()
    embedder = StyleEmbedder.load()
    vectors = np.stack([embedder.embed(*pair).values for pair in zip(pictures, masks, strict=True)])
    likeness = vectors @ vectors.T
    np.fill_diagonal(likeness, -np.inf)
    row("style vector", vectors.shape[1], time.process_time() - begun, likeness.argmax(axis=1))
    chance = " ".join(
        f"{(pd.Series(values).value_counts() / len(items)).pow(2).sum():8.3f}" for values in labels.values()
    )
    print(f"{'chance':18s} {'':4s} {'':6s} {chance}")


if __name__ == "__main__":
    main()
