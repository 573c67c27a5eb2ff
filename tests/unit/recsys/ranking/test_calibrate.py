from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.dataset.categories import category_groups
from recsys.evaluation.beyond_accuracy import calibration_error
from recsys.profiles.taste import Taste
from recsys.ranking.calibrate import PRIOR, Calibration, TargetMix, category_mix, taste_mix
from recsys.schema import IntArray

NAMES = ["", "Action", "Comedy|Drama", "Drama"]
SHARES = category_groups(NAMES)
CODES = np.array([0, 1, 2, 3, 1, 2, 3, 0])


def _mix(liked: list[int], say: list[float], codes: IntArray = CODES) -> TargetMix:
    mix = category_mix(SHARES, np.array(liked), np.array(say, dtype=np.float32), codes)
    assert mix is not None
    return mix


def _plain(wanted: list[float]) -> TargetMix:
    """A wanted mix of the three categories as it is."""
    groups = SHARES[CODES]
    return TargetMix(np.array(wanted, dtype=np.float32), groups, groups.any(axis=1).astype(np.float32))


def test_the_mix_of_categories_is_that_of_what_was_liked_beside_what_there_is() -> None:
    mix = _mix([1, 2, 3], [20.0, 10.0, 10.0])
    offered = np.array([2, 1, 3]) / 6
    np.testing.assert_allclose(mix.target, (np.array([20, 5, 15]) + PRIOR * offered) / (40 + PRIOR), rtol=1e-5)
    np.testing.assert_allclose(mix.groups[:4], [[0, 0, 0], [1, 0, 0], [0, 0.5, 0.5], [0, 0, 1]])
    assert mix.counts.tolist() == [0, 1, 1, 1, 1, 1, 1, 0]


def test_one_click_asks_for_more_of_a_category_not_for_it_alone() -> None:
    once, often = (_mix([1], [say]).target[0] for say in (1.0, 100.0))
    assert 1 / 3 < once < 0.5
    assert often > 0.95


def test_a_category_that_no_candidate_has_is_wanted_all_the_same() -> None:
    mix = _mix([1], [PRIOR], np.array([3, 3, 0]))
    np.testing.assert_allclose(mix.target, [0.5, 0.5])
    assert mix.groups.tolist() == [[0, 1], [0, 1], [0, 0]]
    np.testing.assert_allclose(_mix([1], [1.0], np.array([0, 0])).target, [1.0])


@pytest.mark.parametrize("liked", [[], [0, 0]])
def test_without_a_category_in_the_history_there_is_no_mix(liked: list[int]) -> None:
    codes = np.array(liked, dtype=np.int64)
    assert category_mix(SHARES, codes, np.ones(len(liked), dtype=np.float32), CODES) is None


def test_a_taste_of_two_modes_gives_each_picture_to_its_best() -> None:
    taste = Taste(np.eye(2, 3, dtype=np.float32), np.array([0.7, 0.3], dtype=np.float32))
    mix = taste_mix(taste, np.array([[1, 0, 0], [0.1, 0.9, 0], [0, 0, 0]], dtype=np.float32))
    assert mix is not None
    assert mix.groups.tolist() == [[1, 0], [0, 1], [0, 0]]
    assert mix.counts.tolist() == [1, 1, 0]


def test_any_list_has_the_mix_of_one_mode() -> None:
    one = Taste(np.ones((1, 3), dtype=np.float32), np.ones(1, dtype=np.float32))
    for taste in (one, Taste.none(3)):
        assert taste_mix(taste, np.ones((4, 3), dtype=np.float32)) is None


def test_what_is_taken_off_is_the_calibration_error_of_the_list() -> None:
    groups = SHARES[CODES]
    history = csr_matrix((np.array([3, 1, 2], dtype=np.float32), ([0, 0, 0], [1, 2, 3])), shape=(1, len(CODES)))
    calibration = Calibration([_plain([3 / 6, 0.5 / 6, 2.5 / 6])], 0.25)
    listed: list[int] = []
    for pick in (4, 2, 6, 5):
        adjusted = calibration.adjust(np.full(len(CODES), 0.8, dtype=np.float32))
        for item in range(1, 7):
            error = calibration_error(np.array([[*listed, item]]), history, groups)[0]
            assert adjusted[item] == pytest.approx(0.75 * 0.8 - 0.25 * error, abs=1e-5)
        calibration.take(pick)
        listed.append(pick)


def test_several_mixes_count_by_their_mean() -> None:
    mixes = [_plain([0.5, 0.25, 0.25]), _plain([0.1, 0.1, 0.8])]
    values = np.linspace(0, 1, len(CODES)).astype(np.float32)
    single = [Calibration([mix], 0.5).adjust(values) for mix in mixes]
    np.testing.assert_allclose(Calibration(mixes, 0.5).adjust(values), np.mean(single, axis=0), atol=1e-6)


def test_what_has_no_category_does_not_change_the_mix() -> None:
    calibration = Calibration([_plain([0.2, 0.3, 0.5])], 1.0)
    calibration.take(1)
    before = calibration.adjust(np.zeros(len(CODES), dtype=np.float32))
    calibration.take(0)
    np.testing.assert_array_equal(calibration.adjust(np.zeros(len(CODES), dtype=np.float32)), before)
