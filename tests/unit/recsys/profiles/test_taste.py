from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.sparse import csr_matrix
from scipy.spatial.distance import pdist, squareform
from sklearn.metrics import silhouette_score

from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import Evidence, Taste, TasteModel, component_labels, cut, evidence_weights, silhouette
from recsys.schema import FloatArray

LOOKS = 3
ITEMS_PER_LOOK = 40


def looks() -> FloatArray:
    """Three unit vectors (3, 128) at right angles."""
    return np.linalg.qr(np.random.default_rng(0).normal(size=(128, LOOKS)))[0].T.astype(np.float32)


@pytest.fixture(scope="module")
def space() -> StyleSpace:
    """Items 0..119: forty of each look, in two categories whose common part is as strong as the look."""
    random = np.random.default_rng(1)
    kinds = np.linalg.qr(random.normal(size=(128, 2)))[0].T
    look, kind = np.repeat(np.arange(LOOKS), ITEMS_PER_LOOK), np.arange(LOOKS * ITEMS_PER_LOOK) % 2
    vectors = looks()[look] + kinds[kind] + random.normal(0, 0.02, (len(look), 128))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return StyleSpace.from_vectors(vectors.astype(np.float32), kind.astype(np.int64))


def model(space: StyleSpace, prior: float = 1.0, max_components: int = 4) -> TasteModel:
    nothing = np.zeros((2, space.dimensions), dtype=np.float32)
    return TasteModel(nothing, nothing[0], prior, max_components)


def items_of(look: int, count: int = ITEMS_PER_LOOK) -> np.ndarray:
    return np.arange(look * ITEMS_PER_LOOK, look * ITEMS_PER_LOOK + count, dtype=np.int64)


def test_directions_say_look_and_not_kind(space: StyleSpace) -> None:
    same_look = space.directions[0] @ space.directions[1]
    same_kind = space.directions[0] @ space.directions[ITEMS_PER_LOOK]
    assert same_look > 0.8
    assert same_kind < 0.1


def test_items_without_a_picture_have_no_direction() -> None:
    vectors = np.zeros((3, 128), dtype=np.float32)
    vectors[0, 0] = vectors[1, 1] = 1
    space = StyleSpace.from_vectors(vectors, np.zeros(3, dtype=np.int64))
    assert not space.directions[2].any()
    assert np.allclose(space.center, vectors[:2].mean(axis=0))


def test_style_and_direction_are_one_space(space: StyleSpace) -> None:
    direction = space.directions[3]
    style = space.to_style(direction)
    assert np.linalg.norm(style) == pytest.approx(1, abs=1e-5)
    assert space.to_direction(style) @ direction > 0.9


def test_one_look_is_one_mode_that_matches_it_in_every_category(space: StyleSpace) -> None:
    liked = items_of(1, 8)
    taste = model(space).taste(space, liked, np.ones(8, np.float32), None)
    assert taste.shares.tolist() == [1.0]
    match = taste.match(space.directions)
    assert match[items_of(1)].min() > match[items_of(0)].max() + 0.3


def test_two_looks_are_two_modes_with_their_shares(space: StyleSpace) -> None:
    liked = np.concatenate([items_of(0, 9), items_of(2, 3)])
    taste = model(space).taste(space, liked, np.ones(12, np.float32), None)
    assert taste.shares.tolist() == [0.75, 0.25]
    assert taste.best_components(space.directions[[0, 2 * ITEMS_PER_LOOK]]).tolist() == [0, 1]


def test_modes_are_capped(space: StyleSpace) -> None:
    liked = np.concatenate([items_of(look, 12) for look in range(LOOKS)])
    say = np.ones(len(liked), np.float32)
    assert len(model(space, max_components=4).taste(space, liked, say, None).shares) == 3
    assert len(model(space, max_components=2).taste(space, liked, say, None).shares) == 2
    assert len(model(space, max_components=1).taste(space, liked, say, None).shares) == 1


def test_more_evidence_is_surer(space: StyleSpace) -> None:
    lengths = [
        np.linalg.norm(model(space, prior=4).taste(space, items_of(0, n), np.ones(n, np.float32), None).directions[0])
        for n in (1, 3, 9)
    ]
    assert 0 < lengths[0] < lengths[1] < lengths[2] < 1


def test_no_evidence_is_no_taste(space: StyleSpace) -> None:
    taste = model(space).taste(space, np.zeros(0, np.int64), np.zeros(0, np.float32), None)
    assert not taste
    assert taste.match(space.directions).tolist() == [0.0] * len(space.directions)


def test_the_learned_map_completes_what_is_not_seen(space: StyleSpace) -> None:
    """Users of look l have factor l: the map must predict the look from the factor alone."""
    users = np.repeat(np.arange(30), 6)
    items = np.concatenate([np.random.default_rng(u).choice(items_of(u % LOOKS), 6, replace=False) for u in range(30)])
    factors = np.eye(LOOKS, dtype=np.float32)[np.arange(30) % LOOKS]
    recent = csr_matrix((np.ones(len(users), np.float32), (users, items)), shape=(30, len(space.directions)))
    evidence = Evidence.from_events(recent)
    fitted = TasteModel.fit(space, evidence, factors, prior=4.0, max_components=4)
    for look in range(LOOKS):
        factor = np.eye(LOOKS, dtype=np.float32)[look]
        taste = fitted.taste(space, np.zeros(0, np.int64), np.zeros(0, np.float32), factor)
        match = taste.match(space.directions)
        assert set(np.argsort(-match)[:ITEMS_PER_LOOK]) == set(items_of(look))


