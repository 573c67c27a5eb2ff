"""Logs of a simulated experiment, as the service would store them: tables in memory, files, and a database."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from recsys.errors import ProjectError
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.design.files import create_experiment
from recsys.schema import EventKind, ItemId, UserId
from recsys.simulation.log_frames import EVENT_ORDER, SimulatedLogs, build_events
from recsys.simulation.metrics import style_diversity
from recsys.simulation.run import Run
from recsys.storage.database import Database
from recsys.storage.live.events import Event, EventStore
from recsys.storage.live.exposures import Exposure, ExposureLog, Picture
from recsys.storage.live.feedback import FeedbackStore, Rating

if TYPE_CHECKING:
    from recsys.dataset.project import Project

IMAGE_ACTION = "taste"
"""Name of the action that restyles images toward a user's own taste."""
_FIRST_POSITION, _PER_POSITION, _CART, _PURCHASE = 5, 8, 20, 600
"""Seconds from the visit to the first position, per position, from click to cart, and from click to purchase."""
_BATCH = 1_000


def build_logs(run: Run) -> SimulatedLogs:
    """Return the logs that the service would have stored."""
    return SimulatedLogs(_exposures(run), _events(run), _ratings(run))


def analyze_run(run: Run, *, planned_units: int | None = None) -> Analysis:
    """Analyze a run at the end of its last day, from its logs only."""
    return analyze(run.experiment, build_logs(run).logs, run.plan.end, planned_units=planned_units)


def write_run(run: Run, project: Project, folder: Path) -> Path:
    """Write a project with the settings, the experiment as started, and a database of live data.

    The same logs are in `folder`/logs as Parquet. The simulated project does not change.

    Args:
        run: Simulated experiment.
        project: Project that was simulated.
        folder: New folder.

    Returns:
        `folder`, for `recsys experiment analyze`.

    Raises:
        ProjectError: `folder` is not empty.
    """
    from recsys.dataset.project import Project

    if folder.exists() and any(folder.iterdir()):
        raise ProjectError(f"{folder}: is not empty; give a folder that is new")
    written = Project.init(folder, f"{project.settings.name} simulated")
    create_experiment(written.experiments, run.experiment)
    logs = build_logs(run)
    (folder / "logs").mkdir()
    logs.write(folder / "logs")
    written.live.mkdir(exist_ok=True)
    with closing(Database.open(written.database_url)) as database:
        _store(database, logs)
    return folder


def _store(database: Database, logs: SimulatedLogs) -> None:
    """Write logs with the service's own stores of live data."""
    with closing(ExposureLog(database, capacity=max(len(logs.exposures), 1))) as exposures:
        for row in logs.exposures.itertuples():
            exposures.append(_exposure(row))
    events = EventStore(database)
    for begin in range(0, len(logs.events), _BATCH):
        part = logs.events.iloc[begin : begin + _BATCH]
        rows = [_event(number, row) for number, row in enumerate(part.itertuples(), begin)]
        events.append(rows, received_at=int(part["timestamp"].max()))
    feedback = FeedbackStore(database)
    for number, row in enumerate(logs.feedback.itertuples()):
        feedback.append(_rating(number, row))


def _exposures(run: Run) -> pd.DataFrame:
    trace, bundle = run.trace, run.simulator.lists.bundle
    user, shares = trace.visits.user, run.experiment.shares
    arm = [run.arms[code] if exposed else None for code, exposed in zip(run.arm[user], run.exposed, strict=True)]
    return pd.DataFrame(
        {
            "request_id": _request_ids(run),
            "unit": np.array(run.simulator.users.ids, dtype=object)[user],
            "timestamp": trace.visits.time,
            "model_version": run.simulator.lists.recommender.version,
            "experiment": [None if name is None else run.experiment.key for name in arm],
            "arm": arm,
            "propensity": [np.nan if name is None else shares[name] for name in arm],
            "items": [list(bundle.catalog.ids.ids(own[own >= 0])) for own in trace.rows],
            "propensities": [
                one.propensities[own >= 0].astype(float).tolist()
                for one, own in zip(trace.lists, trace.rows, strict=True)
            ],
            "strength": [one.strength for one in trace.lists],
            "style_diversity": style_diversity(trace.rows, bundle.space.vectors),
        }
    )


def _events(run: Run) -> pd.DataFrame:
    trace, responses = run.trace, run.trace.responses
    requests, ids = np.array(_request_ids(run), dtype=object), np.array(run.simulator.users.ids, dtype=object)
    items = np.array(run.simulator.lists.bundle.catalog.ids.values, dtype=object)
    frames = []
    for kind, happened, after in (
        (EventKind.CLICK, responses.clicked, 0),
        (EventKind.VIEW, responses.clicked, 1),
        (EventKind.CART, responses.carted, _CART),
        (EventKind.PURCHASE, responses.bought, _PURCHASE),
    ):
        visit, position = np.nonzero(happened)
        frames.append(
            build_events(
                ids[trace.visits.user[visit]],
                items[trace.rows[visit, position]],
                kind,
                trace.visits.time[visit] + _FIRST_POSITION + _PER_POSITION * position + after,
                amount=responses.amount[visit, position] if kind is EventKind.PURCHASE else np.nan,
                dwell_s=responses.dwell[visit, position] if kind is EventKind.VIEW else np.nan,
                request_id=requests[visit],
                position=position + 1,
            )
        )
    together = pd.concat(frames, ignore_index=True)
    # Events after the last day are not logged yet at the time of the analysis.
    together = together[together["timestamp"] < run.plan.end]
    return together.sort_values(EVENT_ORDER, ignore_index=True)


def _ratings(run: Run) -> pd.DataFrame:
    trace, responses = run.trace, run.trace.responses
    rated = np.flatnonzero(responses.rated & (trace.visits.time + _FIRST_POSITION < run.plan.end))
    items = np.array(run.simulator.lists.bundle.catalog.ids.values, dtype=object)
    return pd.DataFrame(
        {
            "unit": np.array(run.simulator.users.ids, dtype=object)[trace.visits.user[rated]],
            "item_id": items[trace.rows[rated, responses.rated_position[rated]]],
            "strength": [trace.lists[visit].strength for visit in rated.tolist()],
            "satisfied": responses.satisfied[rated],
            "request_id": np.array(_request_ids(run), dtype=object)[rated],
            "model_version": run.simulator.lists.recommender.version,
            "timestamp": trace.visits.time[rated] + _FIRST_POSITION,
        }
    )


def _request_ids(run: Run) -> list[str]:
    return [f"simulated-{run.plan.seed}-{number:07d}" for number in range(len(run.trace.visits))]


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


def _rating(number: int, row: object) -> Rating:
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
