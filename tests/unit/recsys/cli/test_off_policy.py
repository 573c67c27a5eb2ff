"""`recsys experiment off-policy`: from a project's database or from files, and how it says no."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from click.testing import Result
from typer.testing import CliRunner

from recsys.cli.main import app
from recsys.dataset.project import Project
from recsys.rng import generator
from recsys.schema import EventKind
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.exposures import Exposure, ExposureLog
from recsys.storage.live.feedback import FeedbackStore, Rating

MILD, STRONG = 0.3, 0.6


@pytest.fixture
def shop(tmp_path: Path) -> Project:
    return Project.init(tmp_path / "shop", "shop")


def _run(shop: Project, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["experiment", "off-policy", str(shop.root), *map(str, arguments)])


def _told(result: Result, *words: str, code: int = 0) -> str:
    assert result.exit_code == code, result.output
    told = " ".join(result.output.replace("│", " ").split())
    assert all(word in told for word in words), told
    return result.output


def _verdicts(count: int) -> list[Rating]:
    """Milder pictures satisfy 8 of 10, strong ones 3; strong is shown four times as often, the first for certain."""
    random = generator(1, "verdicts")
    found = []
    for number in range(count):
        certain = number % 10 == 0
        mild = not certain and random.random() < 0.2
        chance = 1.0 if certain else 0.2 if mild else 0.8
        satisfied = bool(random.random() < (0.8 if mild else 0.3))
        strength = MILD if mild else STRONG
        person = f"u{number // 10}"
        found.append(
            Rating(str(number), person, "i1", "taste", strength, chance, satisfied, None, "v1", 1_000 + number)
        )
    return found


def test_pictures_from_the_database_and_from_a_file(shop: Project, tmp_path: Path) -> None:
    with closing(Database.open(shop.database_url)) as database:
        store = FeedbackStore(database)
        for verdict in _verdicts(1_500):
            store.append(verdict)
        frame = store.frame()
    stored = _told(
        _run(shop, "--strength", MILD),
        "left out, because not random: 150",
        "SNIPS *",
        "would earn more than the logged one",
    )
    frame.to_csv(tmp_path / "verdicts.csv", index=False)
    assert _told(_run(shop, "--strength", MILD, "--feedback", tmp_path / "verdicts.csv")) == stored
    policy = pd.DataFrame({"action": ["taste"], "strength": [MILD], "probability": [1.0]})
    policy.to_parquet(tmp_path / "policy.parquet")
    assert _told(_run(shop, "--policy", tmp_path / "policy.parquet")) == stored
    _told(_run(shop, "--strength", 0.9), "'taste at 0.9' was never logged", "taste at 0.3", code=1)
    frame.drop(columns="propensity").to_csv(tmp_path / "without.csv", index=False)
    _told(
        _run(shop, "--strength", MILD, "--feedback", tmp_path / "without.csv"),
        "no column 'propensity'",
        "nothing can be evaluated off policy",
        code=1,
    )


def test_lists_from_the_database_and_from_files(shop: Project, tmp_path: Path) -> None:
    """Item b satisfies twice as often as a, and is shown half of the time."""
    random = generator(2, "lists")
    exposures, events = [], []
    for number in range(600):
        items = ("b", "a") if random.random() < 0.5 else ("a", "b")
        request, person = f"r{number}", None if number % 7 == 0 else f"u{number // 3}"
        exposures.append(Exposure(request, person, 1_000, "v1", items, (0.5, 0.5), (None, None), {}))
        for place, item in enumerate(items, start=1):
            if random.random() < {"a": 0.25, "b": 0.5}[item] / place:
                event_id = f"e{number}-{place}"
                events.append(
                    Event(event_id, person or "s", item, EventKind.CLICK, 1_001, request_id=request, position=place)
                )
    events.append(Event("elsewhere", "u1", "a", EventKind.CLICK, 1_001))
    with closing(Database.open(shop.database_url)) as database:
        log = ExposureLog(database)
        for exposure in exposures:
            log.append(exposure)
        log.close()
        EventStore(database).append(events, 2_000)
    rows = [(f"r{number}", place, item) for number in range(600) for place, item in ((1, "b"), (2, "a"))]
    pd.DataFrame(rows, columns=["request_id", "position", "item_id"]).to_csv(tmp_path / "ranker.csv", index=False)
    stored = _told(_run(shop, "--policy", tmp_path / "ranker.csv"), "clicks per list", "SNIPS *")
    assert "1,200 decisions" in stored
    _told(_run(shop, "--policy", tmp_path / "ranker.csv", "--event", "purchase"), "purchases per list", "0.0000")
    shown = pd.DataFrame(
        {
            "request_id": [one.request_id for one in exposures],
            "user_id": [one.user_id for one in exposures],
            "items": [list(one.items) for one in exposures],
            "propensities": [list(one.propensities) for one in exposures],
        }
    )
    shown.to_parquet(tmp_path / "exposures.parquet")
    done = pd.DataFrame([(one.request_id, one.position, one.item_id, "click") for one in events])
    done.columns = pd.Index(["request_id", "position", "item_id", "event"])
    done.to_csv(tmp_path / "events.csv", index=False)
    files = ("--exposures", tmp_path / "exposures.parquet", "--events", tmp_path / "events.csv")
    assert _told(_run(shop, "--policy", tmp_path / "ranker.csv", *files)) == stored


def test_it_says_what_is_missing(shop: Project, tmp_path: Path) -> None:
    _told(_run(shop), "give --policy or --strength", code=2)
    _told(_run(shop, "--strength", 0.3, "--exposures", "x.csv"), "give both --exposures and --events", code=2)
    _told(_run(shop, "--strength", 0.3), "no live data", code=1)
    Database.open(shop.database_url).close()
    _told(_run(shop, "--strength", 0.3), "no rating of a restyled image is stored", code=1)
    (tmp_path / "ranker.csv").write_text("request_id,position,item_id\nr1,1,a\n")
    _told(_run(shop, "--policy", tmp_path / "ranker.csv"), "no exposure is stored", code=1)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    _told(_run(shop, "--policy", tmp_path / "other.csv"), code=1)
