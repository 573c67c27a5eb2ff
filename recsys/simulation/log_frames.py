"""Simulated logs as tables, with the columns that the analysis of experiments reads."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from recsys.experiments.analysis.log_sources import Logs
from recsys.schema import EventKind, IntArray
from recsys.storage.artifacts import write_frame

EVENT_ORDER = ["timestamp", "unit", "item_id", "event"]


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedLogs:
    """Simulated tables with the columns of `recsys.experiments.analysis.log_schema`, and more."""

    exposures: pd.DataFrame
    events: pd.DataFrame
    feedback: pd.DataFrame

    @property
    def logs(self) -> Logs:
        """Logs, ready to be analyzed."""
        return Logs.from_frames(self.exposures, self.events, self.feedback)

    def write(self, folder: Path) -> Logs:
        """Write exposures.parquet, events.parquet and feedback.parquet into an existing folder."""
        for name in ("exposures", "events", "feedback"):
            write_frame(folder / f"{name}.parquet", getattr(self, name))
        exposures, events, feedback = (folder / f"{name}.parquet" for name in ("exposures", "events", "feedback"))
        return Logs.from_files(exposures, events, feedback)


def build_events(
    unit: np.ndarray, item: np.ndarray | str, kind: EventKind, time: IntArray, **columns: object
) -> pd.DataFrame:
    """Build a table of events of one kind; columns that are not given (`amount`, `dwell_s`, ...) are empty."""
    required = {"unit": unit, "item_id": item, "event": kind.value, "timestamp": time}
    optional = dict.fromkeys(("amount", "dwell_s", "request_id", "position"))
    return pd.DataFrame({**required, **optional, **columns})
