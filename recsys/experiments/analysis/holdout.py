"""Report of a holdout: all other units against the held-out ones, since the first experiment with that holdout.

Who is held out follows from the hash of assignment, so lists outside of experiments count, too. The report is the
analysis of an experiment that is derived from the holdout, so it has the same health checks and statistics.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from recsys.errors import ExperimentError
from recsys.experiments.analysis.analyze import Analysis, analyze
from recsys.experiments.analysis.columnar_logs import ListValues
from recsys.experiments.analysis.decision import METRIC_WORDS, Advice, Decision, effect_words, p_words, percent
from recsys.experiments.analysis.log_sources import Chunk, Logs, Source
from recsys.experiments.design.assignment import Hash, Plan, encode_unit
from recsys.experiments.design.definition import Experiment, Metric, Status
from recsys.experiments.design.fields import format_time, unknown_name
from recsys.experiments.design.lifecycle import start, stop

HELD_OUT, SERVED = "held-out", "with-experiments"
MINIMUM_DAYS = 28
"""Days of the first day's units for which intervals are tuned without a declared number."""


def find_holdout(experiments: Iterable[Experiment], name: str | None = None) -> tuple[Experiment, ...]:
    """Return the started experiments with the holdout of this name, in order of their start.

    Args:
        experiments: all experiments of a project.
        name: name of the holdout; may be left out if there is only one.

    Raises:
        ExperimentError: if there is no such holdout, several, or if experiments declare it differently.
    """
    declared = [one for one in experiments if one.holdout is not None]
    names = sorted({one.holdout.name for one in declared if one.holdout is not None})
    if not names:
        raise ExperimentError("no experiment has a holdout: create them with --holdout SHARE, such as 0.05")
    if name is None and len(names) > 1:
        raise ExperimentError(f"there are {len(names)} holdouts: name one of {', '.join(names)}")
    name = names[0] if name is None else name
    if name not in names:
        raise ExperimentError(unknown_name("holdout", name, names))
    own = [one for one in declared if one.holdout is not None and one.holdout.name == name]
    started = sorted((one for one in own if one.started_at is not None), key=lambda one: (one.started_at or 0, one.key))
    if not started:
        raise ExperimentError(f"holdout {name!r}: none of its experiments was started: {_list_keys(own)}")
    for other in started[1:]:
        if (other.holdout, other.unit) != (started[0].holdout, started[0].unit):
            raise ExperimentError(
                f"holdout {name!r}: {started[0].key!r} and {other.key!r} differ in its share or unit; give the "
                "holdout of later experiments another name. To report on one of them, move the other file elsewhere"
            )
    return tuple(started)


def analyze_holdout(
    experiments: Sequence[Experiment],
    metrics: Sequence[Metric],
    logs: Logs,
    now: int,
    *,
    until: int | None = None,
    diversity: ListValues | None = None,
    planned_units: int | None = None,
) -> Analysis:
    """Compare all units outside of a holdout with the held-out ones.

    The report ends when the last of the experiments was stopped. Forced units are left out.

    Args:
        experiments: experiments of one holdout (`find_holdout`).
        metrics: metrics to compare; empty for those of the experiments.
        logs: logs with all lists, also those outside of experiments.
        now: present time, seconds since 1970 UTC.
        until: see `analyze`.
        diversity: see `analyze`.
        planned_units: see `analyze`.

    Raises:
        ConfigError: as `analyze`.
        DataError: as `analyze`.
    """
    plan, joint = Plan.from_experiment(experiments[0]), _derive(experiments, metrics)
    if plan.holdout is None:
        raise ExperimentError(f"{experiments[0].key}: has no holdout")
    exposures = _HoldoutExposures(logs.exposures, joint.key, plan.holdout, plan.held_out)
    found = analyze(
        joint,
        Logs(exposures, logs.events, logs.feedback),
        now,
        until=until,
        diversity=diversity,
        planned_units=planned_units,
        assigned_here=False,
    )
    return replace(found, decision=_conclude(found, experiments))


