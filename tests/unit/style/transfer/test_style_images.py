"""Decomposition of a style vector into a mixture of style images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from recsys.dataset.sample import sample_folder
from style.embedding import StyleEmbedder
from style.errors import LibraryError
from style.transfer.style_images import StyleImage, StyleImages
from style.vector import DIMENSIONS, StyleVector

GREY = np.full((16, 16, 3), 0.5, dtype=np.float32)


def axis(index: int) -> StyleVector:
    return StyleVector.from_values(np.eye(DIMENSIONS)[index])


@pytest.fixture
def three() -> StyleImages:
    return StyleImages([StyleImage(f"axis {index}", axis(index), GREY) for index in range(3)])


def names_of(mixture: list[tuple[StyleImage, float]]) -> list[str]:
    return [picture.name for picture, _ in mixture]


def test_a_pictures_own_vector_is_that_picture_alone(three: StyleImages) -> None:
    assert [(picture.name, weight) for picture, weight in three.mixture(axis(1))] == [("axis 1", 1.0)]


def test_a_blend_is_taken_apart_into_its_parts(three: StyleImages) -> None:
    mixture = three.mixture(StyleVector.blend([axis(0), axis(2)], [1.0, 3.0]))
    assert names_of(mixture) == ["axis 2", "axis 0"]
    assert [weight for _, weight in mixture] == pytest.approx([0.75, 0.25], abs=1e-6)


def test_of_many_parts_the_largest_stay_and_weights_still_sum_to_1(three: StyleImages) -> None:
    mixture = three.mixture(StyleVector.blend([axis(0), axis(1), axis(2)], [3.0, 1.0, 2.0]), most=2)
    assert names_of(mixture) == ["axis 0", "axis 2"]
    assert sum(weight for _, weight in mixture) == pytest.approx(1.0)


def test_what_no_mixture_comes_near_is_given_the_nearest_picture() -> None:
    pictures = StyleImages([StyleImage("near", axis(0), GREY), StyleImage("far", axis(1), GREY)])
    away = StyleVector.from_values(-np.eye(DIMENSIONS)[1] - 0.5 * np.eye(DIMENSIONS)[0])
    assert [(picture.name, weight) for picture, weight in pictures.mixture(away)] == [("near", 1.0)]


def test_no_pictures_and_repeated_names_are_refused() -> None:
    with pytest.raises(LibraryError, match="no style images"):
        StyleImages([])
    with pytest.raises(LibraryError, match="two style images are called 'twice'"):
        StyleImages([StyleImage("twice", axis(0), GREY)] * 2)


def test_a_library_is_read_with_its_vectors() -> None:
    pictures = StyleImages.from_library(sample_folder(), StyleEmbedder.load())
    assert len(pictures) == 16
    first = pictures.images[0]
    assert names_of(pictures.mixture(first.vector)) == [first.name]


def test_a_folder_without_a_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"has no style references that may be painted from"):
        StyleImages.from_library(tmp_path, StyleEmbedder.load())
