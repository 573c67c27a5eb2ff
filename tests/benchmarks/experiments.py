"""Planted effects, and how soon the harness finds them: `python -m tests.benchmarks.experiments PROJECT [RUNS]`.

PROJECT: a built project of the packaged sample. Of each effect: the truth by the counterfactual, how often the interval
of the last day covers it, what is decided on which day with a look each week from `minimum_days` on, and how many lists
a fixed-size A/B and interleaving need to tell (80 % power at 5 %).
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from recsys.bundle.store import load_bundle
from recsys.clock import SECONDS_PER_DAY
from recsys.dataset.project import Project
from recsys.experiments.analysis.analyze import analyze
from recsys.experiments.analysis.decision import LONGEST_DAYS, Advice
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.metric_names import MetricName
from recsys.ranking.recommender import Recommender
from recsys.simulation.lists import Lists
from recsys.simulation.run import Plan, Run, run_experiment, true_effects
from recsys.simulation.run_logs import analyze_run, build_logs
from recsys.simulation.tastes import load_sample_tastes
from tests.simulated.interleaving import interleave_run, required_lists

START = 1_789_948_800 // SECONDS_PER_DAY * SECONDS_PER_DAY
USERS, LOOKS = 2_000, (14, 21, 28, 35, 42, 49, 56)
POPULAR = dict.fromkeys(("factors", "neighbors", "style", "category"), 0.0)
EFFECTS: dict[str, tuple[dict[str, Any], float]] = {
    "A/A": ({"mode": "full"}, 0.0),
    "clicks +10 % (planted)": ({"mode": "full"}, 0.1),
    "clicks +30 % (planted)": ({"mode": "full"}, 0.3),
    "popular items alone": ({"blend": POPULAR}, 0.0),
    "no style in the blend": ({"blend": {"style": 0.0}}, 0.0),
    "no factors in the blend": ({"blend": {"factors": 0.0}}, 0.0),
    "much diversity (0.6)": ({"diversity": 0.6}, 0.0),
    "milder pictures (0.35)": ({"strength": 0.35}, 0.0),
    "original pictures": ({"restyle": False}, 0.0),
}


def declared(key: str, overrides: dict[str, Any]) -> Experiment:
    return Experiment.model_validate(
        {
            "key": key,
            "title": "Planted",
            "hypothesis": "It is found",
            "control": "now",
            "arms": {"now": {}, "other": {"overrides": overrides}},
            "metrics": [{"name": "ctr"}],
        }
    )


def decided(run: Run) -> tuple[str, int]:
    """The first decision on one of the days of LOOKS, and that day."""
    logs = build_logs(run).logs
    for day in LOOKS:
        found = analyze(run.experiment, logs, run.plan.end, until=START + day * SECONDS_PER_DAY)
        if found.decision.advice is not Advice.KEEP_GOING:
            break
    if found.decision.advice is Advice.STOP and found.primary and not found.primary[0].worse:
        return "stop, nothing found", day
    return str(found.decision.advice), day


def main() -> None:
    project = Project.open(Path(sys.argv[1]))
    runs = int(sys.argv[2]) if len(sys.argv) > 2 else 10
    lists = Lists(Recommender(load_bundle(project.bundles, project.root)))
    tastes = load_sample_tastes(lists.bundle, 0)
    print("| effect | true lift of CTR | found, first run | covered | decisions | days | lists: A/B / interleaving |")
    print("|---|---|---|---|---|---|---|")
    for name, (overrides, lift) in EFFECTS.items():
        plan = Plan(START, days=LONGEST_DAYS, users=USERS, adaptive=False, planted={"other": lift})
        large = run_experiment(
            declared("truth", overrides), lists, tastes, replace(plan, users=10_000, seed=9, days=14)
        )
        truth = true_effects(large, (MetricName.CTR,), replicates=3)[0].lift
        covered, decisions, first = [], [], ""
        for seed in range(runs):
            key = f"{name.split()[0].lower()}-{seed}".replace("/", "")
            run = run_experiment(declared(key, overrides), lists, tastes, replace(plan, seed=seed))
            found = analyze_run(run).primary
            if found and found[0].effect.relative is not None:
                own = found[0].effect.relative
                covered.append(own.low <= truth <= own.high)
                first = first or f"{own.value:+.1%} ({own.low:+.1%} to {own.high:+.1%})"
            decisions.append(decided(run))
        words = ", ".join(
            f"{sum(one == kind for one, _ in decisions)} {kind}" for kind in sorted({one for one, _ in decisions})
        )
        both = "-"
        # Interleaving compares rankings: not pictures, nor what is planted.
        if "blend" in overrides or "diversity" in overrides:
            size = required_lists(large, "other", interleave_run(large, "other"))
            both = f"{size.ab:,.0f} / {size.interleaving:,.0f} = {size.ratio:.1f}"
        days = np.median([day for _, day in decisions])
        print(
            f"| {name} | {truth:+.1%} | {first} | {sum(covered)} of {len(covered)} | {words} | {days:.0f} | {both} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
