"""Spaces of settings: their defaults lie inside, their ends make models, and what is outside is told apart."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.errors import RequestError
from recsys.tuning.search_spaces import SPACES, OneOf, Tunable, Value, Whole

MATRIX = csr_matrix(np.random.default_rng(1).random((30, 20)) < 0.3, dtype=np.float32)
VECTORS = np.random.default_rng(2).normal(size=(20, 8)).astype(np.float32)


@pytest.mark.parametrize("model", Tunable)
class TestEverySpace:
    def test_defaults_are_the_models_own(self, model: Tunable) -> None:
        space = SPACES[model]
        assert space.holds(space.defaults)
        assert list(space.defaults) == list(space.parameters)
        assert space.round_values(space.defaults) == space.defaults

    @pytest.mark.parametrize("end", ["low", "high"])
    def test_both_ends_make_a_model_that_ranks(self, model: Tunable, end: str) -> None:
        space = SPACES[model]
        ends: dict[str, Value] = {
            name: each.names[0] if isinstance(each, OneOf) else getattr(each, end)
            for name, each in space.parameters.items()
        }
        assert space.holds(ends)
        made = space.make(ends, VECTORS, 0)
        assert made.name == model
        assert np.isfinite(made.fit(MATRIX).scores(np.arange(30))).all()

    def test_outside_is_outside(self, model: Tunable) -> None:
        space = SPACES[model]
        for name, each in space.parameters.items():
            beyond: Value = "no such name" if isinstance(each, OneOf) else each.high * 1.01
            assert not space.holds({**space.defaults, name: beyond})
            assert not space.holds({key: value for key, value in space.defaults.items() if key != name})


def test_numbers_keep_three_digits() -> None:
    values = {**SPACES[Tunable.RP3BETA].defaults, "alpha": 0.123456, "neighbors": 1234}
    assert SPACES[Tunable.RP3BETA].round_values(values) == {"neighbors": 1234, "alpha": 0.123, "beta": 0.2}


def test_a_space_is_narrowed_not_widened() -> None:
    narrow = SPACES[Tunable.ALS].up_to("factors", 128)
    assert narrow.parameters["factors"] == Whole(32, 128, log=True)
    assert SPACES[Tunable.ALS].parameters["factors"] == Whole(32, 256, log=True)
    for high in (63, 257):
        with pytest.raises(RequestError, match=f"factors: must be from 64 .* to 256, not {high}"):
            SPACES[Tunable.ALS].up_to("factors", high)
    with pytest.raises(RequestError, match="alpha: is no whole number"):
        SPACES[Tunable.ALS].up_to("alpha", 5)
