"""Search by words: texts of held-out items as queries, and items ranked by the style that the words mean.

    python tests/benchmarks/text_search.py PROJECT [--label color]

A fifth of the items with an image is held out; the map from words to styles learns from the others. The text of each
held-out item is a query, and all items are ranked by style only. Rank of the item itself: median in per cent of the
catalog (50 is chance) and MRR. Same label: share of the ten nearest others with the query's label (an attribute, by
default the category). One word: each word with a meaning and at least three held-out items is a query; of the k nearest
held-out items, the share that have the word, k being the number of items with it.

Baselines in the same run: the mean style of the ten items whose texts match best by TF-IDF, weighted by the match; the
mean style of the category; a random style; and for the label the TF-IDF match of texts, which uses no image. Each is
measured with style directions ("directions", as served) and with the category left in ("offsets").
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from recsys.bundle.store import load_bundle
from recsys.bundle.types import Bundle
from recsys.dataset.project import Project
from recsys.errors import RequestError
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.text_style import TextStyleMap, item_texts, words
from recsys.rng import generator
from recsys.schema import FloatArray, IntArray

SHARE = 0.2
NEAREST = 10
FEWEST = 3


def looks_of(bundle: Bundle, train: IntArray) -> Iterator[tuple[str, FloatArray]]:
    """Return unit style vectors (I, 128) by name; centers are those of the train items."""
    codes, vectors = bundle.catalog.category_codes, bundle.space.vectors
    known = np.zeros_like(vectors)
    known[train] = vectors[train]
    space = StyleSpace.from_vectors(known, codes)
    test = np.setdiff1d(np.arange(len(vectors)), train)
    # as a new item gets its direction: the others' centers stay
    grown = space.with_items(vectors[test], np.concatenate([codes, codes[test]]))
    directions = space.directions.copy()
    directions[test] = grown.directions[len(vectors) :]
    yield "directions", directions
    offsets = vectors - space.center
    yield "offsets", np.asarray(offsets / np.maximum(np.linalg.norm(offsets, axis=1, keepdims=True), 1e-6))


def by_map(texts: list[str], looks: FloatArray, train: IntArray, test: IntArray) -> tuple[FloatArray, TextStyleMap]:
    learned = TextStyleMap.fit([texts[row] for row in train], looks[train])

    def asked(row: int) -> FloatArray:
        try:
            return learned.style_of(texts[row][:1000]).direction
        except RequestError:
            return np.zeros(looks.shape[1], dtype=np.float32)

    return np.stack([asked(row) for row in test]), learned


def one_word(learned: TextStyleMap, texts: list[str], looks: FloatArray, test: IntArray) -> str:
    """Return the R-precision of single words among the held-out items, and by chance."""
    held = [set(words(texts[row])) for row in test]
    found = []
    for word in (term for term in learned.terms if " " not in term):
        has = np.array([word in each for each in held])
        if has.sum() >= FEWEST:
            nearest = np.argsort(-(looks[test] @ learned.style_of(word).direction), kind="stable")[: has.sum()]
            found.append((has[nearest].mean(), has.mean()))
    if not found:
        return "no single word is on enough held-out items"
    ours, chance = np.mean(found, axis=0)
    return f"one word, {len(found)} of them: {ours:.3f}, by chance {chance:.3f}"


def line(name: str, wanted: FloatArray, looks: FloatArray, test: IntArray, labels: IntArray) -> str:
    scores = wanted @ looks.T
    own = scores[np.arange(len(test)), test][:, None]
    ranks = (scores > own).sum(axis=1) + ((scores == own).sum(axis=1) + 1) / 2
    scores[np.arange(len(test)), test] = -np.inf
    found = np.argsort(-scores, axis=1, kind="stable")[:, :NEAREST]
    # a look of zeros ranks nothing, and must not live by the order of rows
    found[~wanted.any(axis=1)] = -1
    same = np.where(
        found >= 0, labels[found] == labels[test][:, None], np.mean(labels[:, None] == labels[test], axis=0)[:, None]
    )
    percentile = 100 * np.median(ranks) / len(looks)
    return f"| {name} | {percentile:.1f} | {np.mean(1 / ranks):.3f} | {same.mean():.3f} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--label")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    project = Project.open(arguments.project)
    bundle = load_bundle(project.bundles, project.root)
    catalog = bundle.catalog
    pictured = np.flatnonzero(bundle.space.vectors.any(axis=1))
    drawn = generator(arguments.seed, "text benchmark").permutation(pictured)
    held_out = int(SHARE * len(drawn))
    test, train = np.sort(drawn[:held_out]), np.sort(drawn[held_out:])
    texts, codes = item_texts(catalog), catalog.category_codes
    labels = codes
    if arguments.label is not None:
        labels = np.unique(catalog.attributes[arguments.label], return_inverse=True)[1]
    table = TfidfVectorizer(analyzer=words).fit([texts[row] for row in train]).transform(texts)
    match = (table[test] @ table[train].T).toarray()
    best = np.argsort(-match, axis=1, kind="stable")[:, :NEAREST]
    print(
        f"{len(pictured):,} pictured items, {len(test)} held out; by chance same label: "
        f"{np.mean(labels[:, None] == labels[test]):.3f}"
    )
    print("| looks | from | own rank, median % | MRR | same label in 10 |")
    print("|---|---|---|---|---|")
    for kind, looks in looks_of(bundle, train):
        wanted, learned = by_map(texts, looks, train, test)
        weights = np.take_along_axis(match, best, axis=1)[:, :, None]
        in_category = [looks[train[codes[train] == code]] for code in codes[test]]
        rows = {
            f"words to look ({len(learned.terms)} terms speak, {len(learned.silent)} words do not)": wanted,
            "mean look of the ten best text matches": (weights * looks[train[best]]).sum(axis=1),
            "mean look of the category": np.stack([own.sum(axis=0) for own in in_category]),
            "random": generator(arguments.seed, "random looks").standard_normal(wanted.shape, dtype=np.float32),
        }
        for name, found in rows.items():
            print(f"| {kind} {line(name, found, looks, test, labels)}")
        print(f"| {kind} | {one_word(learned, texts, looks, test)} | | | |")
    same = (labels[train[best]] == labels[test][:, None]).mean()
    print(f"| none | plain TF-IDF match of texts | | | {same:.3f} |")


if __name__ == "__main__":
    main()
