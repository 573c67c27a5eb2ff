"""Logs of a simulated experiment, as the service would store them: tables in memory, files, and a database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys.errors import ProjectError
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.log_sources import Logs
from recsys.experiments.design.files import create_experiment
from recsys.schema import EventKind, ItemId, UserId
from recsys.simulation.measures import variety_of
from recsys.simulation.run import Run
from recsys.storage.artifacts import write_frame
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.exposures import Exposure, ExposureLog, Picture
from recsys.storage.live.feedback import FeedbackStore, Rating

if TYPE_CHECKING:
    from recsys.dataset.project import Project

IMAGE_ACTION = "taste"
"""As the service names pictures that go toward a person's own taste."""
_READING, _PER_PLACE, _DECIDING, _PAYING = 5, 8, 20, 600
"""Seconds from the visit to the first place, from place to place, from click to cart, and from cart to purchase."""
_BATCH = 1_000


def frames_of(run: Run) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Return exposures, events and ratings with the columns of `recsys.experiments.analysis.log_schema` and more."""
    return _exposures(run), _events(run), _verdicts(run)


def logs_of(run: Run) -> Logs:
    """Return the logs that the service would have stored, in memory."""
    return Logs.from_frames(*frames_of(run))


def analyze_run(run: Run, *, planned_units: int | None = None) -> Analysis:
    """Analyze a run at the end of its last day, from its logs only."""
    return analyze(run.experiment, logs_of(run), run.plan.end, planned_units=planned_units)


def write_run(run: Run, project: Project, folder: Path) -> Path:
    """Write a project that holds what the service would have: settings, the experiment as started, a database.

    The same logs are in `folder`/logs as Parquet. Returns `folder`; `recsys experiment analyze` takes it. The project
    that was simulated is not touched. Raises ProjectError where `folder` holds anything.
    """
    from recsys.dataset.project import Project

    if folder.exists() and any(folder.iterdir()):
        raise ProjectError(f"{folder}: is not empty; give a folder that is new")
    made = Project.init(folder, f"{project.settings.name} simulated")
    create_experiment(made.experiments, run.experiment)
    exposures, events, verdicts = frames_of(run)
    (folder / "logs").mkdir()
    for name, frame in (("exposures", exposures), ("events", events), ("feedback", verdicts)):
        write_frame(folder / "logs" / f"{name}.parquet", frame)
    made.live.mkdir(exist_ok=True)
    with closing(Database.open(made.database_url)) as database:
        store(database, exposures, events, verdicts)
    return folder


def store(database: Database, exposures: pd.DataFrame, events: pd.DataFrame, verdicts: pd.DataFrame) -> None:
    """Write logs to a database of live data with the service's own stores."""
    log = ExposureLog(database, capacity=max(len(exposures), 1))
    with closing(log):
        for row in exposures.itertuples():
            log.append(_exposure(row))
    events_in = EventStore(database)
    for begin in range(0, len(events), _BATCH):
        part = events.iloc[begin : begin + _BATCH]
        rows = [_event(number, row) for number, row in enumerate(part.itertuples(), begin)]
        events_in.append(rows, received_at=int(part["timestamp"].max()))
    feedback = FeedbackStore(database)
    for number, row in enumerate(verdicts.itertuples()):
        feedback.append(_verdict(number, row))


def _exposures(run: Run) -> pd.DataFrame:
    story, ids = run.story, np.array(run.world.people.ids, dtype=object)
    person, exposed = story.visits.person, run.exposed
    shares = run.experiment.shares
    arm = [run.arms[code] if inside else None for code, inside in zip(run.arm[person], exposed, strict=True)]
    names, rows = run.world.lists.bundle.catalog.ids, story.rows
    return pd.DataFrame(
        {
            "request_id": _requests(run),
            "unit": ids[person],
            "timestamp": story.visits.time,
            "model_version": run.world.lists.recommender.version,
            "experiment": [None if name is None else run.experiment.key for name in arm],
            "arm": arm,
            "propensity": [np.nan if name is None else shares[name] for name in arm],
            "items": [list(names.ids(own[own >= 0])) for own in rows],
            "propensities": [
                one.propensities[own >= 0].astype(float).tolist() for one, own in zip(story.shown, rows, strict=True)
            ],
            "strength": [one.strength for one in story.shown],
            "style_diversity": variety_of(rows, run.world.lists.bundle.space.vectors),
        }
    )


