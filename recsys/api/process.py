"""One process of a service: the application of the project that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from fastapi import FastAPI

from recsys.api.app import create_app
from recsys.api.drain import Drain, stop_service
from recsys.api.tracing import tracer_provider
from recsys.bundle import load_bundle
from recsys.dataset.project import Project
from recsys.page.pictures import restyle_cache
from recsys.pipeline.recommender import Recommender
from recsys.pipeline.restyle import Restyler

PROJECT_VARIABLE = "RECSYS_PROJECT"
"""The environment variable that tells the processes of a service which project they serve."""


def service() -> FastAPI:
    """The application; a server with several workers calls this once in each."""
    project = Project.open(Path(os.environ[PROJECT_VARIABLE]))
    # A missing engine must not keep recommendations from being served: photos are then served as they are.
    restyler = Restyler(project.settings.restyle, restyle_cache(project))
    recommender = Recommender(load_bundle(project.bundles, project.root))
    return create_app(
        recommender,
        restyler,
        events=project.settings.events,
        settings=project.settings.service,
        drain=Drain(stop_service),
        provider=tracer_provider(os.environ),
    )
