"""Tuning: what is searched, on which events, what is kept of it, and that the test part plays no role."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.dataset.catalog import Catalog
from recsys.dataset.importers import ImportMode, ImportOptions, import_data
from recsys.dataset.project import Project
from recsys.dataset.splits import SplitMethod, hold_out
from recsys.errors import ConfigError, DataError, MissingExtraError, ProjectError, RequestError
from recsys.evaluation.protocol import evaluate_holdout
from recsys.models.als import AlsModel
from recsys.models.base import Model
from recsys.schema import FloatArray
from recsys.storage.artifacts import exclusive_lock
from recsys.tuning.search_spaces import SPACES, Space, Tunable, Values
from recsys.tuning.tune import (
    TEST_SHARE,
    TuningReport,
    Validation,
    als_lines,
    split_of_test,
    tune,
    validation_of,
    write_als,
)

USERS, ITEMS, BLOCKS, DAY = 40, 40, 4, 86_400


def events(*, times: bool = True) -> pd.DataFrame:
    """40 people with 12 events each, most of them in one of four blocks of ten items."""
    random = np.random.default_rng(7)
    frames = []
    for user in range(USERS):
        chance = np.where(np.arange(ITEMS) // (ITEMS // BLOCKS) == user % BLOCKS, 10.0, 1.0)
        items = random.choice(ITEMS, 12, replace=False, p=chance / chance.sum())
        stamps = 1_600_000_000 + random.integers(0, 100 * DAY, 12)
        frames.append(pd.DataFrame({"user_id": f"u{user:02}", "item_id": [f"i{i:02}" for i in items], "t": stamps}))
    whole = pd.concat(frames, ignore_index=True)
    return whole.rename(columns={"t": "timestamp"}) if times else whole.drop(columns="t")


def make_project(folder: Path, train: pd.DataFrame, test: pd.DataFrame | None = None) -> Project:
    folder.mkdir(parents=True)
    project = Project.init(folder / "shop", "blocks")
    pd.DataFrame({"item_id": [f"i{item:02}" for item in range(ITEMS)]}).to_csv(folder / "items.csv", index=False)
    train.to_csv(folder / "train.csv", index=False)
    if test is not None:
        test.to_csv(folder / "test.csv", index=False)
    import_data(
        project,
        items=folder / "items.csv",
        interactions=folder / "train.csv",
        test_interactions=None if test is None else folder / "test.csv",
    )
    return project


def rounds_of(project: Project, split: SplitMethod | None = None) -> Validation:
    return validation_of(project.load_interactions(), Catalog.from_frame(project.load_items()).ids, split)


def kept_trials(project: Project, model: str = "als") -> list[float]:
    lines = (project.root / "tuning" / f"{model}.log").read_text().splitlines()
    records = map(json.loads, lines)
    found = (record.get("value", (record.get("values") or [None])[0]) for record in records)
    return [value for value in found if value is not None]


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return make_project(tmp_path / "shop", events())


class TestSearch:
    def test_the_best_is_never_worse_than_the_defaults_and_the_figures_can_be_had_again(self, shop: Project) -> None:
        report = tune(shop, trials=6, k=5)
        assert (report.trials, report.stopped, report.model) == (6, False, Tunable.ALS)
        assert report.best_quality.mean >= report.default_quality.mean
        assert report.difference.difference.mean == pytest.approx(
            report.best_quality.mean - report.default_quality.mean, abs=1e-12
        )
        per_user = pd.concat(
            [
                pd.Series(result.per_user["ndcg"], index=result.users)
                for holdout in rounds_of(shop).rounds
                for model in [SPACES[Tunable.ALS].make(report.best, np.empty((0, 0), np.float32), 0)]
                for result in [evaluate_holdout(model.fit(holdout.train.matrix()), holdout, k=5)]
            ]
        )
        means = per_user.groupby(level=0).mean()
        assert report.users == len(means)
        assert report.best_quality.mean == pytest.approx(means.mean())

    def test_the_first_trial_is_the_defaults(self, shop: Project) -> None:
        report = tune(shop, trials=1, k=5)
        assert report.best == report.defaults == SPACES[Tunable.ALS].defaults
        assert report.difference.difference.mean == 0.0

    def test_bad_defaults_are_left_for_something_better(self, shop: Project) -> None:
        """One blindly chosen default forgets the person; a search of a few trials has to get away from it."""
        space = SPACES[Tunable.ALS]
        poor = replace(space, defaults={**space.defaults, "regularization": 2.0, "popularity": 0.3, "factors": 32})
        report = tune(shop, trials=8, k=5, space=poor)
        assert report.best_quality.mean > report.default_quality.mean + 0.05

    def test_the_projects_own_settings_are_the_second_trial(self, shop: Project) -> None:
        write_als(shop, {"alpha": 7.0, "popularity": 0.0})
        tune(Project.open(shop.root), trials=2, k=5)
        log = (shop.root / "tuning" / "als.log").read_text()
        assert len(kept_trials(shop)) == 2
        assert '"alpha":7.0' in log.replace(" ", "")

    @pytest.mark.parametrize("model", [Tunable.ITEM_KNN, Tunable.RP3BETA, Tunable.EASE])
    def test_item_models_are_tuned(self, shop: Project, model: Tunable) -> None:
        report = tune(shop, model, trials=4, k=5, metric="recall")
        assert list(report.best) == list(SPACES[model].parameters)
        assert 0 < report.default_quality.mean <= report.best_quality.mean
        assert len(kept_trials(shop, model)) == 4

    def test_a_model_of_style_is_tuned_on_the_catalogs_pictures(self, sample_project: Project, tmp_path: Path) -> None:
        shutil.copytree(sample_project.root, tmp_path / "sample")
        report = tune(Project.open(tmp_path / "sample"), Tunable.STYLE_ALS, trials=1)
        assert report.best["style_ridge"] == 10.0
        assert report.best_quality.mean > 0.05

    def test_time_that_is_up_ends_the_search_after_the_defaults(self, shop: Project) -> None:
        assert tune(shop, trials=500, minutes=1e-6, k=5).trials == 1

    def test_other_ranges_hold(self, shop: Project) -> None:
        space = SPACES[Tunable.ALS].up_to("factors", 64)
        report = tune(shop, trials=4, k=5, space=space)
        assert space.holds(report.best)


class TestKeeping:
    def test_a_second_call_goes_on_and_takes_the_steps_of_one_long_call(self, tmp_path: Path) -> None:
        whole, parts = (make_project(tmp_path / name, events()) for name in ("whole", "parts"))
        straight = tune(whole, Tunable.RP3BETA, trials=9, k=5)
        first = tune(parts, Tunable.RP3BETA, trials=3, k=5)
        second = tune(parts, Tunable.RP3BETA, trials=9, k=5)
        assert (first.trials, second.trials) == (3, 9)
        assert second == straight
        values = [kept_trials(project, "rp3beta") for project in (whole, parts)]
        assert len(values[0]) == 9
        assert values[0] == values[1]

    def test_nothing_is_run_again_where_enough_trials_are_known(self, shop: Project) -> None:
        before = tune(shop, Tunable.EASE, trials=4, k=5)
        assert tune(shop, Tunable.EASE, trials=2, k=5) == before
        assert len(kept_trials(shop, "ease")) == 4

    def test_a_killed_search_goes_on(self, shop: Project) -> None:
        code = (
            "import sys; from pathlib import Path; from recsys.dataset.project import Project\n"
            "from recsys.tuning.tune import tune\n"
            "tune(Project.open(Path(sys.argv[1])), trials=5000, k=5)"
        )
        search = subprocess.Popen([sys.executable, "-c", code, str(shop.root)], stderr=subprocess.DEVNULL)
        log = shop.root / "tuning" / "als.log"
        deadline = time.monotonic() + 120
        while not (log.exists() and log.read_bytes().count(b'"values"') >= 3):
            assert time.monotonic() < deadline, "no trial ended in two minutes"
            assert search.poll() is None, "the search ended by itself"
            time.sleep(0.05)
        os.kill(search.pid, signal.SIGKILL)
        search.wait()
        known = tune(shop, trials=1, k=5).trials
        assert known >= 2
        assert tune(shop, trials=known + 2, k=5).trials == known + 2

    def test_half_a_line_and_a_dead_lock_are_swept_away(self, shop: Project) -> None:
        before = tune(shop, Tunable.EASE, trials=3, k=5)
        log = shop.root / "tuning" / "ease.log"
        with log.open("ab") as file:
            file.write(b'{"op_code":4,"worker_id":"d')
        log.with_name("ease.log.lock").symlink_to(log)
        start = time.monotonic()
        after = tune(shop, Tunable.EASE, trials=4, k=5)
        assert time.monotonic() - start < 20, "the lock of a dead process was waited for"
        assert after.trials == before.trials + 1
        assert all(json.loads(line) for line in log.read_text().splitlines())

    def test_a_damaged_record_is_named(self, shop: Project) -> None:
        tune(shop, Tunable.EASE, trials=1, k=5)
        log = shop.root / "tuning" / "ease.log"
        log.write_text("no journal\n" + log.read_text())
        with pytest.raises(DataError, match=r"ease\.log: not a readable record of trials .* delete it"):
            tune(shop, Tunable.EASE, trials=2, k=5)

    def test_other_data_metrics_and_ranges_start_anew(self, shop: Project) -> None:
        assert tune(shop, Tunable.EASE, trials=3, k=5).trials == 3
        assert tune(shop, Tunable.EASE, trials=1, k=6).trials == 1
        assert tune(shop, Tunable.EASE, trials=1, k=5, metric="map").trials == 1
        assert tune(shop, Tunable.EASE, trials=1, k=5, split=SplitMethod.RANDOM).trials == 1
        extra = shop.root.parent / "extra.csv"
        extra.write_text("user_id,item_id,timestamp\nu00,i39,1600000001\n")
        import_data(shop, interactions=extra, options=ImportOptions(mode=ImportMode.APPEND))
        assert tune(shop, Tunable.EASE, trials=1, k=5).trials == 1

    def test_interruption_keeps_what_is_there(self, shop: Project) -> None:
        report = tune(shop, trials=50, k=5, space=interrupted_at(4))
        assert (report.trials, report.stopped) == (1, True)
        assert len(kept_trials(shop)) == 1

    def test_interruption_before_anything_is_known_is_passed_on(self, shop: Project) -> None:
        with pytest.raises(KeyboardInterrupt):
            tune(shop, trials=50, k=5, space=interrupted_at(1))

    def test_one_search_at_a_time(self, shop: Project) -> None:
        (shop.root / "tuning").mkdir()
        with exclusive_lock(shop.root / "tuning"), pytest.raises(ProjectError, match="another process"):
            tune(shop, trials=1)


def interrupted_at(call: int) -> Space:
    """ALS's space, in which the call-th model to be made meets Ctrl-C; a trial makes three."""
    made: list[Values] = []

    def make(values: Values, vectors: FloatArray, seed: int) -> Model:
        made.append(values)
        if len(made) == call:
            raise KeyboardInterrupt
        return SPACES[Tunable.ALS].make(values, vectors, seed)

    return replace(SPACES[Tunable.ALS], make=make)


