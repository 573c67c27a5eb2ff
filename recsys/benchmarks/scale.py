"""Seconds and memory of training at sizes that grow tenfold; each size in its own process."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

import recsys.models.als as als
from recsys.benchmarks.rank import active_users, ingredients, recall_lines, request_lines
from recsys.benchmarks.stopwatch import Stopwatch, peak_gib
from recsys.bundle.store import load_bundle, save_bundle
from recsys.config import AlsSettings, ProjectSettings
from recsys.dataset.interactions import Interactions
from recsys.models.als import AlsModel
from recsys.models.ease import EaseModel
from recsys.models.item_knn import ItemKnnModel
from recsys.models.style_als import StyleAlsModel
from recsys.profiles.style_space import StyleSpace
from recsys.profiles.taste import TasteModel
from recsys.ranking.recommender import Recommender
from recsys.ranking.retrieve import Retriever
from recsys.simulation.large_catalog import Shop, Size, synthetic_shop
from recsys.training.build import DEFAULT_BLEND, Ingredients, fit

FULL = Size(users=1_000_000, items=1_000_000, events=10_000_000)
SHARES = (0.01, 0.1)
SMALL = 20_000
"""Largest number of items for which ALS is fitted several times, as one fit is too short to measure."""
REPEATS = 5
USERS = 50

door: Any = als
STAGES = {
    (Interactions, "matrix"): "matrices",
    (Interactions, "interaction_mask"): "matrices",
    (StyleAlsModel, "fit"): "factors, ALS with style prior",
    (EaseModel, "fit"): "neighbors",
    (ItemKnnModel, "fit"): "neighbors",
    (TasteModel, "fit"): "taste",
}
"""Parts of `recsys.training.build.fit`."""
PLAIN_ALS = {(AlsModel, "fit"): "plain ALS", (door.AlternatingLeastSquares, "fit"): "  of which implicit's own fit"}
"""Baseline of the fit. implicit's fit is timed inside ours: same data, same moment."""


def scale_lines(shares: Sequence[float] = SHARES, iterations: int | None = None, seed: int = 0) -> Iterator[str]:
    """Yield the lines of a table per share of `FULL`; `iterations` of ALS default to the setting."""
    for share in shares:
        size = Size(*(max(1, round(share * part)) for part in (FULL.users, FULL.items, FULL.events)))
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(1, mp_context=context) as process:
            yield from process.submit(measure_size, size, iterations, seed).result()
        yield ""


def measure_size(size: Size, iterations: int | None = None, seed: int = 0) -> list[str]:
    """Return the table of one size, measured in this process."""
    settings = ProjectSettings(seed=seed, als=AlsSettings(iterations=iterations) if iterations else AlsSettings())
    watch = Stopwatch()
    with watch.lap("(drawing the data)"):
        shop = synthetic_shop(size, seed)
    with watch.watching({(StyleSpace, "from_vectors"): "style space"}):
        given = ingredients(shop, settings)
    with TemporaryDirectory() as folder:
        recommender = _build(watch, shop, given, Path(folder))
    bundle = recommender.bundle
    users = active_users(bundle, USERS, seed)
    with threadpool_limits(1):
        requests = [*request_lines(recommender, bundle, users), "", *recall_lines(recommender, bundle, users, seed)]
    lines = [
        f"{size}; ALS with {settings.als.factors} factors, {settings.als.iterations} iterations",
        f"{'stage':<32} {'runs':>5} {'s / run':>9} {'CPU s':>9} {'peak GiB':>9}",
    ]
    for stage, laps in watch.laps.items():
        wall, cpu = median(lap.wall for lap in laps), median(lap.cpu for lap in laps)
        lines.append(f"{stage:<32} {len(laps):>5} {wall:>9.2f} {cpu:>9.2f} {max(lap.peak for lap in laps):>9.2f}")
    lines.append(f"{'peak of all':<32} {'':>5} {'':>9} {'':>9} {peak_gib():>9.2f}")
    # Ratio of our time to that of implicit's fit, run by run.
    runs = list(zip(watch.laps["plain ALS"], watch.laps["  of which implicit's own fit"], strict=True))
    wall, cpu = median(ours.wall / own.wall for ours, own in runs), median(ours.cpu / own.cpu for ours, own in runs)
    lines.append(f"plain ALS / implicit's own fit: {wall:.3f} of seconds, {cpu:.3f} of CPU seconds")
    return [*lines, "", *requests]


def _build(watch: Stopwatch, shop: Shop, given: Ingredients, folder: Path) -> Recommender:
    """Train a bundle, write it, read it again, and build its recommender; time all steps."""
    interactions = shop.interactions
    with watch.watching(STAGES):
        bundle = fit(given, interactions, DEFAULT_BLEND, {})
    with watch.watching(PLAIN_ALS):
        for _ in range(REPEATS if len(shop.items) <= SMALL else 1):
            AlsModel(given.settings.als, seed=given.settings.seed).fit(bundle.factors.history)
    with watch.lap("bundle, save"):
        save_bundle(bundle, folder, created=0)
    del bundle
    with watch.lap("bundle, load"):
        bundle = load_bundle(folder, folder)
    with watch.watching({(Retriever, "build"): "indexes"}):
        return Recommender(bundle)