def _derive(experiments: Sequence[Experiment], metrics: Sequence[Metric]) -> Experiment:
    """Derive the experiment of all units: its control is held out, its other arm is everybody else."""
    first = experiments[0]
    if first.holdout is None:
        raise ExperimentError(f"{first.key}: has no holdout")
    share, name = first.holdout.share, first.holdout.name
    known = {metric.name: metric for one in reversed(experiments) for metric in one.metrics}
    chosen = [metric.model_dump() for metric in metrics or known.values()]
    draft = Experiment.model_validate(
        {
            "key": f"holdout-{name}"[:64],
            "title": f"Holdout {name}",
            "hypothesis": f"Joint effect of {_list_keys(experiments)}",
            "unit": first.unit,
            "control": HELD_OUT,
            "arms": {
                HELD_OUT: {"weight": share, "description": "in none of the experiments"},
                SERVED: {"weight": 1.0 - share, "description": "may be in each of the experiments"},
            },
            "forced": {unit: SERVED for one in experiments for unit in one.forced},
            "metrics": chosen,
            "decision": {
                "alpha": first.decision.alpha,
                "power": first.decision.power,
                "minimum_days": MINIMUM_DAYS,
                "time_zone": first.decision.time_zone,
            },
        }
    )
    running = start(draft, first.started_at or 0)
    if any(one.status is not Status.STOPPED for one in experiments):
        return running
    return stop(running, max(one.stopped_at or 0 for one in experiments))


@dataclass(frozen=True, slots=True)
class _HoldoutExposures:
    """Lists of all units with their arm of the derived experiment `key`, each list once."""

    source: Source
    key: str
    hash: Hash
    held_out: int

    def chunks(self) -> Iterator[Chunk]:
        for chunk in self.source.chunks():
            columns = chunk.columns
            coded = columns["unit"].dictionary_encode()
            codes = pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False)
            points = self.hash.points([encode_unit(unit) for unit in coded.dictionary.to_pylist()])
            # The last entry is for rows without a unit, which do not count.
            arms = np.array([*np.where(points < self.held_out, HELD_OUT, SERVED), None], dtype=object)
            # The log has one row for each list and experiment.
            requests = columns["request_id"].to_numpy(zero_copy_only=False)
            again = pd.DataFrame({"unit": codes, "request": requests}).duplicated().to_numpy()
            own = (codes >= 0) & ~again
            changed = {
                "experiment": pa.array(np.full(len(own), self.key), pa.string(), mask=~own),
                "arm": pa.array(arms[codes], pa.string(), mask=~own),
            }
            yield replace(chunk, columns={**columns, **changed})


def _conclude(found: Analysis, experiments: Sequence[Experiment]) -> Decision:
    """State what all experiments did together; nothing is to ship or stop by it."""
    scope = (
        f"{found.units[SERVED]:,} {found.experiment.unit}s that may be in {_list_keys(experiments)} are compared with "
        f"{found.units[HELD_OUT]:,} held-out ones, from {format_time(found.experiment.started_at or 0)} on."
    )
    if not found.healthy or not found.comparisons:
        cure = "The log of exposures needs all lists, also those outside of experiments, with an empty experiment."
        missing = (cure,) if not found.units[HELD_OUT] else ()
        return replace(found.decision, why=(*found.decision.why, *missing, scope))
    lines, power = [], f"{found.experiment.decision.power:.0%}"
    for one in found.comparisons:
        verdict = "is better" if one.better else "is worse" if one.worse else "is not shown to differ"
        line = (
            f"{METRIC_WORDS[one.metric].capitalize()} {verdict} with the experiments: "
            f"{effect_words(one.effect, one.needed_days)}, p {p_words(one.p_corrected)}."
        )
        if one.detectable is not None and one.effect.needed_units is None and not (one.better or one.worse):
            least = one.detectable.relative
            size = f"{one.detectable.absolute:.4g}" if least is None else percent(least).lstrip("+")
            line += f" An effect of {size} would have been found with a probability of {power}."
        lines.append(line)
    absent = [f"{METRIC_WORDS[name].capitalize()} is not in the logs: {why}." for name, why in found.unmeasured.items()]
    return Decision(Advice.REPORT, None, (*lines, *absent, scope))


def _list_keys(experiments: Iterable[Experiment]) -> str:
    return ", ".join(one.key for one in experiments)
