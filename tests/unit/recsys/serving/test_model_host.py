"""What is served changes as one, follows the project, and stays where the new one is wrong."""

from __future__ import annotations

import json
import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from recsys.bundle.store import current_version, load_bundle, make_current, save_bundle
from recsys.errors import BundleError, UnknownIdError
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.schema import FloatArray, ItemId, UserId
from recsys.serving.model_host import RECENT_REQUESTS, ModelHost
from recsys.serving.model_loader import warm_up
from recsys.storage.artifacts import read_array, write_array
from tests.small_bundles import Change, Changes, lie, small_bundle, two_bundles


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    two_bundles(folder)
    return folder


@pytest.fixture
def bundles(built: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(built, tmp_path / "bundles"))


@pytest.fixture
def versions(bundles: Path) -> tuple[str, str]:
    """The version that is not current, and the one that is."""
    current = current_version(bundles)
    (other,) = {path.name for path in bundles.iterdir() if path.is_dir()} - {current}
    return other, current


def with_nan(folder: Path) -> None:
    array = read_array(folder / "trend.npy").copy()
    array[0] = np.nan
    write_array(folder / "trend.npy", array)


def test_a_version_is_activated_here_and_for_others(bundles: Path, versions: tuple[str, str]) -> None:
    host, other_process = ModelHost(bundles, bundles), ModelHost(bundles, bundles)
    assert host.current.version == host.current.recommender.version == versions[1]
    served = host.activate(versions[0])
    assert served is host.current
    assert host.current.version == versions[0]
    assert current_version(bundles) == versions[0]
    assert other_process.current.version == versions[1]
    other_process.poll()
    assert other_process.current.version == versions[0]


def test_nothing_is_loaded_while_nothing_changes(bundles: Path) -> None:
    host = ModelHost(bundles, bundles)
    before = host.current
    host.poll()
    make_current(bundles, before.version)
    host.poll()
    assert host.current is before


@pytest.mark.parametrize("version", ["../..", "0" * 16, "nonsense"])
def test_a_version_that_is_not_there_is_refused(bundles: Path, versions: tuple[str, str], version: str) -> None:
    host = ModelHost(bundles, bundles)
    before = host.current
    with pytest.raises(BundleError):
        host.activate(version)
    assert host.current is before
    assert current_version(bundles) == versions[1]
    assert host.rejection is not None
    assert host.rejection.version == version


