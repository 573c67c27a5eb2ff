"""Models with default and tuned settings, on the test part of a project, which tuning has not used.

    python tests/benchmarks/tuned.py PROJECT --models als ease --trials 25 [--most-factors 128]

Tunes each model on the project's validation part (`recsys.tuning.tune`), continuing stored trials. Then it fits the
model with default and with tuned settings on all but the test part, and uses the test part once: Recall@20 and NDCG@20
over all items, no sampled negatives. p: paired test of NDCG@20. --also tests further settings, such as a
candidate for new defaults.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from recsys.dataset.catalog import Catalog
from recsys.dataset.project import Project
from recsys.dataset.splits import Holdout, hold_out
from recsys.evaluation.protocol import Result, evaluate_holdout
from recsys.evaluation.significance import compare
from recsys.tuning.search_spaces import SPACES, Space, Tunable, Value
from recsys.tuning.tune import TEST_SHARE, split_of_test, tune

K = 20


def held_out(project: Project) -> Holdout:
    """Return the project's test part."""
    frame, ids = project.load_interactions(), Catalog.from_frame(project.load_items()).ids
    return hold_out(frame, ids, split_of_test(frame), share=TEST_SHARE, seed=project.settings.seed)


def asked(space: Space, values: Mapping[str, Value], holdout: Holdout, seed: int) -> Result:
    model = space.make(values, np.empty((0, 0), dtype=np.float32), seed)
    return evaluate_holdout(model.fit(holdout.train.matrix()), holdout, k=K)


def cell(result: Result) -> str:
    return f"{result.summary[f'recall@{K}']:.4f} / {result.summary[f'ndcg@{K}']:.4f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("project", type=Path)
    plain = [name for name in Tunable if not SPACES[name].needs_style]
    parser.add_argument("--models", nargs="+", type=Tunable, choices=plain, default=plain)
    parser.add_argument("--trials", type=int, default=25)
    parser.add_argument("--most-factors", type=int)
    parser.add_argument("--also", type=json.loads, default={}, help="settings of the models as JSON")
    arguments = parser.parse_args()
    project = Project.open(arguments.project)
    holdout = held_out(project)
    print("| model | validation NDCG@20 | test Recall@20 / NDCG@20: defaults | tuned | p | settings | seconds |")
    print("|---|---|---|---|---|---|---|")
    for name in arguments.models:
        space = SPACES[name]
        if arguments.most_factors and "factors" in space.parameters:
            space = space.up_to("factors", arguments.most_factors)
        start = time.monotonic()
        report = tune(project, name, trials=arguments.trials, k=K, space=space)
        took = time.monotonic() - start
        tried = [asked(space, values, holdout, project.settings.seed) for values in (report.defaults, report.best)]
        p = compare(tried[1].per_user["ndcg"], tried[0].per_user["ndcg"]).p_value
        validation = f"{report.default_quality.mean:.4f} -> {report.best_quality.mean:.4f}"
        settings = ", ".join(f"{key} {value}" for key, value in report.best.items())
        cells = [name, validation, *map(cell, tried), f"{p:.4f}", settings, f"{took:.0f}"]
        print(f"| {' | '.join(cells)} |", flush=True)
        if arguments.also:
            values = {**report.defaults, **arguments.also}
            print(f"| {name} | | | {cell(asked(space, values, holdout, project.settings.seed))} | | {values} | |")


if __name__ == "__main__":
    main()
