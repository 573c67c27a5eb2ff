"""Worker process: builds the application of the project in the environment."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from fastapi import FastAPI
from uvicorn.config import STARTUP_FAILURE

from recsys.api.app import create_app
from recsys.api.middleware.tracing import tracer_provider
from recsys.api.overload.drain import Drain, stop_service
from recsys.dataset.project import Project
from recsys.errors import RecsysError
from recsys.restyling.engines import engine_loader
from recsys.restyling.renderer import Renderer, open_render_cache
from recsys.serving.live_store import LiveStore
from recsys.serving.model_host import ModelHost
from style.errors import StyleError
from style.preprocess.recipe import Recipe

logger = logging.getLogger(__name__)

PROJECT_VARIABLE = "RECSYS_PROJECT"
"""Environment variable with the project's folder."""

SWITCH_S = 0.001
"""Time for which a thread may keep the interpreter while another one waits for it."""


def service() -> FastAPI:
    """Build the application; each worker calls this once. A known error ends the process with one line in the log."""
    try:
        return _create()
    except (RecsysError, StyleError) as error:
        logger.error("the service cannot start: %s", error)
        sys.exit(STARTUP_FAILURE)


def _create() -> FastAPI:
    # Painting and ranking share one interpreter. A ranking thread waits for it often, by default 5 ms each time.
    sys.setswitchinterval(SWITCH_S)
    project = Project.open(Path(os.environ[PROJECT_VARIABLE]))
    live = LiveStore.open(project)
    host = ModelHost(project.bundles, project.root, live.items, project.settings.service.poll_interval_s)
    # A missing engine must not stop recommendations: originals are served then.
    recipe = Recipe.from_texts(project.settings.preprocess.steps)
    cache, engines = open_render_cache(project), engine_loader(project)
    restyler = Renderer(project.settings.restyle, cache, load_engine=engines, recipe=recipe)
    app = create_app(host, restyler, live, drain=Drain(stop_service), provider=tracer_provider(os.environ))
    if app.state.services.security.is_open:
        logger.warning("open: no keys, so everybody who reaches the service may use it; `recsys key create` makes one")
    return app
