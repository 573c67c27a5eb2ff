"""Effect of a preprocessing recipe on retrieval by style, if photos are worse than those of the catalog.

    python tests/benchmarks/preprocess.py FOLDER [--label article] [--photos 400] [--queries 100]

FOLDER has an `items.csv` with a column `image` and a column of labels. A recipe embeds the photos unchanged (the
catalog) and some of them degraded (the queries). For each recipe the table has the cosine of a degraded photo and its
original; how often the original is found first; and how often the nearest other photo has the same label.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.rng import generator
from recsys.schema import FloatArray
from style.embedding import WORKING_SIDE, StyleEmbedder
from style.images import Pixels, read_image
from style.preprocess.recipe import Recipe

RECIPES: tuple[tuple[str, ...], ...] = (
    (),
    ("denoise:nlm",),
    ("denoise:wavelet",),
    ("balance",),
    ("clahe",),
    ("stretch",),
    ("denoise:nlm", "balance", "stretch"),
)


def noisy(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return np.clip(pixels + rng.normal(0, 0.06, pixels.shape), 0, 1).astype(np.float32)


def dark(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(0.55 * pixels**1.5, dtype=np.float32)


def warm(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(pixels * np.array([1.0, 0.85, 0.62], dtype=np.float32))


def flat(pixels: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(0.35 + 0.35 * pixels, dtype=np.float32)


DEGRADED: dict[str, Callable[[Pixels, np.random.Generator], Pixels]] = {
    "noise 0.06": noisy,
    "dark": dark,
    "warm light": warm,
    "flat": flat,
}


def embedded(embedder: StyleEmbedder, pictures: list[Pixels]) -> FloatArray:
    return np.stack([embedder.embed(pixels).values for pixels in pictures])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--label", default="article")
    parser.add_argument("--photos", type=int, default=400)
    parser.add_argument("--queries", type=int, default=100)
    given = parser.parse_args()
    items = pd.read_csv(given.folder / "items.csv")
    chosen = generator(0, "benchmark", "preprocess").permutation(len(items))[: given.photos]
    labels = items[given.label].to_numpy()[chosen]
    photos = [read_image(given.folder / items["image"][row], short_side=WORKING_SIDE) for row in chosen]
    queries = range(min(given.queries, len(photos)))
    worse = {
        name: [degrade(photos[n], generator(0, "benchmark", name, str(n))) for n in queries]
        for name, degrade in DEGRADED.items()
    }
    print(f"{len(photos)} photos, {len(queries)} queries, label {given.label}")
    print(f"{'recipe':32s} {'photos':12s} {'cosine':>7s} {'itself':>7s} {'label':>7s}")
    for steps in RECIPES:
        embedder = StyleEmbedder.load("vgg-slim", Recipe.from_texts(steps))
        catalog = embedded(embedder, photos)
        for name, pictures in (("as they are", photos[: len(queries)]), *worse.items()):
            likeness = embedded(embedder, pictures) @ catalog.T
            own = likeness[queries, queries].copy()
            itself = (likeness.argmax(axis=1) == np.arange(len(queries))).mean()
            likeness[queries, queries] = -np.inf
            label = (labels[likeness.argmax(axis=1)] == labels[: len(queries)]).mean()
            print(
                f"{' '.join(steps) or 'none':32s} {name:12s} {own.mean():7.3f} {itself:7.2f} {label:7.2f}", flush=True
            )


if __name__ == "__main__":
    main()
