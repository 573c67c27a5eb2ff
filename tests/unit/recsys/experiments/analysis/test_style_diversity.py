"""The variety of a list is that of the evaluation, for lists of any length."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.errors import DataError
from recsys.evaluation.beyond_accuracy import style_diversity
from recsys.experiments.analysis import style_diversity as shown_styles
from recsys.experiments.analysis.style_diversity import StyleVariety
from recsys.rng import generator


def test_it_is_what_the_evaluation_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    # Several lists at a time, so that the seams between parts are crossed.
    monkeypatch.setattr(shown_styles, "_CELLS", 64)
    vectors = generator(0, "variety").normal(size=(20, 6)).astype(np.float32)
    vectors[3] = 0
    names = [f"i{number}" for number in range(20)]
    rows = [[0, 1, 2], [3, 4], [5], [], [6, 7, 8, 9], [3, 10, 11, 12]]
    lists = pa.array([[names[row] for row in some] for some in rows], pa.list_(pa.string()))
    padded = np.array([some + [-1] * (4 - len(some)) for some in rows])
    found = StyleVariety.from_vectors(names, vectors)(lists)
    np.testing.assert_allclose(found, style_diversity(padded, vectors), rtol=1e-5)
    assert np.isnan(found[1:4]).all()


def test_unknown_items_are_left_out() -> None:
    variety = StyleVariety.from_vectors(["a", "b"], np.array([[1, 0], [0, 1]], dtype=np.float32))
    assert variety(pa.array([["a", "x", "b"]])).tolist() == [1.0]


def test_wrong_vectors_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="2 items have 1"):
        StyleVariety.from_vectors(["a", "b"], np.zeros((1, 2), dtype=np.float32))
    with pytest.raises(DataError, match=r"none.parquet: expected a Parquet file"):
        StyleVariety.from_file(tmp_path / "none.parquet")
