"""One suite for every model, on toy data whose right answer is known by construction.

A new model joins by one line in MODELS, and by its name in PERSONAL if its ranking depends on the user, in EXPLAINS if
it has `explain`, and in UPDATES if it has `partial_fit` (in EXACT if that gives what `fit` on all events gives).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.config import AlsSettings
from recsys.errors import BundleError, DataError, NotFittedError, RequestError, UnknownIdError
from recsys.models.als import AlsModel
from recsys.models.base import ARRAYS_FILE, SETTINGS_FILE, Model
from recsys.models.ease import EaseModel
from recsys.models.item_knn import ItemKnnModel
from recsys.models.popularity import PopularityModel
from recsys.models.rp3beta import Rp3BetaModel
from recsys.models.settings import EaseSettings, ItemKnnSettings, Rp3BetaSettings, Weighting
from recsys.models.style_als import StyleAlsModel
from recsys.models.style_head import StyleHeadModel
from recsys.models.style_knn import StyleKnnModel
from recsys.ranked import NO_ROW
from recsys.schema import FloatArray

BLOCKS, BLOCK_USERS, BLOCK_ITEMS, LEFT_OUT = 4, 9, 6, 2
USERS, ITEMS = BLOCKS * BLOCK_USERS, BLOCKS * BLOCK_ITEMS


def looks(blocks: np.ndarray) -> FloatArray:
    """Style vectors (N, 8) of items of these blocks: items of a block look nearly the same."""
    noise = np.random.default_rng(0).standard_normal((len(blocks), 8)) / 50
    return np.asarray(np.eye(8)[blocks] + noise, dtype=np.float32)


VECTORS = looks(np.arange(ITEMS) // BLOCK_ITEMS)
ALS = AlsSettings(factors=8)

MODELS: dict[str, Callable[[FloatArray], Model]] = {
    "popularity": lambda _: PopularityModel(),
    "als": lambda _: AlsModel(ALS, seed=3, threads=1),
    "item_knn_cosine": lambda _: ItemKnnModel(ItemKnnSettings(weighting=Weighting.COSINE)),
    "item_knn_tfidf": lambda _: ItemKnnModel(ItemKnnSettings(weighting=Weighting.TFIDF)),
    "item_knn_bm25": lambda _: ItemKnnModel(ItemKnnSettings(weighting=Weighting.BM25)),
    "rp3beta": lambda _: Rp3BetaModel(Rp3BetaSettings(neighbors=12)),
    "ease": lambda _: EaseModel(EaseSettings(regularization=200.0)),
    "ease_sparse": lambda _: EaseModel(EaseSettings(regularization=200.0, memory_limit=0, neighbors=10)),
    "style_knn": StyleKnnModel,
    "style_head": lambda vectors: StyleHeadModel(vectors, ALS, style_ridge=0.1, seed=3, threads=1),
    "style_als": lambda vectors: StyleAlsModel(vectors, ALS, seed=3, threads=1),
}
"""From the items' style vectors, which most ignore, to an unfitted model."""
PERSONAL = tuple(name for name in MODELS if name != "popularity")
EXPLAINS = PERSONAL
EXACT = ("popularity", "item_knn_cosine", "item_knn_tfidf", "item_knn_bm25", "rp3beta", "style_knn")
UPDATES = (*EXACT, "ease", "als", "style_head", "style_als")
STYLE = ("style_knn", "style_head", "style_als")


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
    return partial(MODELS[request.param], VECTORS)


@pytest.fixture
def model(make: Callable[[], Model]) -> Model:
    return make().fit(block_matrix())


@pytest.fixture(params=PERSONAL)
def personal(request: pytest.FixtureRequest) -> Model:
    return MODELS[request.param](VECTORS).fit(block_matrix())


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


@pytest.mark.parametrize("name", [*EXACT, "ease", "ease_sparse"])
def test_the_order_of_users_does_not_matter(name: str) -> None:
    """Where nothing is drawn at random."""
    matrix, order = with_opinions(), np.random.default_rng(2).permutation(USERS)
    expected = MODELS[name](VECTORS).fit(matrix).scores(order)
    shuffled = MODELS[name](VECTORS).fit(csr_matrix(matrix[order]))
    np.testing.assert_allclose(shuffled.scores(np.arange(USERS)), expected, atol=1e-5)


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
    name = next(key for key in arrays if not key.startswith("history"))
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


