"""Builds, refreshes and evaluations see the catalog with what was put and deleted since the import."""

from __future__ import annotations

import numpy as np
import pytest

from recsys.bundle.store import load_bundle
from recsys.dataset.importers import import_data
from recsys.dataset.project import Project
from recsys.errors import ProjectError
from recsys.evaluation.report import compare_project
from recsys.ranking.recommender import Recommender
from recsys.schema import ItemId
from recsys.storage.artifacts import exclusive_lock, read_frame
from recsys.storage.database import Database
from recsys.storage.live.items import ItemStore, LiveItem
from recsys.training.build import build
from recsys.training.refresh import refresh


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """20 items that 30 people liked; i01 was renamed, i02 deleted and `new` put since."""
    folder = tmp_path_factory.mktemp("live")
    draw = np.random.default_rng(0)
    rows = [
        f"u{user:02d},i{item:02d},like,{1_700_000_000 + 86_400 * step + user}\n"
        for user in range(30)
        for step, item in enumerate(draw.permutation(20)[:8])
    ]
    (folder / "items.csv").write_text("item_id,title,color\n" + "".join(f"i{n:02d},Old {n},red\n" for n in range(20)))
    (folder / "events.csv").write_text("user_id,item_id,event,timestamp\n" + "".join(rows))
    project = Project.init(folder / "shop", "shop")
    import_data(project, items=folder / "items.csv", interactions=folder / "events.csv")
    change(project, LiveItem("i01", "Renamed"), LiveItem("i02", deleted=True), LiveItem("new", "New"))
    return project


def change(project: Project, *items: LiveItem) -> None:
    database = Database.open(project.database_url)
    ItemStore(database).put(items, 1)
    database.close()


def test_a_build_knows_them_and_says_up_to_which(shop: Project) -> None:
    bundle = load_bundle(shop.bundles, shop.root, build(shop))
    assert bundle.items_through == 3
    card = Recommender(bundle).catalog.card
    assert (card(ItemId("i01")).title, card(ItemId("new")).title) == ("Renamed", "New")
    assert "i02" not in bundle.catalog.ids
    assert bundle.catalog.attributes["color"][bundle.catalog.ids.row(ItemId("i01"))] == "red"
    assert bundle.interacted.nnz == 240 - int((read_frame(shop.interactions_file)["item_id"] == "i02").sum())


def test_an_evaluation_takes_the_same_catalog(shop: Project) -> None:
    assert compare_project(shop, models=["popularity"]).items == 20


def test_a_refresh_brings_in_what_came_after_the_build(shop: Project) -> None:
    build(shop)
    change(shop, LiveItem("newer", "Newer"), LiveItem("i03", deleted=True))
    done = refresh(shop)
    assert (done.added, done.gone) == (1, 1)
    bundle = load_bundle(shop.bundles, shop.root)
    assert bundle.items_through == 5
    recommender = Recommender(bundle)
    assert recommender.catalog.card(ItemId("newer")).available
    assert not recommender.catalog.card(ItemId("i03")).available


def test_nobody_else_writes_while_a_build_is_at_work(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []

    def clock() -> int:
        with pytest.raises(ProjectError, match="another process"), exclusive_lock(shop.root):
            pass
        tried.append(True)
        return 0

    build(shop, clock)
    refresh(shop, clock)
    assert len(tried) == 2
