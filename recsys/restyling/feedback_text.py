"""Feedback in words: sentences for a user on how their ratings have changed the images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recsys.restyling.feedback_bandit import STYLE_PREFIX, TASTE, Policy, Rating, count_ratings
from recsys.restyling.satisfaction_model import ORIGINAL, Action

MILD, STRONG = 0.45, 0.75
"""Strengths below the first are called mild, from the second up strong."""


def explain(policy: Policy, own: Sequence[Rating], titles: Mapping[str, str] | None = None) -> str:
    """Return sentences that explain a policy.

    Args:
        policy: Policy that was computed from `own`.
        own: Ratings of the user.
        titles: Names of style references by id; without a name, the id is used.
    """
    counts, names = count_ratings(own), titles or {}
    share = 1 - policy.probabilities.max()
    explored = f" {share:.0%} of images try something else." if share >= 0.005 else ""
    if policy.best != policy.default:
        cause = _cause(policy, {Action.from_target(*key): pair for key, pair in counts.items()}, names)
        return f"{cause}: images are now {_change(policy.default, policy.best, names)}.{explored}"
    if counts:
        return f"By what you said so far nothing would suit you better: images stay as they are.{explored}"
    return (
        "You have not yet said whether you are satisfied with restyled images: "
        f"they are as they are by default.{explored}"
    )


def _cause(policy: Policy, counts: Mapping[Action, tuple[int, int]], names: Mapping[str, str]) -> str:
    if not counts:
        return "Most people are more satisfied this way"
    good, total = counts.get(policy.best, (0, 0))
    if 2 * good > total:
        return f"You were satisfied with {_name(policy.best, names)}"
    bad = {action: total - good for action, (good, total) in counts.items() if total > good and action != policy.best}
    if bad:
        # The default if it was rated badly, else the action with the most dissatisfied ratings.
        worst = policy.default if policy.default in bad else max(bad, key=lambda action: bad[action])
        return f"You were not satisfied with {_name(worst, names)}"
    return "This suits what you and other people said"


def _change(default: Action, best: Action, names: Mapping[str, str]) -> str:
    if best.strength == 0:
        return "shown as they were photographed"
    target = [] if best.target == default.target else [_target_name(best.target, names)]
    if default.strength == 0:
        return " ".join(["restyled", *target])
    degree = "milder" if best.strength < default.strength else "stronger" if best.strength > default.strength else ""
    return " and ".join(filter(None, [degree, *target]))


def _name(action: Action, names: Mapping[str, str]) -> str:
    if action.target == ORIGINAL:
        return "original photos"
    degree = "mild " if action.strength < MILD else "strong " if action.strength >= STRONG else ""
    return f"{degree}restyling" + ("" if action.target == TASTE else f" {_target_name(action.target, names)}")


def _target_name(target: str, names: Mapping[str, str]) -> str:
    if target == TASTE:
        return "toward your own taste"
    style_id = target.removeprefix(STYLE_PREFIX)
    return f"in the style {names.get(style_id, style_id)}"
