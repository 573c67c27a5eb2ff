"""Text of an off-policy evaluation: a table, and sentences computed from its results."""

from __future__ import annotations

from recsys.experiments.off_policy.estimators import Estimator
from recsys.experiments.off_policy.evaluate import Evaluation
from recsys.experiments.off_policy.weights import NO_LIMIT
from recsys.experiments.stats.effect import Estimate


def conclusion(evaluation: Evaluation) -> str:
    """Return better, worse or not shown, by the main estimator; no conclusion if the log cannot answer."""
    if evaluation.support.problems:
        return "No conclusion: the log cannot evaluate this policy."
    gain, main = evaluation.answer.gain, evaluation.main
    said = f"{gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}), by {main}"
    if gain.low > 0.0:
        return f"The new policy would earn more than the logged one: {said}."
    if gain.high < 0.0:
        return f"The new policy would earn less than the logged one: {said}."
    return f"Not shown that the new policy differs from the logged one: {said}."


def format_evaluation(evaluation: Evaluation) -> list[str]:
    """Return the evaluation as lines of text: support, problems, estimators, conclusion."""
    support, percent = evaluation.support, f"{evaluation.level:.0%}"
    behind = (
        f"{support.decisions:,} decisions of {support.users:,} users; effective sample size "
        f"{support.reliable:,.0f}, largest weight {support.largest:.3g}; the heaviest 1 % of decisions "
        f"carry {support.top_share:.0%} of the weight; rewards count as equal ones of {support.rewards:,.0f} users"
    )
    heads = f"{'':<12} {'value':>8}  {percent + ' interval':<20} {'gain over the log':<28}"
    table = [
        f"{heads} limit of weights",
        f"{'logged':<12} {_spread(evaluation.logged)}",
    ]
    for name, one in evaluation.estimates.items():
        limit = ""
        if one.tuned is not None:
            limit = "none" if one.tuned.best.limit == NO_LIMIT else f"{one.tuned.best.limit:.3g}"
        gain = f"{one.gain.value:+.4f} ({one.gain.low:+.4f} to {one.gain.high:+.4f})"
        mark = " *" if name is evaluation.main else ""
        table.append(f"{name + mark:<12} {_spread(one.value)} {gain:<28} {limit}".rstrip())
    problems = [f"problem: {problem}" for problem in support.problems]
    dm = "; DM's interval leaves out the error of its model" if Estimator.DM in evaluation.estimates else ""
    notes = [f"* read this one{dm}"]
    return [behind, *problems, *table, *notes, conclusion(evaluation)]


def _spread(found: Estimate) -> str:
    return f"{found.value:>8.4f}  {f'{found.low:.4f} to {found.high:.4f}':<20}"