def test_a_user_and_an_item_without_events_do_no_harm(make: Callable[[], Model]) -> None:
    dense = block_matrix().toarray()
    dense[4] = 0.0
    dense[:, 9] = 0.0
    model = make().fit(csr_matrix(dense))
    assert np.isfinite(model.scores(np.arange(USERS))).all()
    assert np.isfinite(model.fold_in_scores(csr_matrix(np.eye(ITEMS, dtype=np.float32)[[9]]))).all()
    assert len(set(model.similar_items(9, ITEMS).rows[0])) == ITEMS
    assert len(set(model.similar_items(3, ITEMS).rows[0])) == ITEMS


@pytest.mark.parametrize("weight", [0.0, -5.0])
def test_a_matrix_without_likes_can_be_fitted_unless_there_is_nothing_to_factor(
    make: Callable[[], Model], weight: float
) -> None:
    matrix = csr_matrix(np.full((USERS, ITEMS), weight, dtype=np.float32))
    if weight == 0.0 and isinstance(make(), AlsModel):
        with pytest.raises(DataError, match="non-zero weight"):
            make().fit(matrix)
        return
    model = make().fit(matrix)
    assert np.isfinite(model.scores(np.arange(USERS))).all()
    assert np.isfinite(model.fold_in_scores(block_matrix())).all()


def with_opinions() -> csr_matrix:
    """The block matrix with dislikes, other weights, and an entry of weight 0."""
    matrix = block_matrix()
    random = np.random.default_rng(1)
    matrix.data = random.choice([-5.0, 1.0, 2.0, 5.0, 20.0], size=matrix.nnz, p=[0.1, 0.2, 0.2, 0.4, 0.1])
    matrix.data[7] = 0.0
    return csr_matrix(matrix, dtype=np.float32)


@pytest.mark.parametrize("name", EXPLAINS)
@pytest.mark.parametrize("item_row", [3, 8, 14])
def test_contributions_add_up_to_the_score(name: str, item_row: int) -> None:
    matrix = with_opinions()
    model = MODELS[name](VECTORS).fit(matrix)
    nothing = model.fold_in_scores(csr_matrix((1, ITEMS), dtype=np.float32))[0, item_row]
    for user in range(0, USERS, 5):
        reasons = model.explain(matrix[[user]], item_row)
        touched = reasons.rows != NO_ROW
        assert set(reasons.rows[touched]) <= set(matrix[[user]].indices)
        assert (np.diff(reasons.scores[touched]) <= 0).all()
        score = model.scores(np.array([user]))[0, item_row]
        assert reasons.scores[touched].sum() == pytest.approx(score - nothing, abs=1e-5)


@pytest.mark.parametrize("name", EXPLAINS)
def test_the_reason_for_an_item_lies_in_its_block(name: str) -> None:
    events = np.zeros((1, ITEMS), dtype=np.float32)
    events[0, [2, 8, 20]] = 5.0
    model = MODELS[name](VECTORS).fit(block_matrix())
    assert model.explain(csr_matrix(events), 10).rows[0, 0] == 8


@pytest.mark.parametrize("name", EXPLAINS)
def test_explain_refuses_two_users_and_unknown_items(name: str) -> None:
    model = MODELS[name](VECTORS)
    with pytest.raises(NotFittedError, match="fit"):
        model.explain(block_matrix()[[0]], 0)
    model.fit(block_matrix())
    with pytest.raises(DataError, match="one user"):
        model.explain(block_matrix()[:2], 0)
    with pytest.raises(UnknownIdError, match=f"item row '{ITEMS}'"):
        model.explain(block_matrix()[[0]], ITEMS)
    assert model.explain(csr_matrix((1, ITEMS), dtype=np.float32), 0).rows.tolist() == [[NO_ROW]]


def test_a_model_that_cannot_explain_says_so() -> None:
    for name in MODELS.keys() - set(EXPLAINS):
        with pytest.raises(RequestError, match="explain"):
            MODELS[name](VECTORS).fit(block_matrix()).explain(block_matrix()[[0]], 0)


KNOWN_USERS, KNOWN_ITEMS = USERS - 4, ITEMS - 2


def known_part(matrix: csr_matrix) -> csr_matrix:
    """What was known before the last 4 users and the last 2 items came, and before five events among the others."""
    known = csr_matrix(matrix[:KNOWN_USERS, :KNOWN_ITEMS]).tocoo()
    early = np.arange(known.nnz) % 29 != 3
    parts = (known.data[early], (known.row[early], known.col[early]))
    return csr_matrix(parts, shape=known.shape)


