"""One suite for every model, on toy data whose right answer is known by construction.

A new model joins by one line in MODELS, and one in PERSONAL if its ranking depends on the user.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.config import AlsSettings
from recsys.errors import BundleError, DataError, NotFittedError, RequestError, UnknownIdError
from recsys.models.als import AlsModel
from recsys.models.base import ARRAYS_FILE, SETTINGS_FILE, Model
from recsys.models.popularity import PopularityModel
from recsys.ranked import NO_ROW

MODELS: dict[str, Callable[[], Model]] = {
    "popularity": PopularityModel,
    "als": lambda: AlsModel(AlsSettings(factors=8), seed=3, threads=1),
}
PERSONAL = ("als",)

BLOCKS, BLOCK_USERS, BLOCK_ITEMS, LEFT_OUT = 4, 9, 6, 2
USERS, ITEMS = BLOCKS * BLOCK_USERS, BLOCKS * BLOCK_ITEMS


def block_matrix() -> csr_matrix:
    """Users of block b like the items of block b, each but two, so that exactly these two are right for them."""
    dense = np.zeros((USERS, ITEMS), dtype=np.float32)
    for user in range(USERS):
        start = (user // BLOCK_USERS) * BLOCK_ITEMS
        dense[user, start : start + BLOCK_ITEMS] = 5.0
        dense[user, left_out(user)] = 0.0
    return csr_matrix(dense)


def left_out(user: int) -> list[int]:
    start = (user // BLOCK_USERS) * BLOCK_ITEMS
    return [start + (user + step) % BLOCK_ITEMS for step in range(LEFT_OUT)]


@pytest.fixture(params=MODELS)
def make(request: pytest.FixtureRequest) -> Callable[[], Model]:
    return MODELS[request.param]


@pytest.fixture
def model(make: Callable[[], Model]) -> Model:
    return make().fit(block_matrix())


@pytest.fixture(params=PERSONAL)
def personal(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param]().fit(block_matrix())


def test_a_user_gets_exactly_the_rest_of_their_block(personal: Model) -> None:
    ranked = personal.recommend(np.arange(USERS), LEFT_OUT)
    for user in range(USERS):
        assert sorted(ranked.rows[user]) == sorted(left_out(user))


def test_a_new_user_gets_the_rest_of_the_block(personal: Model) -> None:
    events = np.zeros((1, ITEMS), dtype=np.float32)
    events[0, [7, 8, 9]] = 5.0
    best = np.argsort(-personal.fold_in_scores(csr_matrix(events))[0])
    assert set(best[:BLOCK_ITEMS]) == set(range(6, 12))


def test_a_disliked_item_scores_below_what_it_would_untouched(personal: Model) -> None:
    events = np.zeros((2, ITEMS), dtype=np.float32)
    events[:, [6, 7]] = 5.0
    events[1, 8] = -5.0
    untouched, disliked = personal.fold_in_scores(csr_matrix(events))[:, 8]
    assert disliked < untouched


def test_similar_items_stay_in_the_block(personal: Model) -> None:
    ranked = personal.similar_items(8, BLOCK_ITEMS - 1)
    assert ranked.rows.shape == (1, BLOCK_ITEMS - 1)
    assert set(ranked.rows[0]) == {6, 7, 9, 10, 11}


def test_similar_items_leave_the_item_itself_out(model: Model) -> None:
    ranked = model.similar_items(8, ITEMS)
    assert 8 not in ranked.rows
    assert ranked.rows[0, -1] == NO_ROW


def test_viewed_items_are_left_out_unless_asked_for(model: Model) -> None:
    viewed = block_matrix().toarray() != 0
    hidden = model.recommend(np.arange(USERS), ITEMS)
    for user in range(USERS):
        shown = hidden.rows[user][hidden.rows[user] != NO_ROW]
        assert sorted(shown) == list(np.flatnonzero(~viewed[user]))
    everything = model.recommend(np.arange(USERS), ITEMS, filter_viewed=False)
    assert (np.sort(everything.rows, axis=1) == np.arange(ITEMS)).all()


def test_a_disliked_item_counts_as_viewed(make: Callable[[], Model]) -> None:
    matrix = block_matrix().tolil()
    matrix[0, 20] = -5.0
    assert 20 not in make().fit(csr_matrix(matrix)).recommend(np.array([0]), ITEMS).rows


@pytest.mark.parametrize("per_user", [False, True])
def test_only_allowed_items_are_recommended(model: Model, per_user: bool) -> None:
    items = np.zeros(ITEMS, dtype=np.bool_)
    items[[1, 13, 22]] = True
    mask = np.tile(items, (2, 1)) if per_user else items
    ranked = model.recommend(np.array([0, 35]), 5, filter_viewed=False, items=mask)
    assert (np.sort(ranked.rows[:, :3], axis=1) == [1, 13, 22]).all()
    assert (ranked.rows[:, 3:] == NO_ROW).all()


def test_scores_do_not_increase_along_a_ranking(model: Model) -> None:
    ranked = model.recommend(np.arange(USERS), 10)
    assert (ranked.scores[:, :-1] >= ranked.scores[:, 1:]).all()
    expected = np.take_along_axis(model.scores(np.arange(USERS)), ranked.rows, axis=1)
    np.testing.assert_array_equal(ranked.scores, expected)


def test_more_than_all_items_are_padded(model: Model) -> None:
    ranked = model.recommend(np.array([0]), ITEMS + 3, filter_viewed=False)
    assert ranked.rows.shape == (1, ITEMS + 3)
    assert (ranked.rows[0, ITEMS:] == NO_ROW).all()
    assert np.isneginf(ranked.scores[0, ITEMS:]).all()


def test_fitting_twice_gives_the_same(make: Callable[[], Model]) -> None:
    users = np.arange(USERS)
    once, again = make().fit(block_matrix()), make().fit(block_matrix())
    np.testing.assert_array_equal(once.scores(users), again.scores(users))
    np.testing.assert_array_equal(once.fit(block_matrix()).scores(users), again.scores(users))


def test_the_storage_of_the_matrix_does_not_matter(make: Callable[[], Model]) -> None:
    plain = block_matrix()
    # every row backwards, every weight in two halves
    raw = csr_matrix(
        (
            np.tile(plain.data[::-1] / 2, (2, 1)).T.ravel(),
            np.tile(plain.indices[::-1], (2, 1)).T.ravel(),
            2 * (plain.nnz - plain.indptr[::-1]),
        ),
        shape=plain.shape,
    )
    backwards = np.arange(USERS)[::-1]
    assert not raw.has_canonical_format
    expected = make().fit(csr_matrix(plain[backwards])).scores(backwards)
    np.testing.assert_array_equal(make().fit(raw).scores(backwards), expected)


def test_fit_leaves_its_input_alone(make: Callable[[], Model]) -> None:
    matrix = block_matrix()
    model = make().fit(matrix)
    model.recommend(np.arange(USERS), 3)
    np.testing.assert_array_equal(matrix.toarray(), block_matrix().toarray())


def test_a_user_without_events_gets_the_popular_items(make: Callable[[], Model]) -> None:
    dense = np.vstack([block_matrix().toarray(), np.zeros((1, ITEMS), dtype=np.float32)])
    dense[:, 15] = 5.0
    dense[-1] = 0.0
    model = make().fit(csr_matrix(dense))
    assert model.recommend(np.array([USERS]), 1).rows.tolist() == [[15]]
    assert model.fold_in_scores(csr_matrix((1, ITEMS), dtype=np.float32)).argmax() == 15


def test_folding_known_users_in_gives_their_scores(model: Model) -> None:
    known = model.scores(np.arange(USERS))
    np.testing.assert_allclose(model.fold_in_scores(block_matrix()), known, atol=1e-6)


def test_a_saved_model_scores_the_same(model: Model, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("models") / "new" / "folder"
    model.save(folder)
    loaded = type(model).load(folder)
    users = np.arange(USERS)
    np.testing.assert_array_equal(loaded.scores(users), model.scores(users))
    np.testing.assert_array_equal(loaded.recommend(users, 4).rows, model.recommend(users, 4).rows)
    np.testing.assert_array_equal(loaded.fold_in_scores(block_matrix()), model.fold_in_scores(block_matrix()))
    np.testing.assert_array_equal(loaded.similar_items(3, 4).rows, model.similar_items(3, 4).rows)


def test_a_damaged_folder_is_refused(model: Model, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("models")
    with pytest.raises(BundleError, match="fit it again"):
        type(model).load(folder)
    model.save(folder)
    arrays = (folder / ARRAYS_FILE).read_bytes()
    for damaged in (b"", b"not an archive", arrays[: len(arrays) // 2]):
        (folder / ARRAYS_FILE).write_bytes(damaged)
        with pytest.raises(BundleError, match="fit it again"):
            type(model).load(folder)


def test_a_folder_of_another_model_is_refused(model: Model, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("models")
    model.save(folder)
    (folder / SETTINGS_FILE).write_text(json.dumps({"model": "oracle", "settings": {}}), encoding="utf-8")
    with pytest.raises(BundleError, match="oracle"):
        type(model).load(folder)


def test_pickled_arrays_never_load(model: Model, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("models")
    model.save(folder)
    with np.load(folder / ARRAYS_FILE) as file:
        arrays = dict(file)
    name = next(key for key in arrays if not key.startswith("viewed"))
    arrays[name] = np.array([{"an": "object"}], dtype=object)
    np.savez(folder / ARRAYS_FILE, **arrays)
    with pytest.raises(BundleError, match="allow_pickle=False"):
        type(model).load(folder)


def test_an_unfitted_model_says_so(make: Callable[[], Model], tmp_path_factory: pytest.TempPathFactory) -> None:
    model, users = make(), np.array([0])
    for use in (
        lambda: model.scores(users),
        lambda: model.recommend(users, 3),
        lambda: model.fold_in_scores(block_matrix()),
        lambda: model.similar_items(0, 3),
        lambda: model.save(tmp_path_factory.mktemp("models")),
    ):
        with pytest.raises(NotFittedError, match="fit"):
            use()


@pytest.mark.parametrize("row", [-1, USERS])
def test_an_unknown_user_row_is_refused(model: Model, row: int) -> None:
    with pytest.raises(UnknownIdError, match=f"user row '{row}'"):
        model.scores(np.array([0, row]))


@pytest.mark.parametrize("row", [-1, ITEMS])
def test_an_unknown_item_row_is_refused(model: Model, row: int) -> None:
    with pytest.raises(UnknownIdError, match=f"item row '{row}'"):
        model.similar_items(row, 3)


def test_a_ranking_of_nothing_is_refused(model: Model) -> None:
    with pytest.raises(RequestError, match="at least 1"):
        model.recommend(np.array([0]), 0)


def test_events_of_other_items_are_refused(model: Model) -> None:
    with pytest.raises(DataError, match=f"{ITEMS + 1} item columns"):
        model.fold_in_scores(csr_matrix((1, ITEMS + 1), dtype=np.float32))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(make: Callable[[], Model], bad: float) -> None:
    matrix = block_matrix()
    matrix.data[3] = bad
    with pytest.raises(DataError, match="not finite"):
        make().fit(matrix)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0)])
def test_an_empty_matrix_is_refused(make: Callable[[], Model], shape: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="empty matrix"):
        make().fit(csr_matrix(shape, dtype=np.float32))
