"""Service with an engine that sleeps; `recsys bench serve` measures deadlines with it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from fastapi import FastAPI

from recsys.api.app import create_app
from recsys.api.worker import PROJECT_VARIABLE
from recsys.bundle.store import load_bundle
from recsys.dataset.project import Project
from recsys.ranking.recommender import Recommender
from recsys.restyling.renderer import Renderer
from recsys.serving.live_store import LiveStore
from recsys.storage.cache import DiskCache
from style.images import Pixels
from style.mask import Mask
from style.transfer.base import Painting, Stylizer
from style.vector import StyleVector

SLEEP_S = 5.0
ROOM = 10_000
"""Images that may wait; so many that all requests wait for the deadline, and none gets the original at once."""


class Sleeper(Stylizer):
    """Engine that returns the images unchanged after five seconds."""

    name: ClassVar[str] = "sleeper"
    version = "sleeper-1"

    def paint(
        self, images: Sequence[Pixels], style: StyleVector, masks: Sequence[Mask] | None = None
    ) -> list[Painting]:
        """Return the images unchanged."""
        time.sleep(SLEEP_S)
        return [Painting(image, image) for image in images]


def service() -> FastAPI:
    """Create the application for the project in the environment."""
    project = Project.open(Path(os.environ[PROJECT_VARIABLE]))
    # A new cache, without images of an earlier run.
    cache = DiskCache(Path(tempfile.mkdtemp(prefix="asleep-")), max_bytes=2**20)
    restyler = Renderer(project.settings.restyle, cache, load_engine=lambda _: Sleeper(), max_waiting=ROOM)
    return create_app(Recommender(load_bundle(project.bundles, project.root)), restyler, LiveStore.open(project))
