"""Reviews become words of the items they are of."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.catalog import Catalog
from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.errors import BadRowsError, DataError
from recsys.profiles.text_style import TextStyleMap, item_texts

ITEMS = pd.DataFrame({"item_id": [f"p{n}" for n in range(60)], "title": [f"thing {n}" for n in range(60)]})


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project.init(tmp_path / "shop", "shop")
    ITEMS.to_csv(tmp_path / "items.csv", index=False)
    import_data(made, items=tmp_path / "items.csv")
    return made


def csv(folder: Path, rows: list[tuple[str, str]]) -> Path:
    path = folder / "reviews.csv"
    pd.DataFrame(rows, columns=["product_id", "review"]).to_csv(path, index=False)
    return path


def reviews(project: Project) -> dict[str, str]:
    items = project.load_items()
    return dict(zip(items["item_id"], items["reviews"], strict=True))


def test_they_are_gathered_by_item_in_their_order(project: Project, tmp_path: Path) -> None:
    rows = [("p1", "Lovely\n  dark"), ("p2", "meh"), ("p1", "so glossy")]
    report = import_data(project, reviews=csv(tmp_path, rows))
    assert reviews(project)["p1"] == "Lovely dark\nso glossy"
    assert reviews(project)["p3"] == ""
    assert "3 reviews of 2 items" in str(report)
    import_data(project, reviews=csv(tmp_path, [("p1", "third")]), options=ImportOptions(mode=ImportMode.APPEND))
    assert reviews(project)["p1"] == "Lovely dark\nso glossy\nthird"
    import_data(project, reviews=csv(tmp_path, [("p2", "new")]))
    assert (reviews(project)["p1"], reviews(project)["p2"]) == ("", "new")


def test_what_they_say_of_looks_is_learned(project: Project, tmp_path: Path) -> None:
    import_data(project, reviews=csv(tmp_path, [(f"p{n}", "it came fast, very glossy") for n in range(30)]))
    directions = np.random.default_rng(0).normal(0, 0.05, (60, 128)).astype(np.float32)
    directions[:30, 0] += 1.0
    directions[30:, 1] += 1.0
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    learned = TextStyleMap.fit(item_texts(Catalog.from_frame(project.load_items())), directions)
    assert learned.style_of("glossy").direction[0] > 0.6


def test_amazons_reviews_are_read_with_their_titles(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "reviews.jsonl"
    lines = [
        {"parent_asin": "p4", "title": "Pretty", "text": "in blue"},
        {"parent_asin": "p4", "title": "", "text": ""},
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    import_data(project, reviews=path)
    assert reviews(project)["p4"] == "Pretty in blue"


def test_bad_rows_are_named_and_nothing_is_imported(project: Project, tmp_path: Path) -> None:
    path = csv(tmp_path, [("p1", "fine"), ("px", "which?"), ("p2", "")])
    with pytest.raises(BadRowsError) as caught:
        import_data(project, reviews=path)
    assert "'px' is not in the catalog" in str(caught.value)
    assert "empty review" in str(caught.value)
    assert "reviews" not in project.load_items()
    import_data(project, reviews=path, options=ImportOptions(skip_bad=True))
    assert reviews(project)["p1"] == "fine"


def test_reviews_before_items_are_refused(tmp_path: Path) -> None:
    empty = Project.init(tmp_path / "empty", "empty")
    with pytest.raises(DataError, match="has no items yet"):
        import_data(empty, reviews=csv(tmp_path, [("p1", "fine")]))
