"""What it costs to assign a unit, in microseconds of CPU time, best of seven: python tests/benchmarks/assignment.py"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from recsys.experiments.design.assignment import Plan
from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.targeting import Context

UNITS = [f"user-{n}" for n in range(100_000)]
CONTEXT = Context(country="DE")
PLAIN: dict[str, Any] = {
    "key": "timed",
    "title": "Timed",
    "hypothesis": "None",
    "control": "a",
    "arms": {"a": {}, "b": {}},
    "metrics": [{"name": "ctr"}],
    "status": "running",
    "started_at": 1,
}
EVERYTHING = {
    "coverage": 0.5,
    "namespace": {"name": "n", "segments": [[0, 899]]},
    "holdout": {"share": 0.05},
    "targeting": {"country": ["DE"]},
}


def microseconds(work: Callable[[], object]) -> float:
    """CPU time for one unit."""
    times = []
    for _ in range(7):
        start = time.process_time()
        work()
        times.append(time.process_time() - start)
    return min(times) / len(UNITS) * 1e6


def main() -> None:
    for name, changes in (("split alone", {}), ("coverage, segments, holdout, targeting", EVERYTHING)):
        plan = Plan.from_experiment(Experiment.model_validate({**PLAIN, **changes}))
        one = microseconds(lambda plan=plan: [plan.assign(unit, CONTEXT) for unit in UNITS])
        many = microseconds(lambda plan=plan: plan.assign_many(UNITS))
        print(f"{name:<40} assign {one:5.2f} us   assign_many {many:5.2f} us")


if __name__ == "__main__":
    main()
