"""Engines by name, each loaded once, on the thread that first needs it; one that fails is not tried again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from recsys.dataset.project import Project
from style.errors import RightsError
from style.library import StyleReference
from style.transfer.base import Stylizer

if TYPE_CHECKING:
    from style.transfer.style_images import StylePictures

logger = logging.getLogger(__name__)

EngineLoader = Callable[[str], Stylizer]


class Engines:
    """Safe to share between threads. `load` makes an engine by name."""

    def __init__(self, load: EngineLoader | None = None) -> None:
        self._load = load or _load_registered
        self._loaded: dict[str, Stylizer] = {}
        self._faults: dict[str, Exception] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Stylizer:
        """The engine, loaded now if it was not. Raises what loading raises, now or the first time."""
        with self._lock:
            if name in self._faults:
                raise self._faults[name].with_traceback(None)
            if name not in self._loaded:
                self._loaded[name] = self._first(name)
            return self._loaded[name]

    def version(self, name: str) -> str | None:
        """The version of an engine that is loaded, else None."""
        engine = self._loaded.get(name)
        return None if engine is None else engine.version

    def fault(self, name: str) -> str | None:
        """Why an engine could not be loaded, or None as long as nothing is known against it."""
        return str(self._faults[name]) if name in self._faults else None

    def _first(self, name: str) -> Stylizer:
        try:
            return self._load(name)
        except Exception as error:
            self._faults[name] = error
            logger.error("the engine %s cannot be loaded, photos are served as they are: %s", name, error)
            raise


def engines_of(project: Project, threads: int | None = 1) -> EngineLoader:
    """What loads a project's engines: those of the registry, with the project's style references to paint from, and
    those that were trained for it (`recsys train-style`). It raises what `load_stylizer` does, and RightsError for an
    engine with a style of its own whose license the project's settings forbid.

    One thread: an engine that takes all cores lets ranking wait.
    """

    @cache
    def pictures() -> StylePictures:
        from style.embedding import StyleEmbedder
        from style.preprocess.recipe import Recipe
        from style.transfer.style_images import StylePictures

        recipe = Recipe.of(project.settings.preprocess.steps)
        embedder = StyleEmbedder.load(project.settings.style.backbone, recipe)
        return StylePictures.of_library(project.styles, embedder, lambda one: _may_paint(project, one))

    def load(name: str) -> Stylizer:
        # Imported on first use: the registry brings torch, which retrieving and ranking never need.
        from style.transfer.registry import load_stylizer

        engine = load_stylizer(name, threads=threads, pictures=pictures, trained=project.engines)
        if engine.credit is not None:
            refusal = project.settings.rights.refusal(engine.credit.style_id, engine.credit.license, "")
            if refusal is not None:
                raise RightsError(refusal)
        return engine

    return load


def _may_paint(project: Project, reference: StyleReference) -> bool:
    """Whether the license of a style reference lets pictures go toward it."""
    return project.settings.rights.refusal(reference.style_id, reference.license, reference.uses) is None


def _load_registered(name: str) -> Stylizer:
    from style.transfer.registry import load_stylizer

    return load_stylizer(name, threads=1)
