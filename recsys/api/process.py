"""One process of a service: the application of the project that the environment names."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from fastapi import FastAPI

from recsys.api.app import create_app
from recsys.bundle import load_bundle
from recsys.dataset.project import Project
from recsys.page.pictures import restyle_cache
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.restyle import Restyler

PROJECT_VARIABLE = "RECSYS_PROJECT"
"""The environment variable that tells the processes of a service which project they serve."""

SWITCH_S = 0.001
"""How long a thread may keep the interpreter while another one waits for it."""


def service() -> FastAPI:
    """The application; a server with several workers calls this once in each."""
    # Painting and ranking share one interpreter: who ranks asks for it back every few steps, 5 ms each time by default.
    sys.setswitchinterval(SWITCH_S)
    project = Project.open(Path(os.environ[PROJECT_VARIABLE]))
    # A missing engine must not keep recommendations from being served: photos are then served as they are.
    restyler = Restyler(project.settings.restyle, restyle_cache(project))
    recommender = Recommender(load_bundle(project.bundles, project.root))
    return create_app(recommender, restyler, events=project.settings.events)