@pytest.mark.parametrize("block", [7, 50_000])
def test_the_learned_map_is_ridge_regression_in_blocks_of_any_size(
    space: StyleSpace, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the normal equations, users without likes and dislikes being left out."""
    monkeypatch.setattr("recsys.profiles.taste.BLOCK", block)
    random = np.random.default_rng(4)
    dense = random.choice([0.0, 0.0, 0.0, -3.0, 1.0, 8.0], (40, len(space.directions))).astype(np.float32)
    dense[[5, 6]] = 0.0
    dense[7] = np.minimum(dense[7], 0.0)
    factors = random.normal(2.0, 1.0, (40, 5)).astype(np.float32)
    fitted = TasteModel.fit(space, Evidence.from_events(csr_matrix(dense)), factors, prior=1.0, max_components=4)
    say = evidence_weights(dense)
    used = say.sum(axis=1) > 0
    assert used.sum() == 37
    total = say[used].sum(axis=1, keepdims=True)
    weights, target, x = np.sqrt(total), say[used] @ space.directions / total, factors[used].astype(np.float64)
    mean_x, mean_y = (np.average(part, axis=0, weights=weights[:, 0]) for part in (x, target))
    normal = (x - mean_x).T @ (weights * (x - mean_x))
    expected = np.linalg.solve(
        normal + np.eye(5) * np.trace(normal) / 5, (x - mean_x).T @ (weights * (target - mean_y))
    )
    np.testing.assert_allclose(fitted.weight, expected, atol=1e-5)
    np.testing.assert_allclose(fitted.bias, mean_y - mean_x @ expected, atol=1e-5)


def test_nobody_likes_anything(space: StyleSpace) -> None:
    nothing = Evidence.from_events(csr_matrix((4, len(space.directions)), dtype=np.float32))
    fitted = TasteModel.fit(space, nothing, np.ones((4, 3), np.float32), prior=1.0, max_components=4)
    assert not fitted.weight.any()
    assert not fitted.bias.any()


@pytest.mark.parametrize("block", [9, 100_000])
def test_category_centers_are_means_drawn_to_the_catalogs(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recsys.profiles.style_space.BLOCK", block)
    random = np.random.default_rng(2)
    vectors = random.normal(size=(50, 128)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[[3, 30]] = 0.0
    kinds = random.integers(4, size=50)
    shown = vectors.any(axis=1)
    made = StyleSpace.from_vectors(vectors, kinds)
    center = vectors[shown].mean(axis=0)
    for kind in range(4):
        own = shown & (kinds == kind)
        offsets = vectors[own] - (vectors[own].sum(axis=0) + 5 * center) / (own.sum() + 5)
        expected = offsets / np.linalg.norm(offsets, axis=1, keepdims=True)
        np.testing.assert_allclose(made.directions[own], expected, atol=1e-5)


def test_disliked_events_have_no_say() -> None:
    say = evidence_weights(np.array([-5.0, 0.0, 1.0, 10.0], dtype=np.float32))
    assert say[:2].tolist() == [0.0, 0.0]
    assert 0 < say[2] < say[3] < 10 * say[2]


def test_the_order_of_likes_does_not_matter(space: StyleSpace) -> None:
    liked, say = np.concatenate([items_of(0, 5), items_of(1, 5)]), np.linspace(1, 2, 10).astype(np.float32)
    shuffle = np.random.default_rng(3).permutation(10)
    forward = model(space).taste(space, liked, say, None)
    backward = model(space).taste(space, liked[shuffle], say[shuffle], None)
    assert np.allclose(forward.directions, backward.directions, atol=1e-6)


@given(st.integers(0, 1000), st.integers(2, 4), st.integers(6, 30))
def test_silhouette_equals_scikit_learn(seed: int, groups: int, size: int) -> None:
    random = np.random.default_rng(seed)
    points = random.normal(size=(size, 5))
    labels = np.concatenate([np.arange(groups), random.integers(0, groups, size - groups)])
    assert silhouette(squareform(pdist(points)), labels) == pytest.approx(silhouette_score(points, labels))


@given(st.integers(0, 1000), st.integers(1, 40), st.integers(1, 6), st.booleans())
def test_cutting_a_tree_equals_scipy(seed: int, size: int, count: int, ties: bool) -> None:
    points = np.random.default_rng(seed).normal(size=(size + 1, 3))
    if ties:
        points = points.round()
    tree = linkage(pdist(points), method="ward")
    expected = fcluster(tree, count, criterion="maxclust") - 1
    assert cut(tree, count).tolist() == expected.tolist()


def test_equal_directions_are_one_mode() -> None:
    assert component_labels(np.ones((10, 128), dtype=np.float32), 4).tolist() == [0] * 10


def test_an_empty_taste_is_false() -> None:
    assert not Taste.none(128)
