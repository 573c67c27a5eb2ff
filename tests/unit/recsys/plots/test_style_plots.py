"""Maps, rows and people: pictures stand where their style says, and nothing stops for a damaged file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from recsys.dataset.project import Project
from recsys.dataset.sample import load_truth
from recsys.errors import DataError
from recsys.plots.strips import Row, Tile, caption_lines, image_rows, thumbnail
from recsys.plots.style_examples import STRENGTHS, neighbor_row, taste_rows, typical_items
from recsys.plots.style_map import assign_cells, project_to_plane, style_map
from recsys.plots.vectors import (
    TRUTH,
    StyleSample,
    chance_level,
    directions_for,
    nearest_hits,
    nearest_rows,
    rank_examples,
    retrieval_chart,
    variance_chart,
    variance_shares,
    whitening_conclusions,
)
from recsys.ranking.recommender import Recommender
from recsys.reports.drawing import RULE
from recsys.reports.inline_images import load_renderer
from recsys.schema import ITEM_ID, UserId
from style.metrics import retrieval_score


def clusters(count: int, each: int) -> np.ndarray:
    """Unit vectors in tight, well separated clusters, one after the other."""
    random = np.random.default_rng(0)
    centers = np.repeat(np.eye(count, 16), each, axis=0)
    vectors = centers + 0.05 * random.standard_normal(centers.shape)
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def test_the_plane_keeps_clusters_together_and_is_the_same_again() -> None:
    vectors = clusters(4, 20)
    found = project_to_plane(vectors, seed=0)
    assert np.array_equal(found, project_to_plane(vectors, seed=0))
    distances = np.linalg.norm(found[:, None] - found[None], axis=2) + 1e9 * np.eye(len(found))
    assert np.array_equal(distances.argmin(axis=1) // 20, np.arange(80) // 20)


@pytest.mark.parametrize("count", [1, 2, 9])
def test_a_few_vectors_have_a_plane_too(count: int) -> None:
    assert project_to_plane(clusters(3, 3)[:count], seed=0).shape == (count, 2)


@pytest.mark.parametrize("count", [1, 2, 7, 60])
def test_every_point_has_a_place_of_its_own(count: int) -> None:
    places, (width, height) = assign_cells(np.random.default_rng(0).standard_normal((count, 2)))
    assert len(np.unique(places, axis=0)) == count
    assert places.min() >= 0
    assert np.all(places < (width, height))


def test_places_follow_the_points() -> None:
    corners = np.array([[0, 0], [1, 0], [0, 1], [1, 1.0]])
    places, _ = assign_cells(corners)
    assert np.array_equal(places[:, 0] > places[0, 0], corners[:, 0] > 0)
    assert np.array_equal(places[:, 1] > places[0, 1], corners[:, 1] > 0)


def test_the_map_shows_products_and_numbered_references(recommender: Recommender) -> None:
    drawing = style_map(recommender, limit=30)
    (axes,) = drawing.figure.axes
    references = len(recommender.styles.cards)
    assert len(axes.get_images()) == 30 + references
    assert [text.get_text() for text in axes.texts] == [str(number + 1) for number in range(references)]
    assert len(style_map(recommender, limit=30, references=False).figure.axes[0].get_images()) == 30


def test_rows_show_every_tile_and_frame_the_chosen(tmp_path: Path) -> None:
    (tmp_path / "broken.jpg").write_bytes(b"no picture")
    tiles = [Tile(Image.new("RGB", (40, 20), "red"), "red", framed=True), Tile(tmp_path / "broken.jpg"), Tile(None)]
    drawing = image_rows([Row("first", tiles), Row("second", tiles[:1])], "A title")
    (axes,) = drawing.figure.axes
    assert len(axes.get_images()) == 4
    assert len(axes.get_lines()) == 2
    assert {"A title", "first", "second", "red"} <= {text.get_text() for text in axes.texts}
    with pytest.raises(DataError, match="no images"):
        image_rows([], "nothing")


def test_a_thumbnail_is_the_middle_square_or_grey(tmp_path: Path) -> None:
    wide = Image.new("RGB", (60, 20), "blue")
    wide.paste("red", (20, 0, 40, 20))
    assert np.asarray(thumbnail(wide, 20)).mean(axis=(0, 1)) == pytest.approx([255, 0, 0], abs=12)
    assert "#{:02x}{:02x}{:02x}".format(*thumbnail(tmp_path / "none.jpg", 8).getpixel((0, 0))) == RULE


def test_captions_have_at_most_two_lines() -> None:
    assert caption_lines("Walnut mug, teak") == "Walnut mug, teak"
    long = caption_lines("A very long title of a very particular product")
    assert long.count("\n") == 1
    assert long.endswith("…")


def test_typical_items_differ_in_look_and_their_neighbors_do_not(recommender: Recommender) -> None:
    truth = load_truth().set_index(ITEM_ID)[TRUTH]
    items = typical_items(recommender, 6)
    assert len({truth[item] for item in items}) == 6
    row = neighbor_row(recommender, items[0], 3)
    assert [tile.framed for tile in row.tiles] == [True, False, False, False]
    assert row.tiles[0].image == recommender.catalog.card(items[0]).image


def test_a_person_from_what_they_liked_to_a_restyled_product(sample_project: Project, recommender: Recommender) -> None:
    with load_renderer(sample_project, "color") as restyler:
        rows = taste_rows(sample_project, recommender, restyler, UserId("u001"))
        strangers = taste_rows(sample_project, recommender, restyler, UserId("nobody"))
    titles = [row.title for row in rows]
    assert titles[0] == "latest items of the history"
    assert titles[1].startswith("taste component 1, ")
    assert titles[-2] == "recommended, best first"
    photo, *restyled = (np.asarray(thumbnail(tile.image, 64), dtype=float) for tile in rows[-1].tiles)
    changes = [np.abs(picture - photo).mean() for picture in restyled]
    assert len(changes) == len(STRENGTHS)
    assert changes[0] < changes[-1]
    assert [row.title for row in strangers] == ["recommended, best first"]


@pytest.fixture(scope="module")
def looks(sample_project: Project, recommender: Recommender) -> StyleSample:
    return StyleSample.from_catalog(sample_project, recommender.bundle, limit=40)


def test_looks_are_pictures_with_their_hidden_style(looks: StyleSample, recommender: Recommender) -> None:
    assert len(looks.images) == len(looks.labels) == 40
    assert all(vectors.shape[0] == 40 for vectors in looks.spaces.values())
    for vectors in looks.spaces.values():
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-4)
    frame = recommender.bundle.items.set_index("title")
    truth = load_truth().set_index(ITEM_ID)[TRUTH]
    once = [place for place, title in enumerate(looks.titles) if (frame.index == title).sum() == 1]
    assert once
    assert [looks.labels[place] for place in once] == [
        truth[str(frame.loc[looks.titles[place], ITEM_ID])] for place in once
    ]


def test_a_column_of_the_items_labels_them_too(sample_project: Project, recommender: Recommender) -> None:
    with pytest.raises(DataError, match=r"no column 'mood'.*color"):
        StyleSample.from_catalog(sample_project, recommender.bundle, "mood", limit=2)
    assert "matte" in StyleSample.from_catalog(sample_project, recommender.bundle, "finish", limit=20).labels


def test_hits_agree_with_the_retrieval_score(looks: StyleSample) -> None:
    for vectors in looks.spaces.values():
        assert nearest_hits(vectors, looks.labels).mean() == pytest.approx(
            retrieval_score(vectors, looks.labels).recall_at_1
        )


def test_rows_frame_what_has_the_label_asked_for(looks: StyleSample) -> None:
    (space, *_) = looks.spaces
    (row,) = nearest_rows(looks, 3, [space], count=5)
    assert row.tiles[0].image == looks.images[3]
    assert np.mean([tile.framed for tile in row.tiles[1:]]) == nearest_hits(looks.spaces[space], looks.labels, 5)[3]
    with pytest.raises(DataError, match="'nowhere' is none of the spaces"):
        nearest_rows(looks, 3, ["nowhere"])


def test_telling_places_begin_where_the_second_space_wins() -> None:
    good = clusters(2, 5)
    labels = ("a",) * 5 + ("b",) * 5
    poor = good.copy()
    poor[0] = good[9]
    looks = StyleSample((), (), labels, {"poor": poor, "good": good})
    assert rank_examples(looks, "poor", "good", 4)[0] == 0
    assert rank_examples(looks, "good", "poor", 4)[-1] == 0


def test_variance_shares_and_chance_of_known_vectors() -> None:
    line = np.outer(np.arange(5), [3, 4]).astype(np.float32)
    assert variance_shares(line)[0] == pytest.approx(1)
    even = np.vstack([np.eye(4), -np.eye(4)]).astype(np.float32)
    np.testing.assert_allclose(variance_shares(even), [0.25, 0.5, 0.75, 1], atol=1e-6)
    assert directions_for(np.array([0.3, 0.6, 1.0], dtype=np.float32), 0.5) == 2
    assert chance_level(["a", "a", "b", "b"]) == pytest.approx(1 / 3)


def test_charts_and_conclusions_name_every_space(looks: StyleSample) -> None:
    bars, lines = retrieval_chart(looks).figure.axes[0], variance_chart(looks).figure.axes[0]
    assert [text.get_text().split("\n")[0] for text in bars.get_yticklabels()] == list(looks.spaces)
    assert len(lines.get_lines()) == len(looks.spaces)
    found = whitening_conclusions(looks)
    assert [line.split(":")[0] for line in found[:-1]] == list(looks.spaces)
    assert found[0].endswith("(by chance " + f"{chance_level(looks.labels):.0%}).")
