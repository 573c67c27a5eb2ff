"""Logs of a project, from its database of live data."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pandas as pd

from recsys.dataset.project import Project
from recsys.errors import DataError
from recsys.experiments.off_policy.lists import EVENT_COLUMNS, EXPOSURE_COLUMNS
from recsys.experiments.off_policy.restyling import COLUMNS
from recsys.storage.database import Database
from recsys.storage.live.events import EventStore
from recsys.storage.live.exposures import exposure_frames
from recsys.storage.live.feedback import FeedbackStore


def load_feedback(project: Project) -> pd.DataFrame:
    """Load all ratings of restyled images; raise DataError if there are none."""
    _check_live(project)
    with closing(Database.open(project.database_url)) as database:
        frame = FeedbackStore(database).frame()
    if frame.empty:
        raise DataError(
            f"no rating of a restyled image is stored in {project.root}; serve it first, or give a file of ratings"
        )
    return frame[[*COLUMNS, "timestamp"]]


def load_lists(project: Project) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Load all exposures, and all events that name their request; raise DataError if there are no exposures."""
    _check_live(project)
    with closing(Database.open(project.database_url)) as database:
        exposures = _concat(exposure_frames(database), EXPOSURE_COLUMNS)
        events = _concat(EventStore(database).frames(), EVENT_COLUMNS)
    if exposures.empty:
        raise DataError(
            f"no exposure is stored in {project.root}; serve it first, or give files of exposures and events"
        )
    return exposures, events[events["request_id"].notna()]


def _concat(frames: Iterator[pd.DataFrame], columns: tuple[str, ...]) -> pd.DataFrame:
    found = [frame[list(columns)] for frame in frames]
    return pd.concat(found, ignore_index=True) if found else pd.DataFrame(columns=list(columns))


def _check_live(project: Project) -> None:
    if not project.has_live_data:
        raise DataError(f"{project.root} has no live data: serve it first, or give the log as a file")
