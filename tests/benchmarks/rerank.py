"""Re-rankers on the same candidates: quality, variety, calibration and speed.

    python tests/benchmarks/rerank.py myshop [--diversity 0.1 0.2] [--calibration 0 0.3]

The last fifth of a project's events is held out at one moment; the bundle is trained on the rest, and each re-ranker
makes the list of ten that is served. Style diversity and calibration errors are those of
`recsys.evaluation.beyond_accuracy`; p tests the difference in NDCG from the list by score only (paired permutations,
Holm-corrected). The second table has the time of re-ranking random candidates. Set OMP_NUM_THREADS=1 for one core.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from recsys.bundle.types import Bundle
from recsys.dataset.project import Project
from recsys.dataset.splits import SplitMethod, hold_out
from recsys.evaluation.comparison import compare_models
from recsys.evaluation.protocol import ScoreFunction
from recsys.evaluation.report import described, lens_of
from recsys.ranking.calibrate import TargetMix
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Filters, Request
from recsys.ranking.rerank import Reranking, rerank
from recsys.rng import generator
from recsys.schema import FloatArray, IntArray, Reranker
from recsys.training.build import prepare, train

K = 10
BY_SCORE = "by score"
METRICS = ("ndcg", "recall", "style_diversity", "style_calibration_error", "category_calibration_error")


def ways(diversities: Sequence[float], calibrations: Sequence[float]) -> dict[str, Reranking]:
    """Return the re-rankers by name."""
    found = {BY_SCORE: Reranking(Reranker.NONE)}
    for calibration in calibrations:
        if calibration:
            found[f"none, calibration {calibration}"] = Reranking(Reranker.NONE, 0.0, calibration)
        for reranker in (Reranker.MMR, Reranker.DPP):
            for diversity in diversities:
                name = f"{reranker} {diversity}" + (f", calibration {calibration}" if calibration else "")
                found[name] = Reranking(reranker, diversity, calibration)
    return found


def served(bundle: Bundle, way: Reranking) -> ScoreFunction:
    """Return served lists as scores: the first position has the highest, items outside of the list have none."""
    settings = bundle.settings.model_copy(
        update={"rank": bundle.settings.rank.model_copy(update={"reranker": way.reranker})}
    )
    recommender = Recommender(replace(bundle, settings=settings))
    item_ids, user_ids = bundle.catalog.ids, bundle.user_ids
    filters = Filters(unavailable=True)

    def scores(users: IntArray) -> FloatArray:
        found = np.full((len(users), len(item_ids)), -np.inf, dtype=np.float32)
        for place, user in enumerate(user_ids.ids(users)):
            request = Request(
                user, limit=K, filters=filters, diversity=way.diversity, calibration=way.calibration, exploration=0.0
            )
            listed = [one.item_id for one in recommender.recommend(request).recommendations]
            found[place, item_ids.rows(listed)] = -np.arange(len(listed))
        return found

    return scores


def compare(path: Path, compared: dict[str, Reranking]) -> None:
    project = Project.open(path)
    ingredients = prepare(project)
    seed = project.settings.seed
    holdout = hold_out(project.load_interactions(), ingredients.catalog.ids, SplitMethod.TIME, share=0.2, seed=seed)
    bundle = train(ingredients, holdout.train)
    report = compare_models(
        {name: served(bundle, way) for name, way in compared.items()},
        holdout,
        baseline=BY_SCORE,
        split=described(SplitMethod.TIME),
        k=K,
        lens=lens_of(ingredients, seed),
        slices=(),
        seed=seed,
    )
    print(f"\n{report.split}; {report.whole.users} people, {report.items} items\n")
    columns = [metric for metric in METRICS if metric in report.whole.figures[BY_SCORE]]
    print(f"| re-ranker | {' | '.join(f'{name}@{K}' for name in columns)} | p of ndcg | coverage |")
    print("|---" * (len(columns) + 3) + "|")
    for name, figures in report.whole.figures.items():
        cells = [f"{figures[metric].interval.mean:.4f}" for metric in columns]
        p_value = figures["ndcg"].corrected
        cells += ["" if p_value is None else f"{p_value:.3f}", f"{figures['coverage'].interval.mean:.3f}"]
        print(f"| {name} | {' | '.join(cells)} |")


def time_all(rounds: int = 300) -> None:
    """Return the median milliseconds of one re-ranking, limit 10."""
    print(f"\n| re-ranker, limit {K} | 50 candidates | 200 candidates |\n|---|---|---|")
    for name, way in ways([0.15], [0.0, 0.3]).items():
        print(f"| {name} | {' | '.join(f'{_median_ms(way, size, rounds):.2f} ms' for size in (50, 200))} |")


def _median_ms(way: Reranking, size: int, rounds: int) -> float:
    random = generator(0, "rerank speed", size)
    scores = -np.sort(-random.random(size, dtype=np.float32))
    directions = random.normal(size=(size, 128)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    mixes = [_drawn_mix(groups, size, random) for groups in (3, 20)]
    took = []
    for _ in range(rounds):
        start = time.perf_counter()
        rerank(scores, directions, K, way, mixes)
        took.append(time.perf_counter() - start)
    return 1000 * float(np.median(took))


def _drawn_mix(groups: int, size: int, random: np.random.Generator) -> TargetMix:
    member = np.eye(groups, dtype=np.float32)[random.integers(groups, size=size)]
    return TargetMix(np.full(groups, 1 / groups, dtype=np.float32), member, np.ones(size, dtype=np.float32))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    parser.add_argument("--diversity", type=float, nargs="+", default=[0.05, 0.15, 0.3])
    parser.add_argument("--calibration", type=float, nargs="+", default=[0.0, 0.2])
    arguments = parser.parse_args()
    compare(arguments.project, ways(arguments.diversity, arguments.calibration))
    time_all()


if __name__ == "__main__":
    main()
