from __future__ import annotations

import numpy as np
import pytest

from style.errors import VectorError
from style.vector import DIMENSIONS, StyleVector


def axis(index: int) -> StyleVector:
    return StyleVector.from_values(np.eye(DIMENSIONS)[index] * 3.0)


def test_vectors_have_length_one() -> None:
    assert np.linalg.norm(axis(0).values) == pytest.approx(1.0)
    assert axis(0).values.dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(64), r"has shape \(128,\), got \(64,\)"),
        (np.full(DIMENSIONS, np.nan), "must be finite"),
        (np.full(DIMENSIONS, np.inf), "must be finite"),
        (np.zeros(DIMENSIONS), "cannot be all zeros"),
    ],
)
def test_wrong_vectors_are_refused(values: np.ndarray, message: str) -> None:
    with pytest.raises(VectorError, match=message):
        StyleVector.from_values(values)


def test_a_blend_lies_between() -> None:
    blend = StyleVector.blend([axis(0), axis(1)], [3.0, 1.0])
    assert blend.similarity(axis(0)) == pytest.approx(3 / np.sqrt(10))
    assert blend.similarity(axis(1)) == pytest.approx(1 / np.sqrt(10))


def test_a_blend_needs_a_weight_for_each() -> None:
    with pytest.raises(VectorError, match="as many weights as vectors"):
        StyleVector.blend([axis(0)], [1.0, 2.0])
