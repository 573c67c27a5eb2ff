"""All experiments of a project: loaded, checked together, and read again when their files change."""

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
"""When a file was last written (ns), its size, and its number on the disk."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who asks: a user, a session, or both; None where there is none."""

    user: str | None = None
    session: str | None = None

    def unit(self, kind: UnitKind) -> str | None:
        """The id of that kind."""
        return self.user if kind is UnitKind.USER else self.session


@dataclass(frozen=True, slots=True)
class ExperimentSet:
    """Experiments that can run together, by key, ready to assign. Immutable."""

    experiments: Mapping[str, Experiment] = field(default_factory=dict)
    live: tuple[tuple[UnitKind, Plan], ...] = ()

    @classmethod
    def of(cls, experiments: Iterable[Experiment]) -> ExperimentSet:
        """Make these ready; stopped ones are kept to be looked up, and assign nobody."""
        by_key = {experiment.key: experiment for experiment in sorted(experiments, key=lambda one: one.key)}
        live = (one for one in by_key.values() if one.status is not Status.STOPPED)
        return cls(by_key, tuple((experiment.unit, Plan.of(experiment)) for experiment in live))

    def assign(self, subject: Identity, context: Context = ANY_CONTEXT) -> dict[str, Assignment]:
        """The place of whoever asks in each experiment that is not stopped, by key; many are in none (`arm` None)."""
        return {plan.experiment: plan.assign(subject.unit(kind), context) for kind, plan in self.live}

    def overrides(self, assignments: Mapping[str, Assignment]) -> Overrides:
        """What the arms of these assignments set together; experiments that can meet never set the same.

        Forced arms may: of two, the experiment whose key comes last wins.
        """
        together = Overrides()
        for key in sorted(assignments):
            arm = assignments[key].arm
            if arm is not None:
                together = self.experiments[key].arms[arm].overrides.over(together)
        return together


def load_all(folder: Path, known: Mapping[str, Experiment] | None = None) -> ExperimentSet:
    """All experiments of a folder, those `known` as they are given; none where the folder is absent.

    Raises ExperimentError with every problem found.
    """
    admitted, problems = _admitted(*_read(folder, known or {}))
    if problems:
        raise ExperimentError("\n".join(problems.values()))
    return ExperimentSet.of(admitted)


def change_together(folder: Path, key: str, change: Callable[[Experiment], Experiment]) -> Experiment:
    """`files.change_experiment`, refused (ExperimentError) unless all experiments fit together afterwards."""

    def checked(before: Experiment) -> Experiment:
        after = change(before)
        load_all(folder, {key: after})
        return after

    return change_experiment(folder, key, checked)


class Registry:
    """The experiments of a project while its service runs. Safe to share between threads.

    Opened and refreshed it never raises for a wrong file: one broken draft must not stop a service, and an experiment
    that runs goes on as it was. What is wrong stands in `problems`, by key, until it is put right.
    """

    def __init__(self, folder: Path) -> None:
        """`folder`: that of the experiments, which may be absent, and come later."""
        self.folder = folder
        self.loaded = ExperimentSet()
        self.problems: Mapping[str, str] = {}
        self._stamps: Mapping[str, Stamp] = {}
        self.refresh()

    def refresh(self) -> bool:
        """Read what has changed since the last time; whether anything had. Costs one look at the folder."""
        stamps = _stamps(self.folder)
        if stamps == self._stamps:
            return False
        unchanged = {
            key for key, stamp in stamps.items() if self._stamps.get(key) == stamp and key not in self.problems
        }
        known = {key: one for key, one in self.loaded.experiments.items() if key in stamps}
        found, problems = _read(self.folder, {key: known[key] for key in unchanged & set(known)})
        kept = [one for key, one in known.items() if key in problems]
        admitted, clashes = _admitted([*kept, *found], problems, {key: known[key] for key in known})
        for key, problem in clashes.items():
            if self.problems.get(key) != problem:
                logger.warning("experiment %s is not taken in: %s", key, problem)
        self.loaded, self.problems, self._stamps = ExperimentSet.of(admitted), clashes, stamps
        return True

    @property
    def experiments(self) -> Mapping[str, Experiment]:
        """All that could be taken in, by key."""
        return self.loaded.experiments

    def assign(self, subject: Identity, context: Context = ANY_CONTEXT) -> dict[str, Assignment]:
        """As `ExperimentSet.assign`, by what was last read. One request should ask `loaded` once, and keep to it."""
        return self.loaded.assign(subject, context)


def _read(folder: Path, known: Mapping[str, Experiment]) -> tuple[list[Experiment], dict[str, str]]:
    """The experiments of a folder, those `known` unread, and the problems of the others, by key."""
    found, problems = [], {}
    for path in experiment_files(folder):
        try:
            found.append(known[path.stem] if path.stem in known else load_experiment(path))
        except ExperimentError as error:
            problems[path.stem] = str(error)
    return found, problems


def _admitted(
    found: Iterable[Experiment], problems: Mapping[str, str], before: Mapping[str, Experiment] | None = None
) -> tuple[list[Experiment], dict[str, str]]:
    """Those that can be side by side, the ones that ran first before the others, and all problems, by key.

    One that clashes stays as it was `before`, if that does not clash.
    """
    admitted: list[Experiment] = []
    all_problems = dict(problems)
    for experiment in sorted(found, key=_precedence):
        problem = _clash_with_any(experiment, admitted)
        if problem is None:
            admitted.append(experiment)
            continue
        all_problems.setdefault(experiment.key, problem)
        old = (before or {}).get(experiment.key)
        if old is not None and _clash_with_any(old, admitted) is None:
            admitted.append(old)
    return admitted, all_problems


def _precedence(experiment: Experiment) -> tuple[bool, int, str]:
    """What runs goes before drafts, and what has run longest before the rest."""
    return experiment.status is Status.DRAFT, experiment.started_at or 0, experiment.key


def _clash_with_any(experiment: Experiment, admitted: Iterable[Experiment]) -> str | None:
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
