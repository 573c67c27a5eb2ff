"""Controls: scores of a model that uses style if style carries no information.

A gain that a model keeps with shuffled or random vectors is not the style's: it comes of more parameters, or of knowing
which items have a picture. Fit the same model on `control_vectors(...)` and compare.
"""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from recsys.dataset.splits import Holdout
from recsys.errors import DataError
from recsys.evaluation.protocol import ScoreFunction
from recsys.models.popularity import PopularityModel
from recsys.rng import generator
from recsys.schema import FloatArray, IntArray


class Control(StrEnum):
    """Replacement for the style vectors: those of another item, or noise."""

    SHUFFLED = "shuffled style"
    RANDOM = "random style"


COLORS = "colors alone"
"""The control that does say something of its item, and nothing of Gram matrices: the colors of its photo."""


def control_name(model: str, control: str) -> str:
    """Return the name of a model whose style vectors are replaced by a control."""
    return f"{model}, {control}"


def control_vectors(vectors: FloatArray, control: Control, *, seed: int, groups: IntArray | None = None) -> FloatArray:
    """Return style vectors (I, D) without information on their item; see `shuffled_style` and `random_style`."""
    if control is Control.SHUFFLED:
        return shuffled_style(vectors, seed=seed, groups=groups)
    return random_style(vectors, seed=seed)


def shuffled_style(vectors: FloatArray, *, seed: int, groups: IntArray | None = None) -> FloatArray:
    """Permute the vectors (I, D) among the items that have one; items without one (all zeros) stay without.

    With `groups` (I,), such as category codes, vectors stay within their group: what is destroyed is style, and not
    which kind of thing a picture shows. Raises DataError where groups and vectors are not of the same items.
    """
    codes = np.zeros(len(vectors), dtype=np.int64) if groups is None else groups
    if codes.shape != (len(vectors),):
        raise DataError(f"groups {codes.shape} are not one for each of {len(vectors)} vectors")
    pictured = np.flatnonzero(vectors.any(axis=1))
    draws = generator(seed, "shuffled style").random(len(vectors))[pictured]
    # In both orders the places of a group are the same ones, in the second they are drawn.
    places = pictured[np.argsort(codes[pictured], kind="stable")]
    sources = pictured[np.lexsort((draws, codes[pictured]))]
    shuffled = vectors.copy()
    shuffled[places] = vectors[sources]
    return shuffled


def random_style(vectors: FloatArray, *, seed: int) -> FloatArray:
    """Draw directions evenly from the sphere, each as long as the vector (I, D) it replaces; zeros stay zeros."""
    noise = generator(seed, "random style").standard_normal(vectors.shape)
    noise *= np.linalg.norm(vectors, axis=1, keepdims=True) / np.linalg.norm(noise, axis=1, keepdims=True)
    return noise.astype(np.float32)


def popularity_only(holdout: Holdout) -> ScoreFunction:
    """Return scores of popularity in train only: the floor under every model."""
    scores = PopularityModel().fit(holdout.train.matrix()).scores(np.zeros(1, dtype=np.int64))
    return lambda users: np.tile(scores, (len(users), 1))