def news(matrix: csr_matrix) -> csr_matrix:
    """What came after."""
    known = known_part(matrix)
    known.resize(matrix.shape)
    later = csr_matrix(matrix - known)
    later.eliminate_zeros()
    return later


def grown(name: str, matrix: csr_matrix) -> Model:
    model = MODELS[name](VECTORS[:KNOWN_ITEMS]).fit(known_part(matrix))
    return model.partial_fit(news(matrix), item_vectors=VECTORS[KNOWN_ITEMS:])


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("make_matrix", [block_matrix, with_opinions])
def test_partial_fit_gives_what_fit_on_all_events_gives(name: str, make_matrix: Callable[[], csr_matrix]) -> None:
    matrix = make_matrix()
    users = np.arange(USERS)
    partly, whole = grown(name, matrix), MODELS[name](VECTORS).fit(matrix)
    np.testing.assert_allclose(partly.scores(users), whole.scores(users), atol=2e-5)
    np.testing.assert_allclose(partly.fold_in_scores(matrix), whole.fold_in_scores(matrix), atol=2e-5)


@pytest.mark.parametrize("name", UPDATES)
def test_new_users_and_new_items_are_taken_in(name: str) -> None:
    model = grown(name, block_matrix())
    assert model.shape == (USERS, ITEMS)
    np.testing.assert_array_equal(model.history.toarray(), block_matrix().toarray())
    ranked = model.recommend(np.arange(USERS), LEFT_OUT)
    if name in PERSONAL:
        for user in range(USERS):
            assert sorted(ranked.rows[user]) == sorted(left_out(user))
    np.testing.assert_allclose(model.fold_in_scores(block_matrix()), model.scores(np.arange(USERS)), atol=1e-6)


