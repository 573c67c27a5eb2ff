"""Experiments of a running service: read again when their files change, with the models that their arms ask for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from recsys.dataset.project import Project
from recsys.errors import BundleError, ExperimentError
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.fields import unknown_name
from recsys.experiments.design.registry import ExperimentSet, Registry
from recsys.ranking.recommender import Recommender
from recsys.serving.background import Background
from recsys.serving.experiment_arms import ActiveExperiments
from recsys.serving.memory import give_back
from recsys.serving.model_host import ModelHost
from recsys.serving.model_loader import Served
from style.library import read_library

logger = logging.getLogger(__name__)

RETRY_S = 30.0
"""Between two attempts to load a model that could not be loaded."""


class LiveExperiments:
    """Follows a project's experiments. `current`, `problems` and `registry.experiments` may be read by any thread.

    What cannot be served, for a model or a scene that is not there, is in `problems`: nobody is in such an experiment,
    in whichever arm, since exposures of some arms alone would say nothing.
    """

    def __init__(
        self, folder: Path, active: Recommender, host: ModelHost | None, poll_interval_s: float = 0.25
    ) -> None:
        """`active`: what is served where there is no `host`; its models stand beside the one that is current."""
        self.registry = Registry(folder)
        # A host's model goes when another one is swapped in: who keeps it keeps its memory.
        self._active = active if host is None else None
        self._host, self._poll_interval_s = host, poll_interval_s
        self._models: Mapping[str, Served] = {}
        self._refused: dict[str, tuple[float, str]] = {}
        self._unservable: Mapping[str, str] = {}
        self._changing = threading.Lock()
        self._background = Background("experiments", self._run)
        self._told = ""
        self._state: object = None
        self.current = ActiveExperiments(ExperimentSet())
        self.reload()

    @property
    def problems(self) -> Mapping[str, str]:
        """What is wrong with experiments, by key."""
        return {**self._unservable, **self.registry.problems}

    def reload(self) -> None:
        """Take in files that changed; quick. A model that is asked for anew is loaded by `poll`."""
        with self._changing:
            self.registry.refresh()
            self._take_in()

    def poll(self) -> None:
        """`reload`, and load the models that are wanted. Raises nothing: what goes wrong is logged, once until it is
        another thing, and what is served stays."""
        try:
            self.reload()
            self._follow_models()
            self._told = ""
        except Exception as error:
            cause = f"{type(error).__name__}: {error}"
            if cause != self._told:
                self._told = cause
                logger.error("experiments are served as before: %s", cause)

    def start(self) -> None:
        """Poll in a background thread until `close`."""
        self._background.start()

    def close(self) -> None:
        """Stop polling; what has begun is finished first."""
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

    def _wanted(self) -> set[str]:
        """Versions that arms ask for, beside the active one."""
        experiments = self.registry.experiments.values()
        asked = {version for one in experiments if _is_served(one) for version in _models_of(one)}
        return asked - {self._recommender.version}

    def _take_in(self) -> None:
        recommender, loaded = self._recommender, self.registry.loaded
        state = (loaded, self._models, recommender, tuple(self._refused.items()))
        if state == self._state:
            return
        self._state = state
        found = {key: self._fault(one, recommender) for key, one in loaded.experiments.items()}
        self._unservable = {key: fault for key, fault in found.items() if fault is not None}
        servable = [one for key, one in loaded.experiments.items() if key not in self._unservable]
        self.current = ActiveExperiments(ExperimentSet.of(servable), self._models)

    def _fault(self, one: Experiment, recommender: Recommender) -> str | None:
        if not _is_served(one):
            return None
        for name, arm in one.arms.items():
            version, scene = arm.overrides.model, arm.overrides.scene
            if version is not None and version not in (recommender.version, *self._models):
                refused = self._refused.get(version)
                told = "is being loaded" if refused is None else refused[1]
                return f"{one.key}: nobody is assigned: arms.{name}.overrides.model {version}: {told}"
            if scene is not None and scene not in recommender.styles.scenes():
                known = ", ".join(recommender.styles.scenes()) or "none"
                return (
                    f"{one.key}: nobody is assigned: arms.{name}.overrides.scene: unknown scene {scene!r}; "
                    f"the served model knows: {known}"
                )
        return None

    def _follow_models(self) -> None:
        """Only this thread changes `_models`."""
        wanted, before = self._wanted(), self._models
        models = {version: served for version, served in before.items() if version in wanted}
        now = time.monotonic()
        for version in sorted(wanted - set(models)):
            refused = self._refused.get(version)
            if refused is None or now - refused[0] >= RETRY_S:
                served = self._loaded(version)
                if served is not None:
                    models[version] = served
        if self._host is not None:
            models = {version: self._host.loader.with_news(served) for version, served in models.items()}
        if models != dict(before) or self._refused:
            with self._changing:
                self._models = models if models != dict(before) else before
                self._take_in()
        if set(models) != set(before):
            give_back()

    def _loaded(self, version: str) -> Served | None:
        try:
            if self._host is None:
                raise BundleError("this process serves one model for good")
            served = self._host.loader.load(version, self._host.remembered)
        except BundleError as error:
            before = self._refused.get(version)
            self._refused[version] = (time.monotonic(), str(error))
            if before is None or before[1] != str(error):
                logger.warning("an experiment's model %s cannot be served: %s", version, error)
            return None
        self._refused.pop(version, None)
        logger.info("model %s is served beside the active one, for an experiment", version)
        return served


def check_servable(project: Project, one: Experiment) -> None:
    """Raises ExperimentError where an arm asks for a bundle, an engine or a scene that the project does not have."""
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


def _models_of(one: Experiment) -> Iterator[str]:
    return (arm.overrides.model for arm in one.arms.values() if arm.overrides.model is not None)


def _is_served(one: Experiment) -> bool:
    """Whether anybody can get an arm of it."""
    return one.status is Status.RUNNING or (one.status is Status.DRAFT and bool(one.forced))