def test_a_wrong_bundle_is_refused_once_and_the_old_one_serves(
    bundles: Path, versions: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    host = ModelHost(bundles, bundles)
    before = host.current
    make_current(bundles, versions[0])
    wrong = lie(bundles, with_nan)
    with caplog.at_level(logging.ERROR):
        host.poll()
        host.poll()
    assert host.current is before
    assert host.rejection is not None
    assert (host.rejection.version, "trend.npy: holds NaN" in host.rejection.reason) == (wrong, True)
    assert sum("trend.npy" in record.message for record in caplog.records) == 1
    save_bundle(small_bundle(0.5), bundles, 9)
    host.poll()
    assert host.current.version == current_version(bundles)
    assert host.rejection is None


def test_a_start_takes_the_newest_that_is_right(bundles: Path, versions: tuple[str, str]) -> None:
    with_nan(bundles / versions[1])
    host = ModelHost(bundles, bundles)
    assert host.current.version == versions[0]
    assert host.rejection is not None
    assert host.rejection.version == versions[1]
    with_nan(bundles / versions[0])
    with pytest.raises(BundleError, match=versions[1]):
        ModelHost(bundles, bundles)


def test_without_any_bundle_it_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(BundleError, match="no bundle yet"):
        ModelHost(tmp_path, tmp_path)


def test_a_damaged_pointer_keeps_what_is_served(bundles: Path, versions: tuple[str, str]) -> None:
    host = ModelHost(bundles, bundles)
    (bundles / "current.json").write_text("{")
    host.poll()
    (bundles / "current.json").unlink()
    host.poll()
    assert host.current.version == versions[1]
    make_current(bundles, versions[0])
    host.poll()
    assert host.current.version == versions[0]


def test_only_the_last_requests_are_remembered(bundles: Path) -> None:
    host = ModelHost(bundles, bundles)
    for number in range(RECENT_REQUESTS + 5):
        host.remember(Request(limit=number + 1))
    assert [request.limit for request in host._recent] == list(range(6, RECENT_REQUESTS + 6))


def test_a_bundle_that_fails_a_remembered_request_is_refused(
    bundles: Path, versions: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host = ModelHost(bundles, bundles)
    host.remember(Request(user_id=UserId("u00"), limit=7))
    host.remember(Request(items={ItemId("gone long ago"): 1.0}))
    assert host.activate(versions[0]).version == versions[0]
    recommend = Recommender.recommend

    def broken(self: Recommender, request: Request) -> object:
        if request.limit == 7:
            raise ZeroDivisionError("a shelf is empty")
        return recommend(self, request)

    monkeypatch.setattr(Recommender, "recommend", broken)
    with pytest.raises(BundleError, match=r"limit 7 failed: ZeroDivisionError\('a shelf is empty'\)"):
        host.activate(versions[1])
    assert host.current.version == current_version(bundles) == versions[0]


def test_warming_up_refuses_short_answers_and_scores_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    recommender = Recommender(small_bundle())
    asked = Request(filters=Filters(price_min=10_000.0))
    warm_up(recommender, [asked])
    monkeypatch.setattr(recommender, "_list", lambda *_: ())
    with pytest.raises(BundleError, match="got 0 items of 10"):
        warm_up(recommender)
    monkeypatch.undo()
    table = recommender._features.table
    monkeypatch.setattr(type(recommender._features), "table", lambda _, *given: table(*given) * np.float32(np.inf))
    with pytest.raises(BundleError, match="a score that is no number"), np.errstate(all="ignore"):
        warm_up(recommender)


def test_live_changes_are_in_what_is_served(bundles: Path, versions: tuple[str, str]) -> None:
    items = Changes(Change(ItemId("new"), 1, vector=look()), Change(ItemId("i00"), 2, deleted=True))
    host = ModelHost(bundles, bundles, items)
    assert host.current.items_seq == 2
    assert host.current.recommender.catalog.card(ItemId("new")).price == 5.0
    items.all.append(Change(ItemId("new"), 3, price=6.0, vector=look()))
    before = host.current
    host.poll()
    assert host.current.recommender.catalog.card(ItemId("new")).price == 6.0
    assert before.recommender.catalog.card(ItemId("new")).price == 5.0
    host.activate(versions[0])
    assert (host.current.version, host.current.items_seq) == (versions[0], 3)
    assert host.current.recommender.catalog.card(ItemId("new")).price == 6.0
    with pytest.raises(UnknownIdError):
        host.current.recommender.catalog.card(ItemId("i00"))


def look() -> FloatArray:
    return np.eye(128, dtype=np.float32)[0]


def test_a_change_that_cannot_be_does_not_keep_others_waiting(bundles: Path, caplog: pytest.LogCaptureFixture) -> None:
    items = Changes(Change(ItemId("bad"), 1, price=-1.0), Change(ItemId("good"), 2))
    with caplog.at_level(logging.ERROR):
        host = ModelHost(bundles, bundles, items)
        host.poll()
    assert host.current.items_seq == 2
    assert host.current.recommender.catalog.card(ItemId("good"))
    with pytest.raises(UnknownIdError):
        host.current.recommender.catalog.card(ItemId("bad"))
    assert sum("'bad'" in record.message for record in caplog.records) == 1


class Flaky(Changes):
    """Live changes of a database that may be away."""

    away = False

    def last_seq(self) -> int:
        if self.away:
            raise OSError("the database is away")
        return super().last_seq()


def test_a_database_that_is_away_is_waited_for(
    bundles: Path, versions: tuple[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    items = Flaky(Change(ItemId("new"), 1))
    host = ModelHost(bundles, bundles, items)
    items.away = True
    items.all.append(Change(ItemId("newer"), 2))
    make_current(bundles, versions[0])
    with caplog.at_level(logging.ERROR):
        for _ in range(3):
            host.poll()
    assert (host.current.version, host.current.items_seq) == (versions[1], 1)
    assert sum("the database is away" in record.message for record in caplog.records) == 2  # once for each step
    items.away = False
    host.poll()
    assert (host.current.version, host.current.items_seq) == (versions[0], 2)


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < deadline, "it did not happen within 10 s"
        time.sleep(0.01)


def test_a_thread_follows_what_another_process_does(bundles: Path, versions: tuple[str, str]) -> None:
    others = set(threading.enumerate())
    items = Changes()
    host = ModelHost(bundles, bundles, items, poll_interval_s=0.02)
    host.start()
    host.start()
    try:
        code = "import sys, pathlib, recsys.bundle.store as b; b.make_current(pathlib.Path(sys.argv[1]), sys.argv[2])"
        subprocess.run([sys.executable, "-c", code, str(bundles), versions[0]], check=True)
        until(lambda: host.current.version == versions[0])
        items.all.append(Change(ItemId("new"), 1))
        until(lambda: host.current.items_seq == 1)
    finally:
        host.close()
    assert set(threading.enumerate()) <= others
    assert json.loads((bundles / "current.json").read_text()) == {"version": versions[0]}
    assert load_bundle(bundles, bundles).version == versions[0]
