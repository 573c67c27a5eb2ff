"""Experiments of a running service: reloaded when their files change, with the models of their arms."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping
from pathlib import Path

from recsys.dataset.project import Project
from recsys.errors import BundleError, ExperimentError
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.fields import unknown_name
from recsys.experiments.design.registry import ExperimentSet, Registry
from recsys.ranking.recommender import Recommender
from recsys.serving.background import Background, release_memory
from recsys.serving.experiment_arms import ActiveExperiments
from recsys.serving.model_host import ModelHost
from recsys.serving.model_loader import Served
from style.library import read_library

logger = logging.getLogger(__name__)

RETRY_S = 30.0
"""Seconds between two attempts to load a model that could not be loaded."""


class LiveExperiments:
    """Experiments of a project. Any thread may read `current`, `problems` and `registry.experiments`.

    An experiment with a model or scene that is not there is in `problems`. No unit is in any of its arms, because
    exposures of only some arms cannot be compared.
    """

    def __init__(
        self, folder: Path, active: Recommender, host: ModelHost | None, poll_interval_s: float = 0.25
    ) -> None:
        """Load the experiments.

        Args:
            folder: Folder of experiment files.
            active: Recommender that is served if there is no host.
            host: Owner of the served model.
            poll_interval_s: Seconds between two polls, once `start` was called.
        """
        self.registry = Registry(folder)
        # Keeping the model of a host would keep its memory after a swap.
        self._active = active if host is None else None
        self._host, self._poll_interval_s = host, poll_interval_s
        self._models: Mapping[str, Served] = {}
        self._rejected: dict[str, tuple[float, str]] = {}
        self._unservable: Mapping[str, str] = {}
        self._changing = threading.Lock()
        self._background = Background("experiments", self._run)
        self._logged = ""
        self._state: object = None
        self.current = ActiveExperiments(ExperimentSet())
        self.reload()

    @property
    def problems(self) -> Mapping[str, str]:
        """Problems of experiments, by key."""
        return {**self._unservable, **self.registry.problems}

    def reload(self) -> None:
        """Read changed files again, without loading models; `poll` loads them."""
        with self._changing:
            self.registry.reload()
            self._update()

    def poll(self) -> None:
        """Reload files and load the models of arms.

        Never raises. Each distinct error is logged once; the experiments stay as they are.
        """
        try:
            self.reload()
            self._follow_models()
            self._logged = ""
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            if cause != self._logged:
                self._logged = cause
                logger.error("experiments stay as they are: %s", cause)

    def start(self) -> None:
        """Poll in a background thread until `close`."""
        self._background.start()

    def close(self) -> None:
        """Stop polling; work that has started is finished first."""
        self._background.close()

    def _run(self) -> None:
        self.poll()
        while not self._background.ends_within(self._poll_interval_s):
            self.poll()

    @property
    def _recommender(self) -> Recommender:
        if self._active is not None:
            return self._active
        if self._host is None:
            raise AssertionError("there is neither a model nor a host")
        return self._host.current.recommender

    def _wanted_versions(self) -> set[str]:
        """Return the versions that arms ask for beside the active one."""
        experiments = self.registry.experiments.values()
        overrides = [arm.overrides for one in experiments if _is_served(one) for arm in one.arms.values()]
        return {one.model for one in overrides if one.model is not None} - {self._recommender.version}

    def _update(self) -> None:
        recommender, loaded = self._recommender, self.registry.loaded
        state = (loaded, self._models, recommender, tuple(self._rejected.items()))
        if state == self._state:
            return
        self._state = state
        faults = {key: self._fault(one, recommender) for key, one in loaded.experiments.items()}
        self._unservable = {key: fault for key, fault in faults.items() if fault is not None}
        servable = [one for key, one in loaded.experiments.items() if key not in self._unservable]
        self.current = ActiveExperiments(ExperimentSet.from_experiments(servable), self._models)

    def _fault(self, one: Experiment, recommender: Recommender) -> str | None:
        if not _is_served(one):
            return None
        for name, arm in one.arms.items():
            version, scene = arm.overrides.model, arm.overrides.scene
            if version is not None and version not in (recommender.version, *self._models):
                rejected = self._rejected.get(version)
                reason = "is being loaded" if rejected is None else rejected[1]
                return f"{one.key}: no unit is assigned: arms.{name}.overrides.model {version}: {reason}"
            if scene is not None and scene not in recommender.styles.scenes():
                known = ", ".join(recommender.styles.scenes()) or "none"
                return (
                    f"{one.key}: no unit is assigned: arms.{name}.overrides.scene: unknown scene {scene!r}; "
                    f"the served model knows: {known}"
                )
        return None

    def _follow_models(self) -> None:
        """Load and drop models of arms. Only the background thread changes `_models`."""
        wanted, before = self._wanted_versions(), self._models
        models = {version: served for version, served in before.items() if version in wanted}
        now = time.monotonic()
        for version in sorted(wanted - set(models)):
            rejected = self._rejected.get(version)
            if rejected is None or now - rejected[0] >= RETRY_S:
                served = self._load(version)
                if served is not None:
                    models[version] = served
        if self._host is not None:
            models = {version: self._host.loader.update(served) for version, served in models.items()}
        if models != dict(before) or self._rejected:
            with self._changing:
                self._models = models if models != dict(before) else before
                self._update()
        if set(models) != set(before):
            release_memory()

    def _load(self, version: str) -> Served | None:
        try:
            if self._host is None:
                raise BundleError("this process serves one model permanently")
            served = self._host.loader.load(version, self._host.recent_requests)
        except BundleError as error:
            before = self._rejected.get(version)
            self._rejected[version] = (time.monotonic(), str(error))
            if before is None or before[1] != str(error):
                logger.warning("the model %s of an experiment cannot be served: %s", version, error)
            return None
        self._rejected.pop(version, None)
        logger.info("model %s is served beside the active one, for an experiment", version)
        return served


def check_servable(project: Project, one: Experiment) -> None:
    """Raise ExperimentError if an arm asks for a bundle, an engine or a scene that the project does not have."""
    for name, arm in one.arms.items():
        version, scene, engine = arm.overrides.model, arm.overrides.scene, arm.overrides.engine
        if version is not None and not (project.bundles / version).is_dir():
            raise ExperimentError(
                f"{one.key}: arms.{name}.overrides.model: no bundle {version} in {project.bundles}; "
                "`recsys build` prints the version it made"
            )
        if engine is not None and engine not in project.engine_names:
            wrong = unknown_name("engine", engine, project.engine_names)
            raise ExperimentError(f"{one.key}: arms.{name}.overrides.engine: {wrong}; `recsys train-style` makes some")
        if scene is not None:
            scenes = sorted({scene for style in read_library(project.styles) for scene in style.scenes})
            if scene not in scenes:
                known = ", ".join(scenes) or "none"
                raise ExperimentError(
                    f"{one.key}: arms.{name}.overrides.scene: unknown scene {scene!r}; known: {known}"
                )


def _is_served(one: Experiment) -> bool:
    """Return whether any unit can get an arm of the experiment."""
    return one.status is Status.RUNNING or (one.status is Status.DRAFT and bool(one.forced))
