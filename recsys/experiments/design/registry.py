"""Registry of a project's experiments: loaded, checked against each other, and reloaded if their files change."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from recsys.errors import ExperimentError
from recsys.experiments.design.assignment import Assignment, Plan
from recsys.experiments.design.conflicts import find_conflict
from recsys.experiments.design.definition import Experiment, Status, UnitKind
from recsys.experiments.design.files import SUFFIX, change_experiment, experiment_files, load_experiment
from recsys.experiments.design.overrides import Overrides
from recsys.experiments.design.targeting import ANY_CONTEXT, Context

logger = logging.getLogger(__name__)

Stamp = tuple[int, int, int]
"""Time of a file's last change (ns), its size in bytes, and its inode."""


@dataclass(frozen=True, slots=True)
class Identity:
    """User id and session id of a request; None if it has none."""

    user: str | None = None
    session: str | None = None

    def unit(self, kind: UnitKind) -> str | None:
        """Return the id of that kind."""
        return self.user if kind is UnitKind.USER else self.session


@dataclass(frozen=True, slots=True)
class ExperimentSet:
    """Experiments that can run together, by key, with the plans of those that are not stopped. Immutable."""

    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    live: tuple[tuple[UnitKind, Plan], ...] = ()

    @classmethod
    def from_experiments(cls, experiments: Iterable[Experiment]) -> ExperimentSet:
        """Build a set; stopped experiments can be looked up, and assign no unit."""
        by_key = {experiment.key: experiment for experiment in sorted(experiments, key=lambda one: one.key)}
        live = (one for one in by_key.values() if one.status is not Status.STOPPED)
        return cls(by_key, tuple((experiment.unit, Plan.from_experiment(experiment)) for experiment in live))

    def assign(self, identity: Identity, context: Context = ANY_CONTEXT) -> dict[str, Assignment]:
        """Return the assignment in each experiment that is not stopped, by key; its `arm` may be None."""
        return {plan.experiment: plan.assign(identity.unit(kind), context) for kind, plan in self.live}

    def overrides(self, assignments: Mapping[str, Assignment]) -> Overrides:
        """Merge the overrides of the assigned arms; experiments that overlap never set the same option.

        Forced arms may set the same option: the experiment whose key is last in order wins.
        """
        merged = Overrides()
        for key in sorted(assignments):
            arm = assignments[key].arm
            if arm is not None:
                merged = self.experiments[key].arms[arm].overrides.over(merged)
        return merged


def load_experiments(folder: Path, known: Mapping[str, Experiment] | None = None) -> ExperimentSet:
    """Load all experiments of a folder; none if the folder is absent.

    Args:
        folder: folder of the experiments.
        known: experiments by key that are taken as given, without reading their files.

    Raises:
        ExperimentError: with all problems found.
    """
    admitted, problems = _admit(*_read(folder, known or {}))
    if problems:
        raise ExperimentError("\n".join(problems.values()))
    return ExperimentSet.from_experiments(admitted)


def change_without_conflict(folder: Path, key: str, change: Callable[[Experiment], Experiment]) -> Experiment:
    """Call `files.change_experiment`, and check that the changed experiment conflicts with no other.

    Raises:
        ExperimentError: if it conflicts; the file is unchanged.
    """

    def change_and_check(before: Experiment) -> Experiment:
        after = change(before)
        load_experiments(folder, {key: after})
        return after

    return change_experiment(folder, key, change_and_check)


class Registry:
    """Experiments of a project while its service runs. Safe to share between threads.

    Opening and reloading never raise for a wrong file: one broken draft must not stop a service, and a running
    experiment continues unchanged. `problems` has the problem of each wrong file, by key, until it is corrected.
    """

    def __init__(self, folder: Path) -> None:
        """Load the experiments of `folder`, which may be created later."""
        self.folder = folder
        self.loaded = ExperimentSet()
        self.problems: Mapping[str, str] = {}
        self._stamps: Mapping[str, Stamp] = {}
        self.reload()

    def reload(self) -> bool:
        """Read files that changed since the last call, and return True if any had. Costs one listing of the folder."""
        stamps = _stamps(self.folder)
        if stamps == self._stamps:
            return False
        unchanged = {
            key for key, stamp in stamps.items() if self._stamps.get(key) == stamp and key not in self.problems
        }
        known = {key: one for key, one in self.loaded.experiments.items() if key in stamps}
        found, problems = _read(self.folder, {key: known[key] for key in unchanged & set(known)})
        unreadable = [one for key, one in known.items() if key in problems]
        admitted, problems = _admit([*unreadable, *found], problems, known)
        for key, problem in problems.items():
            if self.problems.get(key) != problem:
                logger.warning("experiment %s is not loaded: %s", key, problem)
        self.loaded, self.problems, self._stamps = ExperimentSet.from_experiments(admitted), problems, stamps
        return True

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """Experiments that could be loaded, by key."""
        return self.loaded.experiments

    def assign(self, identity: Identity, context: Context = ANY_CONTEXT) -> dict[str, Assignment]:
        """Call `ExperimentSet.assign` of the last load. One request should read `loaded` once and use only that."""
        return self.loaded.assign(identity, context)


def _read(folder: Path, known: Mapping[str, Experiment]) -> tuple[list[Experiment], dict[str, str]]:
    """Read the experiments of a folder, except those `known`; return all of them, and the problems by key."""
    found, problems = [], {}
    for path in experiment_files(folder):
        try:
            found.append(known[path.stem] if path.stem in known else load_experiment(path))
        except ExperimentError as error:
            problems[path.stem] = str(error)
    return found, problems


def _admit(
    found: Iterable[Experiment], problems: Mapping[str, str], before: Mapping[str, Experiment] | None = None
) -> tuple[list[Experiment], dict[str, str]]:
    """Return the experiments that can run together, and all problems by key. Those that started first have priority.

    An experiment that conflicts stays as it was in `before`, if that version does not conflict.
    """
    admitted: list[Experiment] = []
    all_problems = dict(problems)
    # Running ones have priority over drafts; then the time of start decides, then the key.
    for experiment in sorted(found, key=lambda one: (one.status is Status.DRAFT, one.started_at or 0, one.key)):
        problem = _find_any_conflict(experiment, admitted)
        if problem is None:
            admitted.append(experiment)
            continue
        all_problems.setdefault(experiment.key, problem)
        old = (before or {}).get(experiment.key)
        if old is not None and _find_any_conflict(old, admitted) is None:
            admitted.append(old)
    return admitted, all_problems


def _find_any_conflict(experiment: Experiment, admitted: Iterable[Experiment]) -> str | None:
    if experiment.status is Status.STOPPED:
        return None
    others = (other for other in admitted if other.status is not Status.STOPPED)
    return next((problem for other in others if (problem := find_conflict(other, experiment)) is not None), None)


def _stamps(folder: Path) -> dict[str, Stamp]:
    try:
        with os.scandir(folder) as entries:
            files = [entry for entry in entries if entry.name.endswith(SUFFIX) and not entry.name.startswith(".")]
            stats = [(entry.name.removesuffix(SUFFIX), entry.stat()) for entry in files]
    except FileNotFoundError:
        return {}
    return {key: (found.st_mtime_ns, found.st_size, found.st_ino) for key, found in stats}
