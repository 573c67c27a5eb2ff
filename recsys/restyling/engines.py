"""Engines by name: each is loaded once, in the thread that needs it first. An engine that fails is not tried again."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING

from recsys.dataset.project import Project
from style.errors import RightsError
from style.transfer.base import Stylizer

if TYPE_CHECKING:
    from style.transfer.style_images import StyleImages

logger = logging.getLogger(__name__)

EngineLoader = Callable[[str], Stylizer]
"""Function that loads an engine by name."""


class Engines:
    """Loaded engines. Safe to share between threads.

    Args:
        load: Function that loads an engine; default: the engines of the registry.
    """

    def __init__(self, load: EngineLoader | None = None) -> None:
        self._load = load or _load_registered
        self._loaded: dict[str, Stylizer] = {}
        self._faults: dict[str, Exception] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> Stylizer:
        """Return an engine, and load it if necessary. Raises what loading raises, now or the first time."""
        with self._lock:
            if name in self._faults:
                raise self._faults[name].with_traceback(None)
            if name not in self._loaded:
                try:
                    self._loaded[name] = self._load(name)
                except Exception as error:
                    self._faults[name] = error
                    logger.error("the engine %s cannot be loaded, photos are served as they are: %s", name, error)
                    raise
            return self._loaded[name]

    def version(self, name: str) -> str | None:
        """Return the version of an engine, None if it is not loaded."""
        engine = self._loaded.get(name)
        return None if engine is None else engine.version

    def fault(self, name: str) -> str | None:
        """Return why an engine could not be loaded, or None if no fault is known."""
        return str(self._faults[name]) if name in self._faults else None


def engine_loader(project: Project, threads: int | None = 1) -> EngineLoader:
    """Return a function that loads the engines of a project.

    These are the engines of the registry, with the project's style references to paint from, and the engines that
    were trained for the project (`recsys train-style`). The function raises what `load_stylizer` raises, and
    RightsError for an engine with a style of its own whose license the project's settings forbid.

    Args:
        project: Project with settings, style references and engines.
        threads: Threads of an engine; None for all cores, which lets ranking wait.
    """
    rights = project.settings.rights

    @cache
    def pictures() -> StyleImages:
        from style.embedding import StyleEmbedder
        from style.preprocess.recipe import Recipe
        from style.transfer.style_images import StyleImages

        recipe = Recipe.from_texts(project.settings.preprocess.steps)
        embedder = StyleEmbedder.load(project.settings.style.backbone, recipe)
        # Only references whose license lets images be restyled toward them.
        return StyleImages.from_library(
            project.styles, embedder, lambda one: rights.refusal(one.style_id, one.license, one.uses) is None
        )

    def load(name: str) -> Stylizer:
        # Imported on first use: the registry imports torch, which retrieval and ranking never need.
        from style.transfer.registry import load_stylizer

        engine = load_stylizer(name, threads=threads, styles=pictures, trained=project.engines)
        if engine.credit is not None:
            refusal = rights.refusal(engine.credit.style_id, engine.credit.license, "")
            if refusal is not None:
                raise RightsError(refusal)
        return engine

    return load


def _load_registered(name: str) -> Stylizer:
    from style.transfer.registry import load_stylizer

    return load_stylizer(name, threads=1)
