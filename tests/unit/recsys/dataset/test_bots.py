"""Users that look like bots, and those that do not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from recsys.config import EventSettings
from recsys.dataset.bots import Suspect, describe_suspects, find_bots, find_suspects, leave_out, without_bots
from recsys.dataset.identifiers import ItemIdentifiers
from recsys.dataset.interactions import Interactions
from recsys.schema import INTERACTION_COLUMNS, USER_ID

DAY, START = 86_400, 1_700_000_017
IDS = [f"i{n:02d}" for n in range(60)]
ITEMS = ItemIdentifiers("item", IDS)


def events(user: str, items: list[str], times: list[int]) -> list[tuple[str, str, str, float, int]]:
    return [(user, item, "view", 1.0, time) for item, time in zip(items, times, strict=True)]


def people(users: int = 120) -> list[tuple[str, str, str, float, int]]:
    """Users with 8 events each within 60 days."""
    random = np.random.default_rng(1)
    rows = []
    for user in range(users):
        items = [IDS[n] for n in np.minimum(random.exponential(9, 8).astype(int), 59)]
        rows += events(f"u{user:03d}", items, (START + random.integers(0, 60 * DAY, 8)).tolist())
    return rows


def frame(rows: list[tuple[str, str, str, float, int]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list(INTERACTION_COLUMNS))


def suspects(rows: list[tuple[str, str, str, float, int]], trusted: tuple[str, ...] = ()) -> tuple[Suspect, ...]:
    return find_suspects(Interactions.from_frame(frame(rows), ITEMS), trusted)


def names(found: tuple[Suspect, ...]) -> list[str]:
    return [suspect.user_id for suspect in found]


def test_nobody_in_a_log_of_people_is_a_suspect() -> None:
    assert suspects(people()) == ()


def test_a_crawler_is_described_by_its_figures() -> None:
    (found,) = suspects([*people(), *events("bot", ["i39"] * 5_000, list(range(START, START + 5_000)))])
    assert (found.user_id, found.events, found.ratio) == ("bot", 5_000, 625)
    assert found.share == pytest.approx(5_000 / 5_960)
    assert str(found) == (
        "user 'bot' has 84% of all events (5,000, 625 times the median): no other user has more than 8, "
        "up to 60 in one minute, 100% of them with one item"
    )


@pytest.mark.parametrize(
    ("items", "step", "sign"),
    [
        (["i07"] * 35, 3_600, "100% of them with one item"),
        (IDS[:50] * 4, 1_777, "no other user has more than 8"),
        (IDS, 86_000, "with 100% of all items"),
        (IDS[:20] * 2, 2_500, "in 24 hours of one day"),
        (IDS[:50] * 2, 1, "up to 60 in one minute"),
    ],
    ids=["one item", "many", "all items", "round the clock", "fast"],
)
def test_each_sign_of_a_machine_is_named(items: list[str], step: int, sign: str) -> None:
    times = list(range(START, START + step * len(items), step))
    (found,) = suspects([*people(), *events("bot", items, times)])
    assert sign in found.signs


@pytest.mark.parametrize("count", [2, 3, 6])
def test_several_crawlers_are_found_together(count: int) -> None:
    bots = [row for n in range(count) for row in events(f"b{n}", IDS * 14, list(range(START, START + 840 * 60, 60)))]
    assert sorted(names(suspects([*people(), *bots]))) == [f"b{n}" for n in range(count)]


def test_heavy_customers_of_a_long_tail_are_people() -> None:
    random = np.random.default_rng(3)
    rows = []
    for user, count in enumerate(np.sort(random.lognormal(2, 1.2, 400).astype(int) + 1)):
        items = [IDS[n] for n in random.choice(50, count)]
        rows += events(f"u{user:03d}", items, (START + np.sort(random.integers(0, 60 * DAY, count))).tolist())
    counts = pd.Series([row[0] for row in rows]).value_counts()
    assert counts.max() > 15 * counts.median()
    assert suspects(rows) == ()


def test_times_without_a_clock_show_no_rate() -> None:
    dated = [(*row[:4], row[4] // DAY * DAY) for row in people()]
    midnight = START // DAY * DAY
    heavy = events("fan", IDS[:36], [midnight + n % 2 * DAY for n in range(36)])
    assert names(suspects([*dated, *heavy])) == ["fan"]  # 36 events, where all others have 8
    assert suspects([*dated, *heavy])[0].signs == ("no other user has more than 8",)


def test_trusted_users_are_never_suspects() -> None:
    crawler = events("reseller", IDS * 20, list(range(START, START + 1_200)))
    assert names(suspects([*people(), *crawler])) == ["reseller"]
    assert suspects([*people(), *crawler], ("reseller", "nobody-here")) == ()


def test_among_few_users_nobody_is_a_suspect() -> None:
    assert suspects([*people(8), *events("bot", ["i01"] * 900, list(range(START, START + 900)))]) == ()


def test_leaving_out_keeps_all_events_and_ids_of_the_others() -> None:
    rows = [*people(), *events("u0000bot", IDS * 20, list(range(START, START + 1_200)))]
    log = Interactions.from_frame(frame(rows), ITEMS)
    left, alone = leave_out(log, find_suspects(log)), Interactions.from_frame(frame(people()), ITEMS)
    assert left.user_ids == alone.user_ids
    for name in ("users", "items", "kinds", "weights", "timestamps"):
        np.testing.assert_array_equal(getattr(left, name), getattr(alone, name))
    assert leave_out(log, ()) is log


def test_settings_decide_if_bots_are_left_out() -> None:
    table = frame([*people(), *events("bot", IDS * 20, list(range(START, START + 1_200)))])
    log = Interactions.from_frame(table, ITEMS)
    assert names(find_bots(log, EventSettings())) == ["bot"]
    assert find_bots(log, EventSettings(leave_out_bots=False)) == ()
    assert set(without_bots(table, ITEMS, EventSettings())[USER_ID]) == {f"u{n:03d}" for n in range(120)}
    assert without_bots(table, ITEMS, EventSettings(leave_out_bots=False)) is table


def test_an_import_names_three_suspects_and_the_setting() -> None:
    bots = [row for n in range(5) for row in events(f"b{n}", IDS * 14, list(range(START, START + 840)))]
    table = frame([*people(), *bots])
    notes = describe_suspects(table, EventSettings())
    assert len(notes) == 5
    assert notes[0].startswith("user 'b4' has 16% of all events (840, 105 times the median): ")
    assert notes[3] == "2 further users with 1,680 events look like bots"
    assert "events.trusted_users" in notes[4]
    kept = describe_suspects(table, EventSettings(leave_out_bots=False))
    assert "events.leave_out_bots = true" in kept[-1]
    assert describe_suspects(frame(people()), EventSettings()) == ()
