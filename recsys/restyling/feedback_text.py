"""What was learned from a person's verdicts, in words for that person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recsys.restyling.feedback_bandit import STYLE, TASTE, Policy, Rating, counted
from recsys.restyling.satisfaction_model import ORIGINAL, Arm

MILD, STRONG = 0.45, 0.75
"""Strengths below the first are called mild, from the second up strong."""


def explain(policy: Policy, own: Sequence[Rating], titles: Mapping[str, str] | None = None) -> str:
    """Why pictures are shown as they are by `policy`, which must be that of these verdicts.

    `titles`: names of styles by id, for people; without one the id is used.
    """
    counts, names = counted(own), titles or {}
    if policy.best == policy.default:
        return _unchanged(bool(counts)) + _tried(policy)
    cause = _cause(policy, {Arm.shown(*shown): said for shown, said in counts.items()}, names)
    return f"{cause}: pictures are now {_change(policy.default, policy.best, names)}." + _tried(policy)


def _unchanged(told: bool) -> str:
    if told:
        return "By what you said so far nothing would suit you better: pictures stay as they are."
    return "You have not yet said whether you are satisfied with restyled pictures: they are as they are by default."


def _cause(policy: Policy, counts: Mapping[Arm, tuple[int, int]], names: Mapping[str, str]) -> str:
    if not counts:
        return "Most people are more satisfied this way"
    good, total = counts.get(policy.best, (0, 0))
    if 2 * good > total:
        return f"You were satisfied with {_described(policy.best, names)}"
    bad = {arm: total - good for arm, (good, total) in counts.items() if total > good and arm != policy.best}
    if bad:
        # What was on the way there: the default if it was among them, else what most verdicts were against.
        worst = policy.default if policy.default in bad else max(bad, key=lambda arm: bad[arm])
        return f"You were not satisfied with {_described(worst, names)}"
    return "This suits what you and other people said"


def _change(default: Arm, best: Arm, names: Mapping[str, str]) -> str:
    if best.strength == 0:
        return "shown as they were photographed"
    look = [] if best.look == default.look else [_in_style(best.look, names)]
    if default.strength == 0:
        return " ".join(["restyled", *look])
    degree = "milder" if best.strength < default.strength else "stronger" if best.strength > default.strength else ""
    return " and ".join(filter(None, [degree, *look]))


def _described(arm: Arm, names: Mapping[str, str]) -> str:
    if arm.look == ORIGINAL:
        return "original photos"
    degree = "mild " if arm.strength < MILD else "strong " if arm.strength >= STRONG else ""
    return f"{degree}restyling" + ("" if arm.look == TASTE else f" {_in_style(arm.look, names)}")


def _in_style(look: str, names: Mapping[str, str]) -> str:
    if look == TASTE:
        return "toward your own taste"
    style_id = look.removeprefix(STYLE)
    return f"in the style {names.get(style_id, style_id)}"


def _tried(policy: Policy) -> str:
    share = 1 - policy.probabilities.max()
    return f" {share:.0%} of pictures try something else." if share >= 0.005 else ""