def same_search(one: Project, other: Project) -> TuningReport:
    reports = [tune(project, Tunable.RP3BETA, trials=3, k=5) for project in (one, other)]
    assert reports[0] == reports[1]
    names = [
        json.loads((project.root / "tuning" / "rp3beta.log").read_text().splitlines()[0])["study_name"]
        for project in (one, other)
    ]
    assert names[0] == names[1]
    return reports[0]


class TestTheTestPartIsNotTouched:
    def test_a_test_file_changes_nothing(self, tmp_path: Path) -> None:
        whole = events(times=False)
        train, test = whole[whole.index % 5 != 0], whole[whole.index % 5 == 0]
        random = np.random.default_rng(0)
        other = test.assign(item_id=[f"i{item:02}" for item in random.integers(0, ITEMS, len(test))])
        strangers = pd.concat([other, pd.DataFrame({"user_id": ["a0", "zz"], "item_id": ["i00", "i01"]})])
        report = same_search(
            make_project(tmp_path / "a", train, test), make_project(tmp_path / "b", train, strangers.drop_duplicates())
        )
        assert report.split is SplitMethod.RANDOM

    def test_the_last_fifth_changes_nothing(self, tmp_path: Path) -> None:
        whole = events().sort_values("timestamp", ignore_index=True)
        last = np.arange(len(whole)) >= int(len(whole) * (1 - TEST_SHARE))
        random = np.random.default_rng(0)
        other = whole.copy()
        other.loc[last, "item_id"] = [f"i{item:02}" for item in random.integers(0, ITEMS, last.sum())]
        other.loc[last, "user_id"] = [f"u{user:02}" for user in random.integers(0, 2 * USERS, last.sum())]
        report = same_search(make_project(tmp_path / "a", whole), make_project(tmp_path / "b", other))
        assert report.split is SplitMethod.TIME

    def test_without_times_no_pair_of_the_test_is_in_the_validation(self, tmp_path: Path) -> None:
        project = make_project(tmp_path / "a", events(times=False))
        frame, ids = project.load_interactions(), Catalog.from_frame(project.load_items()).ids
        test = hold_out(frame, ids, SplitMethod.RANDOM, share=TEST_SHARE, seed=0).test
        asked = set(zip(test.user_ids.ids(test.users), test.items.tolist(), strict=True))
        assert len(asked) > 50
        for holdout in rounds_of(project).rounds:
            for part in (holdout.train, holdout.test):
                assert not asked & set(zip(part.user_ids.ids(part.users), part.items.tolist(), strict=True))

    @pytest.mark.parametrize("split", [SplitMethod.TIME, SplitMethod.RANDOM])
    def test_with_times_nothing_from_the_test_on_is_looked_at(self, shop: Project, split: SplitMethod) -> None:
        moment = int(np.sort(events()["timestamp"])[int(USERS * 12 * (1 - TEST_SHARE))])
        validation = rounds_of(shop, split)
        assert len(validation.rounds) == 3
        for holdout in validation.rounds:
            assert max(holdout.train.timestamps.max(), holdout.test.timestamps.max()) < moment
            if split is SplitMethod.TIME:
                assert holdout.train.timestamps.max() < holdout.test.timestamps.min()

    def test_what_the_test_is(self, tmp_path: Path) -> None:
        whole = events()
        assert split_of_test(make_project(tmp_path / "a", whole).load_interactions()) is SplitMethod.TIME
        timeless = events(times=False)
        assert split_of_test(make_project(tmp_path / "b", timeless).load_interactions()) is SplitMethod.RANDOM
        with_file = make_project(tmp_path / "c", whole[:400], whole[400:])
        assert split_of_test(with_file.load_interactions()) is SplitMethod.PREDEFINED
        assert rounds_of(with_file).split is SplitMethod.TIME