@pytest.mark.parametrize("name", STYLE)
def test_new_items_without_events_are_ranked_by_their_looks(name: str) -> None:
    model = MODELS[name](VECTORS).fit(block_matrix())
    empty = csr_matrix((USERS, ITEMS + BLOCKS), dtype=np.float32)
    model.partial_fit(empty, item_vectors=looks(np.arange(BLOCKS)))
    scores = model.scores(np.arange(USERS))[:, ITEMS:]
    np.testing.assert_array_equal(scores.argmax(axis=1), np.arange(USERS) // BLOCK_USERS)


@pytest.mark.parametrize("name", MODELS)
def test_items_that_are_added_leave_the_others_alone(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = MODELS[name](VECTORS).fit(block_matrix())
    before, original = model.scores(np.arange(USERS)), copy.copy(model)
    model.add_items(looks(np.arange(BLOCKS)))
    assert model.shape == (USERS, ITEMS + BLOCKS)
    np.testing.assert_allclose(model.scores(np.arange(USERS))[:, :ITEMS], before, atol=1e-5)
    assert np.isfinite(model.scores(np.arange(USERS))).all()
    np.testing.assert_array_equal(original.scores(np.arange(USERS)), before)
    if name in STYLE:
        new = model.scores(np.arange(USERS))[:, ITEMS:]
        np.testing.assert_array_equal(new.argmax(axis=1), np.arange(USERS) // BLOCK_USERS)
    folder = tmp_path_factory.mktemp("models")
    model.save(folder)
    np.testing.assert_array_equal(type(model).load(folder).scores(np.arange(USERS)), model.scores(np.arange(USERS)))


@pytest.mark.parametrize("name", MODELS)
def test_users_can_be_forgotten(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    model = MODELS[name](VECTORS).fit(block_matrix())
    gone = np.arange(USERS) % 5 == 1
    before, viewed = model.scores(np.arange(USERS)), model.history
    fewer = model.without_users(gone)
    assert fewer.shape == (USERS - int(gone.sum()), ITEMS)
    np.testing.assert_array_equal(fewer.history.toarray(), viewed.toarray()[~gone])
    np.testing.assert_allclose(fewer.scores(np.arange(fewer.shape[0])), before[~gone], atol=1e-5)
    np.testing.assert_array_equal(model.scores(np.arange(USERS)), before)
    folder = tmp_path_factory.mktemp("models")
    fewer.save(folder)
    with np.load(folder / "arrays.npz") as file:
        assert not any(USERS in array.shape for array in file.values())


@pytest.mark.parametrize("name", MODELS)
def test_users_can_be_known_without_learning_from_them(name: str) -> None:
    events, model = block_matrix(), MODELS[name](VECTORS).fit(block_matrix()[1:-1])
    asked = np.arange(USERS)
    more = model.with_users(events, asked[1:-1])
    np.testing.assert_array_equal(more.history.toarray(), events.toarray())
    scores = more.scores(asked)
    # Users who were fitted keep their scores, and the others have those of folding them in.
    np.testing.assert_allclose(scores[1:-1], model.scores(asked[:-2]), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(scores[[0, -1]], model.fold_in_scores(events[[0, -1]]), rtol=1e-4, atol=1e-5)
    assert model.shape == (USERS - 2, ITEMS)
    with pytest.raises(DataError, match="item columns"):
        model.with_users(events[:, 1:], asked[1:-1])


@pytest.mark.parametrize("name", UPDATES)
def test_nothing_new_changes_nothing(name: str) -> None:
    model = MODELS[name](VECTORS).fit(block_matrix())
    before = model.scores(np.arange(USERS))
    model.partial_fit(csr_matrix((USERS, ITEMS), dtype=np.float32))
    np.testing.assert_allclose(model.scores(np.arange(USERS)), before, atol=1e-5)


@pytest.mark.parametrize("name", UPDATES)
def test_events_that_add_up_to_nothing_still_count_as_viewed(name: str) -> None:
    model = MODELS[name](VECTORS).fit(block_matrix())
    taken_back = csr_matrix(([-5.0], ([0], [2])), shape=(USERS, ITEMS))
    ranked = model.partial_fit(taken_back).recommend(np.array([0]), ITEMS)
    assert 2 not in ranked.rows


@pytest.mark.parametrize("name", UPDATES)
def test_an_updated_model_can_be_saved(name: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("models")
    model = grown(name, block_matrix())
    model.save(folder)
    loaded = type(model).load(folder)
    np.testing.assert_array_equal(loaded.scores(np.arange(USERS)), model.scores(np.arange(USERS)))
    more = csr_matrix(([5.0], ([0], [20])), shape=(USERS, ITEMS))
    expected = model.partial_fit(more).scores(np.arange(USERS))
    np.testing.assert_allclose(loaded.partial_fit(more).scores(np.arange(USERS)), expected, atol=1e-6)


@pytest.mark.parametrize("name", UPDATES)
def test_bad_news_is_refused_and_changes_nothing(name: str) -> None:
    model = MODELS[name](VECTORS)
    with pytest.raises(NotFittedError, match="fit"):
        model.partial_fit(block_matrix())
    before = model.fit(block_matrix()).scores(np.arange(USERS))
    broken = block_matrix()
    broken.data[0] = np.nan
    for bad in (block_matrix()[:-1], block_matrix()[:, :-1], broken):
        with pytest.raises(DataError):
            model.partial_fit(csr_matrix(bad))
    np.testing.assert_array_equal(model.scores(np.arange(USERS)), before)


@pytest.mark.parametrize("name", STYLE)
def test_new_items_need_their_vectors(name: str) -> None:
    model = MODELS[name](VECTORS).fit(block_matrix())
    before = model.scores(np.arange(USERS))
    news = csr_matrix(([5.0, 5.0], ([0, 1], [ITEMS, ITEMS + 1])), shape=(USERS, ITEMS + 2))
    for vectors in (None, VECTORS[:1], VECTORS[:2, :5], np.full((2, 8), np.nan), VECTORS[0]):
        with pytest.raises(DataError, match=r"item.vectors"):
            model.partial_fit(news, item_vectors=vectors)
    np.testing.assert_array_equal(model.scores(np.arange(USERS)), before)


@pytest.mark.parametrize("name", STYLE)
def test_item_vectors_must_be_the_items(name: str) -> None:
    with pytest.raises(DataError, match=f"{ITEMS - 1} item vectors"):
        MODELS[name](VECTORS[1:]).fit(block_matrix())
    with pytest.raises(DataError, match="not finite"):
        MODELS[name](np.full((ITEMS, 8), np.nan, dtype=np.float32))


def test_a_model_that_cannot_be_updated_says_so() -> None:
    for name in MODELS.keys() - set(UPDATES):
        model = MODELS[name](VECTORS).fit(block_matrix())
        with pytest.raises(RequestError, match="partial_fit"):
            model.partial_fit(block_matrix())
        np.testing.assert_array_equal(model.history.toarray(), block_matrix().toarray())
