"""One process of a service: the application of the project that the environment names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fastapi import FastAPI

from recsys.api.app import create_app
from recsys.api.middleware.tracing import tracer_provider
from recsys.api.overload.drain import Drain, stop_service
from recsys.dataset.project import Project
from recsys.restyling.engines import engine_loader
from recsys.restyling.renderer import Renderer, open_render_cache
from recsys.serving.live_store import LiveStore
from recsys.serving.model_host import ModelHost
from style.preprocess.recipe import Recipe

PROJECT_VARIABLE = "RECSYS_PROJECT"
"""The environment variable that tells the processes of a service which project they serve."""

SWITCH_S = 0.001
"""How long a thread may keep the interpreter while another one waits for it."""


def service() -> FastAPI:
    """The application; a server with several workers calls this once in each."""
    # Painting and ranking share one interpreter: who ranks asks for it back every few steps, 5 ms each time by default.
    sys.setswitchinterval(SWITCH_S)
    project = Project.open(Path(os.environ[PROJECT_VARIABLE]))
    live = LiveStore.open(project)
    host = ModelHost(project.bundles, project.root, live.items, project.settings.service.poll_interval_s)
    # A missing engine must not keep recommendations from being served: photos are then served as they are.
    recipe = Recipe.from_texts(project.settings.preprocess.steps)
    cache, engines = open_render_cache(project), engine_loader(project)
    restyler = Renderer(project.settings.restyle, cache, load_engine=engines, recipe=recipe)
    return create_app(host, restyler, live, drain=Drain(stop_service), provider=tracer_provider(os.environ))
