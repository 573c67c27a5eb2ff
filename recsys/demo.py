"""Demo: import and build the sample shop and write its page; simulate events for a catalog without any."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.cluster import KMeans

from recsys.bundle.store import load_bundle
from recsys.clock import SECONDS_PER_DAY, Clock, now
from recsys.dataset import sample
from recsys.dataset.catalog import Catalog
from recsys.dataset.importers.report import ImportReport
from recsys.dataset.importers.run import import_data
from recsys.dataset.project import SETTINGS_FILE, Project
from recsys.errors import DataError, ProjectError
from recsys.profiles.style_vectors import catalog_vectors
from recsys.ranking.recommender import Recommender
from recsys.reports.example_users import clear_tastes
from recsys.reports.page import write_page
from recsys.rng import derive_seed
from recsys.schema import ITEM_ID, UserId
from recsys.simulation.interactions import simulate_interactions
from recsys.training.build import build

SAMPLE_NAME = "sample shop"
PROJECT_VARIABLE = "RECSYS_PROJECT"
"""Environment variable with the project folder that the notebooks open."""
SAMPLE_NOTE = (
    "This shop is a synthetic sample: a program drew products, photos, users and events. Each user has a hidden taste "
    "that the system had to find."
)
SIMULATED_NOTE = "The users and events are simulated: they show how the system works, not results of a real shop."
SIMULATED = "simulated"
"""Column of the users table that marks simulated users."""
DEMO_USERS = 3
CLUSTERS = 12
ITEMS_PER_CLUSTER = 8

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Demo:
    """Result of `run_demo`: an open project, its recommender, the page, and a few users with clear tastes."""

    project: Project
    recommender: Recommender
    page: Path
    users: list[UserId]


def run_demo(folder: Path, say: Say) -> Demo:
    """Import the sample into `folder/shop`, build it and write `folder/index.html`; a second call does all again.

    `say` receives a line per step. Raises ProjectError if `folder/shop` is another project.
    """
    project = sample_shop(folder / "shop", say)
    say("[4/4] Writing the page, with all recommendations restyled")
    page = folder / "index.html"
    write_page(project, page, note=SAMPLE_NOTE)
    recommender = Recommender(load_bundle(project.bundles, project.root))
    return Demo(project, recommender, page, clear_tastes(recommender, DEMO_USERS))


def sample_shop(path: Path, say: Say) -> Project:
    """Import and build the sample as a project at `path`; a second call does it again. Raises like `run_demo`."""
    say(f"[1/4] Creating the sample shop in {path}")
    if (path / SETTINGS_FILE).exists():
        project = Project.open(path)
        if project.settings.name != SAMPLE_NAME:
            raise ProjectError(f"{path}: holds the project {project.settings.name!r}; give the demo another folder")
    else:
        project = Project.init(path, SAMPLE_NAME)
    say("[2/4] Importing products, photos, users and events")
    shutil.copytree(sample.sample_folder() / "styles", project.styles / "styles", dirs_exist_ok=True)
    shutil.copy(sample.styles_file(), project.styles)
    report = import_data(
        project, items=sample.items_file(), interactions=sample.interactions_file(), users=sample.users_file()
    )
    say(str(report))
    say("[3/4] Building: style vectors, factors, tastes, and the blend that ranks")
    build(project)
    return project


def project_or_sample(path: Path | None = None) -> Project:
    """Open the project at `path`, or else at `RECSYS_PROJECT`, or else build the sample shop.

    The sample shop is in a temporary folder that is deleted when the process ends. Raises ProjectError if the folder
    is not a project.
    """
    named = path or os.environ.get(PROJECT_VARIABLE)
    if named:
        return Project.open(Path(named))
    folder = Path(tempfile.mkdtemp(prefix="style-recsys-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return sample_shop(folder / "shop", lambda _: None)


def simulate_project(project: Project, users: int, style_by: str | None = None, clock: Clock = now) -> ImportReport:
    """Simulate users of a project's catalog and import their events.

    The events are within the 90 days before today; `recsys.simulation.interactions` has the model. The users table
    marks the users as simulated.

    Args:
        project: has items and no interactions.
        users: number of users.
        style_by: column with the hidden style of items; default: clusters of the catalog's style vectors.
        clock: current time.

    Raises:
        ProjectError: the project has interactions already.
        DataError: there is no such column.
    """
    if project.interactions_file.exists():
        raise ProjectError(f"{project.root}: has interactions; simulate for a new project with the same items")
    items = project.load_items()
    if style_by is None:
        labels = _cluster_items(project, items)
    elif style_by in items:
        labels = items.set_index(ITEM_ID)[style_by].fillna("").astype(str)
    else:
        raise DataError(f"the items have no column {style_by!r}; they have {', '.join(map(str, items.columns))}")
    today = clock() // SECONDS_PER_DAY * SECONDS_PER_DAY
    simulated = simulate_interactions(items, labels, users=users, end=today, seed=project.settings.seed)
    with tempfile.TemporaryDirectory() as name:
        interactions_file, users_file = Path(name) / "interactions.parquet", Path(name) / "users.parquet"
        simulated.interactions.to_parquet(interactions_file, index=False)
        simulated.users.assign(**{SIMULATED: "yes"}).to_parquet(users_file, index=False)
        return import_data(project, interactions=interactions_file, users=users_file)


def is_simulated(project: Project) -> bool:
    """Return True if `simulate_project` simulated the users of this project."""
    return project.users_file.exists() and SIMULATED in project.load_users()


def _cluster_items(project: Project, items: pd.DataFrame) -> pd.Series:
    """Label items by k-means of their style vectors; items without an image have a label of their own."""
    catalog = Catalog.from_frame(items)
    vectors = catalog_vectors(project, catalog)
    has_image = np.linalg.norm(vectors, axis=1) > 0
    if not has_image.any():
        raise DataError(f"{project.root}: no item has an image to cluster by; name a column instead")
    count = min(CLUSTERS, max(1, int(has_image.sum()) // ITEMS_PER_CLUSTER))
    means = KMeans(count, n_init=4, random_state=derive_seed(project.settings.seed, "clusters") % 2**32)
    labels = np.full(len(catalog), "no picture", dtype=object)
    labels[has_image] = [f"style {label}" for label in means.fit_predict(vectors[has_image])]
    return pd.Series(labels, index=pd.Index(catalog.ids.values, dtype=object))