def _events(run: Run) -> pd.DataFrame:
    story, acts = run.story, run.story.acts
    requests, ids = np.array(_requests(run), dtype=object), np.array(run.world.people.ids, dtype=object)
    items = np.array(run.world.lists.bundle.catalog.ids.values, dtype=object)
    frames = []
    for kind, done, after in (
        (EventKind.CLICK, acts.clicked, 0),
        (EventKind.VIEW, acts.clicked, 1),
        (EventKind.CART, acts.carted, _DECIDING),
        (EventKind.PURCHASE, acts.bought, _PAYING),
    ):
        visit, place = np.nonzero(done)
        frames.append(
            pd.DataFrame(
                {
                    "unit": ids[story.visits.person[visit]],
                    "item_id": items[story.rows[visit, place]],
                    "event": kind.value,
                    "timestamp": story.visits.time[visit] + _READING + _PER_PLACE * place + after,
                    "amount": acts.amount[visit, place] if kind is EventKind.PURCHASE else np.nan,
                    "dwell_s": acts.dwell[visit, place] if kind is EventKind.VIEW else np.nan,
                    "request_id": requests[visit],
                    "position": place + 1,
                }
            )
        )
    together = pd.concat(frames, ignore_index=True)
    # Nobody has seen yet what comes after the last day.
    together = together[together["timestamp"] < run.plan.end]
    return together.sort_values(["timestamp", "unit", "item_id", "event"], ignore_index=True)


def _verdicts(run: Run) -> pd.DataFrame:
    story, acts = run.story, run.story.acts
    asked = np.flatnonzero(acts.asked & (story.visits.time + _READING < run.plan.end))
    items = np.array(run.world.lists.bundle.catalog.ids.values, dtype=object)
    return pd.DataFrame(
        {
            "unit": np.array(run.world.people.ids, dtype=object)[story.visits.person[asked]],
            "item_id": items[story.rows[asked, acts.judged[asked]]],
            "strength": [story.shown[visit].strength for visit in asked.tolist()],
            "satisfied": acts.satisfied[asked],
            "request_id": np.array(_requests(run), dtype=object)[asked],
            "model_version": run.world.lists.recommender.version,
            "timestamp": story.visits.time[asked] + _READING,
        }
    )


def _requests(run: Run) -> list[str]:
    return [f"simulated-{run.plan.seed}-{number:07d}" for number in range(len(run.story.visits))]


def _exposure(row: object) -> Exposure:
    values = row._asdict()  # type: ignore[attr-defined]
    picture: Picture = None
    if values["strength"] > 0:
        picture = {"action": IMAGE_ACTION, "strength": float(values["strength"]), "propensity": 1.0}
    return Exposure(
        request_id=values["request_id"],
        user_id=UserId(values["unit"]),
        timestamp=int(values["timestamp"]),
        model_version=values["model_version"],
        items=tuple(ItemId(item) for item in values["items"]),
        propensities=tuple(values["propensities"]),
        pictures=(picture,) * len(values["items"]),
        arms={} if values["arm"] is None else {values["experiment"]: values["arm"]},
    )


def _event(number: int, row: object) -> Event:
    values = row._asdict()  # type: ignore[attr-defined]
    return Event(
        event_id=f"{values['request_id']}-{number}",
        user_id=UserId(values["unit"]),
        item_id=ItemId(values["item_id"]),
        event=EventKind(values["event"]),
        timestamp=int(values["timestamp"]),
        amount=None if np.isnan(values["amount"]) else float(values["amount"]),
        dwell_s=None if np.isnan(values["dwell_s"]) else float(values["dwell_s"]),
        request_id=values["request_id"],
        position=int(values["position"]),
    )


def _verdict(number: int, row: object) -> Rating:
    values = row._asdict()  # type: ignore[attr-defined]
    return Rating(
        feedback_id=f"{values['request_id']}-{number}",
        user_id=values["unit"],
        item_id=values["item_id"],
        action=IMAGE_ACTION,
        strength=float(values["strength"]),
        propensity=1.0,
        satisfied=bool(values["satisfied"]),
        request_id=values["request_id"],
        model_version=values["model_version"],
        timestamp=int(values["timestamp"]),
    )
