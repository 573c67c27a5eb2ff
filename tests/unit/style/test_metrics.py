from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn

from style.backbone import load_backbone
from style.metrics import identification, kernel_distance, retrieval_score, ssim, transfer_score


def test_retrieval_by_hand() -> None:
    angles = np.radians([0, 10, 90, 101, 50])
    vectors = np.column_stack([np.cos(angles), np.sin(angles)]).astype(np.float32)
    score = retrieval_score(vectors, ["a", "a", "b", "b", "b"])
    # nearest: 0->1, 1->0, 2->3, 3->2 are right; 4 (50 degrees) is nearest to 2 (40 away, as 1): tie broken by size
    assert score.recall_at_1 in {0.8, 1.0}
    assert 0.8 < score.map_at_10 <= 1.0


def test_labels_that_never_repeat_score_nothing() -> None:
    score = retrieval_score(np.eye(4, dtype=np.float32), ["a", "b", "c", "d"])
    assert (score.recall_at_1, score.map_at_10) == (0.0, 0.0)


def test_ssim_of_equal_inverted_and_noisy_pictures() -> None:
    random = np.random.default_rng(0)
    picture = random.random((40, 40)).astype(np.float32)
    noisy = np.clip(picture + random.normal(0, 0.1, picture.shape), 0, 1).astype(np.float32)
    assert ssim(picture, picture) == pytest.approx(1.0)
    assert ssim(picture, 1 - picture) < 0
    assert 0.5 < ssim(picture, noisy) < 0.99


def test_transfer_scores_at_both_ends() -> None:
    judge = load_backbone("vgg-slim")
    random = np.random.default_rng(0)
    product = np.repeat(np.linspace(0, 1, 64, dtype=np.float32)[None, :, None], 64, axis=0).repeat(3, axis=2)
    style = random.random((64, 64, 3)).astype(np.float32)
    untouched = transfer_score(judge, product, style, product)
    assert (untouched.style_gain, untouched.gram_gain) == (0.0, 0.0)
    assert (untouched.style_gain_squared, untouched.gram_gain_squared) == (0.0, 0.0)
    assert (untouched.content, untouched.content_plain) == pytest.approx((1.0, 1.0), abs=1e-4)
    replaced = transfer_score(judge, product, style, style)
    assert (replaced.style_gain, replaced.style_gain_squared) == pytest.approx((1.0, 1.0))
    assert replaced.content < 0.9


class Colors(nn.Module):
    """Taps that can be reckoned by hand: the picture itself, and its red alone."""

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        return {"red": pictures[:, :1], "all": pictures}


def plain(*color: float) -> np.ndarray:
    return np.full((16, 16, 3), color, dtype=np.float32)


def test_half_the_way_is_a_half_in_lengths_and_three_quarters_in_squares() -> None:
    score = transfer_score(Colors(), plain(0.2, 0.4, 0.4), plain(0.8, 0.4, 0.4), plain(0.5, 0.4, 0.4))
    assert score.style_gain == pytest.approx(0.5, abs=1e-4)
    assert score.style_gain_squared == pytest.approx(0.75, abs=1e-4)


def test_gains_sum_over_taps_before_they_divide() -> None:
    # Red goes all the way, green not at all; distances over the style's own length, before and after.
    score = transfer_score(Colors(), plain(0.0, 0.0, 1.0), plain(1.0, 1.0, 1.0), plain(1.0, 0.0, 1.0))
    red, both, green = 1.0, np.sqrt(2 / 3), np.sqrt(1 / 3)
    assert score.style_gain == pytest.approx(1 - green / (red + both), abs=1e-3)
    assert score.style_gain_squared == pytest.approx(1 - green**2 / (red**2 + both**2), abs=1e-3)
    # Gram matrices of flat colors are outer products: 3 x 3 with ones, and with the style's ones, |.| = 3.
    red, both, green = 1.0, np.sqrt(8) / 3, np.sqrt(5) / 3
    assert score.gram_gain == pytest.approx(1 - green / (red + both), abs=1e-3)
    assert score.gram_gain_squared == pytest.approx(1 - green**2 / (red**2 + both**2), abs=1e-3)


def test_the_plain_cosine_calls_strangers_alike_and_the_centered_one_does_not() -> None:
    random = np.random.default_rng(1)
    one, other = random.random((2, 16, 16, 3)).astype(np.float32)
    score = transfer_score(Colors(), one, plain(0.5, 0.5, 0.5), other)
    assert score.content == pytest.approx(0, abs=0.1)
    assert score.content_plain == pytest.approx(0.75, abs=0.03)  # E[x]^2 / E[x^2] of uniform numbers


def test_only_those_that_ask_are_scored() -> None:
    vectors = np.array([[1, 0], [1, 0.1], [0, 1], [0.1, 1], [1, 0.2]], dtype=np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    labels = ["a", "a", "b", "b", "b"]
    assert retrieval_score(vectors, labels).recall_at_1 == pytest.approx(0.6)  # rows 1 and 4 are each other's nearest
    assert retrieval_score(vectors, labels, np.array([0, 0, 0, 0, 1], dtype=bool)).recall_at_1 == 0


def test_identification_counts_rows_that_find_themselves() -> None:
    first = np.eye(4, dtype=np.float32)
    assert identification(first, first) == 1
    assert identification(first, first[[1, 0, 2, 3]]) == 0.5


def test_the_kernel_distance_of_a_set_to_its_own_kind_is_about_0_and_grows_with_the_gap() -> None:
    random = np.random.default_rng(0)

    def around(gap: float) -> np.ndarray:
        vectors = random.normal(size=(200, 8)) + gap * np.eye(8)[0]
        return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)

    here = around(0)
    same, near, far = (kernel_distance(here, around(gap)) for gap in (0, 0.5, 2))
    assert abs(same) < 0.05 < near < far / 3


def test_the_kernel_distance_by_hand() -> None:
    x, y = np.eye(2, dtype=np.float32)[[0, 0]], np.eye(2, dtype=np.float32)[[1, 1]]
    assert kernel_distance(x, y) == pytest.approx(8 + 8 - 2 * 1)
    assert kernel_distance(x, x) == pytest.approx(0)
