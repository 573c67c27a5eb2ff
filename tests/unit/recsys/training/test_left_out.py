"""Crawlers and strays in a log: nobody else's list may change, on a small log whose lists are known without them."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from recsys.bundle.store import load_bundle, save_bundle
from recsys.bundle.types import Bundle
from recsys.dataset.bots import find_bots, leave_out
from recsys.dataset.interactions import Interactions
from recsys.ranking.recommender import Recommender
from recsys.schema import TIMESTAMP, UserId
from recsys.serving.erasure import without_users
from recsys.training.build import fit, fit_factors, train
from recsys.training.left_out import cap_users, describe_learning, with_everybody
from tests.benchmarks.bots import Attack, K, attacked, lists, moves, small_log, without_photos
from tests.unit.recsys.training.test_build import block_events, block_ingredients

ITEMS, LOG = small_log()
GIVEN = without_photos(ITEMS)
PEOPLE = sorted(set(LOG["user_id"]))


def interactions(frame: pd.DataFrame) -> Interactions:
    return Interactions.from_frame(frame, GIVEN.catalog.ids)


@cache
def clean() -> tuple[Bundle, dict[str | None, list[str]]]:
    bundle = train(GIVEN, interactions(LOG))
    return bundle, lists(bundle, PEOPLE)


def test_moves_are_counted_in_places() -> None:
    before: dict[str | None, list[str]] = {None: list("abc"), "u": list("abc"), "v": list("abc")}
    after: dict[str | None, list[str]] = {None: list("abc"), "u": list("bac"), "v": list("xab")}
    assert moves(before, after).tolist() == [0, 1, K - 2]


@pytest.mark.parametrize(
    "attack", [Attack(100, "one item", "purchase", hour=True), Attack(1_000, "all items", crawlers=3)], ids=str
)
def test_crawlers_move_no_list_of_others(attack: Attack) -> None:
    events = interactions(attacked(LOG, attack, GIVEN.settings))
    usual, before = clean()
    bundle = train(GIVEN, events)
    for name in ("trend", "recency", "cold"):
        np.testing.assert_array_equal(getattr(bundle, name), getattr(usual, name))
    assert bundle.blend == usual.blend
    assert "nothing is learned from what looks like a bot: user 'crawler-0'" in " ".join(bundle.notes)
    assert moves(before, lists(bundle, PEOPLE)).max() == 0


def test_a_user_who_teaches_nothing_keeps_a_list_and_can_be_erased(tmp_path: Path) -> None:
    frame = pd.concat(
        [LOG, LOG[LOG["user_id"] == "u7"].assign(user_id="fan").sample(400, replace=True, random_state=1)]
    )
    frame[TIMESTAMP] += np.arange(len(frame)) % 977
    bundle = train(GIVEN, interactions(frame))
    version = save_bundle(bundle, tmp_path, created=1)
    loaded = load_bundle(tmp_path, tmp_path, version)
    assert loaded.notes == bundle.notes
    assert "user 'fan'" in loaded.notes[0]
    recommender, seen = Recommender(loaded), set(frame.loc[frame["user_id"] == "fan", "item_id"])
    profile = recommender.profile_of_row(loaded.user_ids.row(UserId("fan")))
    assert {GIVEN.catalog.ids.id(row) for row in profile.liked} == seen  # type: ignore[arg-type]
    assert profile.factors is not None
    np.testing.assert_allclose(profile.factors, loaded.factors.fold_in(profile.events)[0], rtol=1e-4, atol=1e-6)
    gone = loaded.user_ids.values == "fan"
    erased = without_users(loaded, gone)
    assert erased.factors.shape[0] == len(PEOPLE)
    np.testing.assert_array_equal(erased.factors.user_factors, clean()[0].factors.user_factors)


def test_an_item_that_only_a_crawler_touched_stays_new() -> None:
    log = LOG[LOG["item_id"] != "i39"]
    crawler = log.sample(700, replace=True, random_state=1).assign(user_id="bot", item_id="i39")
    events = interactions(pd.concat([log, crawler]))
    suspects = find_bots(events, GIVEN.settings.events)
    people = leave_out(events, suspects)
    bundle = with_everybody(fit(GIVEN, people, clean()[0].blend, {}), people, events)
    assert np.flatnonzero(bundle.cold).tolist() == [39]
    assert bundle.interacted[bundle.user_ids.row(UserId("bot"))].indices.tolist() == [39]


def test_one_event_far_ahead_decides_nothing() -> None:
    ahead = int(LOG[TIMESTAMP].max()) + 20 * 365 * 86_400
    events = interactions(pd.concat([LOG, LOG.head(1).assign(user_id="u1", item_id="i38", timestamp=ahead)]))
    usual, bundle = clean()[0], fit(GIVEN, events, clean()[0].blend, {})
    # All others keep their trend and recency; the item itself gains one present click.
    others = np.arange(40) != 38
    np.testing.assert_allclose(bundle.recency, usual.recency, rtol=1e-5)
    np.testing.assert_allclose(bundle.trend[others], usual.trend[others], rtol=1e-5)
    assert bundle.trend[38] < 0.8
    (note,) = describe_learning((), events)
    assert note.startswith("ages of events are counted from 2024-01-13; those after it (1, of one or two users)")


def test_one_busy_day_does_not_decide_the_trend() -> None:
    end = int(LOG[TIMESTAMP].max())
    visitors = pd.concat([LOG.head(1)] * 600).assign(item_id="i38", timestamp=end)
    visitors["user_id"] = [f"visitor-{n}" for n in range(600)]
    events = interactions(pd.concat([LOG, visitors]))
    trend = fit(GIVEN, events, clean()[0].blend, {}).trend
    usual = clean()[0].trend
    # The item of that day is at most level with the best others, which keep most of their trend.
    best = np.argsort(-usual)[:5]
    assert (trend[best] > 0.6 * usual[best]).all()


def test_a_heavy_user_counts_for_the_usual_number_of_events_and_keeps_own_factors() -> None:
    given = block_ingredients()
    events = block_events(given)
    assert cap_users(events.matrix(), events) is not None
    weights = events.matrix()
    assert cap_users(weights, events) is weights
    own = events.users == 3
    heavy = replace(
        events,
        **{
            name: np.concatenate([getattr(events, name), np.tile(getattr(events, name)[own], 30)])
            for name in ("users", "items", "kinds", "weights", "timestamps")
        },
    )
    order = np.lexsort((heavy.users, heavy.timestamps))
    heavy = heavy.select(order)  # type: ignore[arg-type]
    matrix = heavy.matrix()
    capped = cap_users(matrix, heavy)
    bound = 6 * np.exp(2.0)
    np.testing.assert_allclose(capped[3].data, matrix[3].data * bound / (6 * 31), rtol=1e-5)
    np.testing.assert_array_equal(capped[4].data, matrix[4].data)
    bundle = fit(given, heavy, clean()[0].blend, {})
    np.testing.assert_allclose(
        bundle.factors.user_factors[3], fit_factors(given, capped).fold_in(matrix[3])[0], rtol=1e-3, atol=1e-5
    )
