"""Corrections equal statsmodels."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from recsys.errors import DataError
from recsys.experiments.stats.multiplicity import correct_p_values


@pytest.mark.parametrize("seed", range(5))
def test_they_are_those_of_statsmodels(seed: int) -> None:
    p_values = np.random.default_rng(seed).beta(0.4, 1.5, size=20)
    np.testing.assert_allclose(correct_p_values(p_values), multipletests(p_values, method="holm")[1], rtol=1e-12)
    np.testing.assert_allclose(
        correct_p_values(p_values, "benjamini-hochberg"), multipletests(p_values, method="fdr_bh")[1], rtol=1e-12
    )


def test_the_example_of_benjamini_and_hochberg() -> None:
    """Benjamini & Hochberg (1995), section 3.2: of 15 p-values 4 are found at 5 %, by Bonferroni and Holm 3."""
    p_values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    p_values += [0.7590, 1.0]
    assert np.count_nonzero(correct_p_values(p_values, "benjamini-hochberg") <= 0.05) == 4
    assert np.count_nonzero(correct_p_values(p_values, "holm") <= 0.05) == 3


def test_edges() -> None:
    assert len(correct_p_values([])) == 0
    assert correct_p_values([0.03]).tolist() == [0.03]
    with pytest.raises(DataError, match="p-value number 1 is nan"):
        correct_p_values([0.1, np.nan])
    with pytest.raises(DataError, match=r"p-value number 0 is 1\.5"):
        correct_p_values([1.5])