class TestRefusals:
    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"trials": 0}, "trials: must be at least 1"),
            ({"minutes": 0.0}, "timeout: must be above 0"),
            ({"minutes": float("nan")}, "timeout: must be above 0"),
            ({"metric": "auc"}, "metric: 'auc' is not known; use one of recall, ndcg"),
            ({"k": 0}, "k"),
            ({"split": SplitMethod.STRONG}, "split: strong is no split for validation; use one of time, random"),
        ],
    )
    def test_what_cannot_be(self, shop: Project, given: dict[str, object], words: str) -> None:
        with pytest.raises(RequestError, match=words):
            tune(shop, **given)  # type: ignore[arg-type]

    def test_the_extra_is_named(self, shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(sys.modules, "optuna", None)
        with pytest.raises(MissingExtraError, match=r"optuna is not installed: pip install 'style-recsys\[tune\]'"):
            tune(shop, trials=1)

    def test_the_module_is_imported_without_the_library(self) -> None:
        code = "import sys; sys.modules['optuna'] = None; import recsys.tuning.tune"
        assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

    def test_models_of_style_need_pictures(self, shop: Project) -> None:
        with pytest.raises(DataError, match="style_als learns from photos and no item has one; tune als instead"):
            tune(shop, Tunable.STYLE_ALS, trials=1)

    def test_a_project_without_data(self, tmp_path: Path) -> None:
        with pytest.raises(ProjectError, match="no items yet"):
            tune(Project.init(tmp_path / "shop", "shop"), trials=1)

    def test_too_little_to_hold_anything_out(self, tmp_path: Path) -> None:
        project = make_project(tmp_path / "a", events()[:1].assign(timestamp=1_600_000_000), events()[1:2])
        with pytest.raises(DataError, match="holds out nothing"):
            tune(project, trials=1)

    def test_time_rounds_without_times(self, tmp_path: Path) -> None:
        project = make_project(tmp_path / "a", events(times=False))
        with pytest.raises(DataError, match="nothing can be held out by time"):
            tune(project, trials=1, split=SplitMethod.TIME)


class TestWriting:
    def test_settings_are_written_and_the_rest_stays(self, shop: Project) -> None:
        file = shop.root / "recsys.toml"
        before = file.read_text().replace("alpha = 1.0", "alpha = 1.0  # ours")
        file.write_text(before)
        best = {**SPACES[Tunable.ALS].defaults, "alpha": 12.5, "factors": 48}
        write_als(shop, best)
        assert Project.open(shop.root).settings.als.alpha == 12.5
        changed = [
            pair for pair in zip(before.splitlines(), file.read_text().splitlines(), strict=True) if len({*pair}) > 1
        ]
        assert changed == [("factors = 64", "factors = 48"), ("alpha = 1.0  # ours", "alpha = 12.5  # ours")]

    def test_lines_to_paste_say_the_same(self, shop: Project) -> None:
        best = {**SPACES[Tunable.ALS].defaults, "regularization": 0.0123, "iterations": 7}
        pasted = make_project(shop.root.parent / "pasted", events())
        (pasted.root / "recsys.toml").write_text("\n".join(als_lines(best)))
        write_als(shop, best)
        assert Project.open(pasted.root).settings.als == Project.open(shop.root).settings.als

    def test_a_table_that_cannot_be_edited_is_left_alone(self, shop: Project) -> None:
        file = shop.root / "recsys.toml"
        file.write_text('name = "shop"\nals = {factors = 8}\n')
        with pytest.raises(ConfigError, match=r"write by hand:\n\[als\]\nalpha = 2.0"):
            write_als(shop, {"alpha": 2.0})
        assert file.read_text() == 'name = "shop"\nals = {factors = 8}\n'


def test_als_models_of_the_search_are_those_of_the_build() -> None:
    made = SPACES[Tunable.ALS].make(SPACES[Tunable.ALS].defaults, np.empty((0, 0), np.float32), 3)
    assert isinstance(made, AlsModel)
    assert (made.settings, made.seed) == (AlsModel().settings, 3)
