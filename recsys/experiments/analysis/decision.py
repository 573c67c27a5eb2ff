"""Decision of an experiment in plain words: ship, stop, keep going, or fix the data first, with reasons."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from recsys.experiments.analysis.comparisons import Comparison, Role
from recsys.experiments.analysis.declared_look import DeclaredLook
from recsys.experiments.analysis.log_health import Finding
from recsys.experiments.design.definition import Experiment, Status
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.effect import Effect

LONGEST_DAYS = 56
"""Longest run. After eight weeks without a finding, waiting does not find an effect that is so small or so slow, and
many users have come back with another id."""
YEAR = 365

METRIC_WORDS = {
    MetricName.CTR: "click-through rate",
    MetricName.ADD_TO_CART: "carts per item shown",
    MetricName.CONVERSION: "share of users who buy",
    MetricName.REVENUE_PER_USER: "revenue per user",
    MetricName.DWELL: "seconds per view",
    MetricName.SATISFACTION: "satisfaction with restyled images",
    MetricName.STYLE_DIVERSITY: "style diversity of lists",
}


class Advice(StrEnum):
    """Recommended next step."""

    SHIP = "ship"
    STOP = "stop"
    KEEP_GOING = "keep going"
    FIX_DATA = "fix the data first"
    REPORT = "nothing to decide: this is a report"


@dataclass(frozen=True, slots=True)
class Decision:
    """Recommendation. `arm`: the arm to ship, else None. `why`: sentences, the most important first."""

    advice: Advice
    arm: str | None
    why: tuple[str, ...]


def decide(
    experiment: Experiment,
    health: Sequence[Finding],
    comparisons: Sequence[Comparison],
    *,
    look: DeclaredLook,
    days: float,
    days_left: Mapping[str, int | None],
    days_hoped: Mapping[str, int | None],
    unmeasured: Mapping[MetricName, str],
    scarce: Sequence[str] = (),
) -> Decision:
    """Decide what to do next.

    Waiting is given up if not even the best plausible effect would be found within LONGEST_DAYS. A rule on the
    estimated effect would stop too many arms that work: early estimates are often near 0 by chance.

    Args:
        experiment: definition of the experiment.
        health: results of the health checks.
        comparisons: comparisons of all arms in all metrics.
        look: declared look; before the only look there is no decision.
        days: days since the start.
        days_left: days by arm until an effect as large as the estimated one would be found; None for never.
        days_hoped: the same for the best plausible effect, the good end of a 95 % interval.
        unmeasured: reason by declared metric that the logs do not contain.
        scarce: arms with a single unit, which cannot be compared yet.
    """
    unsound = [finding for finding in health if not finding.sound]
    if unsound:
        why = "No effect is shown, because none would be credible: the data are not sound."
        return Decision(
            Advice.FIX_DATA, None, (why, *(f"{finding.check.capitalize()}: {finding.words}" for finding in unsound))
        )
    if scarce:
        arms = ", ".join(repr(name) for name in scarce)
        return Decision(Advice.KEEP_GOING, None, (f"Arm {arms} has 1 unit so far; a comparison needs 2 or more.",))
    if experiment.primary.name in unmeasured:
        why = f"The primary metric, {METRIC_WORDS[experiment.primary.name]}, is not in the logs: "
        return Decision(Advice.FIX_DATA, None, (why + unmeasured[experiment.primary.name] + ".",))
    if all(_is_constant(one) for one in comparisons if one.role is Role.PRIMARY):
        why = (
            f"All units of all arms have the same {METRIC_WORDS[experiment.primary.name]}, so that no effect can be "
            "measured: check that events are logged as they happen, and that all lists are."
        )
        return Decision(Advice.FIX_DATA, None, (why,))
    names = dict.fromkeys(one.arm for one in comparisons)
    states = [_ArmState.from_comparisons(name, comparisons, unmeasured, experiment) for name in names]
    if look.waits:
        return _decide_before_look(experiment, states, look)
    if days < experiment.decision.minimum_days and not look.reached:
        return _decide_early(experiment, states, days)
    found = _decide_by_results(experiment, states, look, days, days_left, days_hoped)
    told = look.reached or experiment.decision.looks is not look.looks
    return replace(found, why=(*found.why, look.words)) if told else found


def _is_constant(one: Comparison) -> bool:
    return one.effect.needed_units is None and one.detectable is None and not math.isfinite(one.effect.absolute.low)


def _decide_by_results(
    experiment: Experiment,
    states: Sequence[_ArmState],
    look: DeclaredLook,
    days: float,
    days_left: Mapping[str, int | None],
    days_hoped: Mapping[str, int | None],
) -> Decision:
    winners = [state for state in states if state.wins]
    if winners:
        best = max(winners, key=lambda state: state.gain)
        others = [state.result for state in states if state is not best]
        return Decision(Advice.SHIP, best.arm, (best.result, *best.guards, *others))
    final = experiment.status is Status.STOPPED or look.reached
    if all(state.loses for state in states):
        return Decision(Advice.STOP, None, tuple(line for state in states for line in (state.result, *state.guards)))
    lines = [line for state in states for line in (state.result, *state.guards, *state.power)]
    if final or days >= LONGEST_DAYS:
        ended = (
            "The experiment is over, and nothing to ship was found."
            if final
            else f"After {days:.0f} days nothing to ship was found; more waiting would find only very small effects."
        )
        return Decision(Advice.STOP, None, (ended, *lines))
    primary = experiment.primary.name
    still_open = [state for state in states if not state.loses]
    hoped = [state.needed_days if state.silent else days_hoped.get(state.arm) for state in still_open]
    if all(left is None or days + left > LONGEST_DAYS for left in hoped):
        why = (
            f"Within {LONGEST_DAYS} days too few units come in to state anything about the primary metric, "
            f"{METRIC_WORDS[primary]}: expose more units, have fewer arms, or decide by a metric that more units have."
            if all(state.silent for state in still_open)
            else "Even the best plausible effect (the good end of an ordinary 95 % interval) would not be found within "
            f"{LONGEST_DAYS} days: more waiting is of no use."
        )
        return Decision(Advice.STOP, None, (why, *lines))
    waits = []
    for state in still_open:
        left = days_left.get(state.arm)
        if state.silent:
            wait = f"nothing can be stated before about {state.needed_days} more days"
        elif state.wins or left == 0:
            wait = "open questions need more units; check again in a week"
        elif left is None or left > YEAR:
            wait = "an effect as small as this estimate would take more than a year to find; a larger one may yet show"
        else:
            wait = f"an effect as large as this estimate would be found in about {left} more days"
        waits.append(f"{state.arm}: {wait}.")
    return Decision(Advice.KEEP_GOING, None, (*lines, *waits))


@dataclass(frozen=True, slots=True)
class _ArmState:
    """State of an arm.

    Attributes:
        gain: effect on the primary metric in its unit, positive if good.
        silent: True if there are too few units to state anything about the primary metric.
        needed_days: days until there are enough; None for never.
    """

    arm: str
    wins: bool
    loses: bool
    gain: float
    silent: bool
    needed_days: int | None
    result: str
    guards: tuple[str, ...]
    power: tuple[str, ...]

    @classmethod
    def from_comparisons(
        cls, name: str, comparisons: Sequence[Comparison], unmeasured: Mapping[MetricName, str], experiment: Experiment
    ) -> _ArmState:
        own = [one for one in comparisons if one.arm == name]
        primary = next(one for one in own if one.role is Role.PRIMARY)
        verdicts = [one.guardrail.verdict for one in own if one.guardrail is not None]
        missing = [one.metric for one in experiment.guardrails if one.metric in unmeasured]
        harmed = "harmed" in verdicts
        safe = all(verdict == "safe" for verdict in verdicts) and not missing
        sign = 1.0 if primary.direction is Direction.INCREASE else -1.0
        guards = []
        for one in own:
            if one.guardrail is not None:
                metric = METRIC_WORDS[one.metric]
                words = {
                    "safe": f"The guardrail {metric} holds for {name}: it is not worse by the margin",
                    "harmed": f"The guardrail {metric} is broken by {name}: it is worse",
                    "unclear": f"The guardrail {metric} is not settled for {name}: harm up to the margin is possible",
                }[one.guardrail.verdict]
                guards.append(f"{words} ({effect_words(one.effect, one.needed_days)}).")
        absent = tuple(
            f"The guardrail {METRIC_WORDS[metric]} is not in the logs: {unmeasured[metric]}." for metric in missing
        )
        verdict = (
            "is better than" if primary.better else "is worse than" if primary.worse else "is not shown to differ from"
        )
        size = f"{effect_words(primary.effect, primary.needed_days)}, p {p_words(primary.p_corrected)}"
        power: tuple[str, ...] = ()
        detectable = primary.detectable
        if detectable is not None and not primary.better and not primary.worse:
            least = percent(detectable.relative) if detectable.relative is not None else f"{detectable.absolute:.4g}"
            probability = f"{experiment.decision.power:.0%}"
            power = (
                f"So far, an effect of {least.lstrip('+')} would have been found with a probability of {probability}.",
            )
        return cls(
            arm=name,
            wins=primary.better and safe,
            loses=primary.worse or harmed,
            gain=sign * primary.effect.absolute.value,
            silent=primary.effect.needed_units is not None,
            needed_days=primary.needed_days,
            result=f"{METRIC_WORDS[primary.metric].capitalize()} of {name} {verdict} the control's: {size}.",
            guards=(*guards, *absent),
            power=power,
        )


def _warn_of_harm(states: Sequence[_ArmState]) -> list[str]:
    return [
        f"But {state.arm} seems harmful already; stop it by hand if that costs too much. "
        + " ".join((state.result, *state.guards))
        for state in states
        if state.loses
    ]


def _decide_before_look(experiment: Experiment, states: Sequence[_ArmState], look: DeclaredLook) -> Decision:
    if experiment.status is Status.STOPPED:
        why = (
            f"It was stopped before its declared end ({look.progress:.0%} of the way), so that there was no look: too "
            "early for a decision. Run it again with a new key."
        )
        return Decision(Advice.STOP, None, (why,))
    return Decision(Advice.KEEP_GOING, None, (look.words, *_warn_of_harm(states)))


def _decide_early(experiment: Experiment, states: Sequence[_ArmState], days: float) -> Decision:
    least = experiment.decision.minimum_days
    warnings = _warn_of_harm(states)
    if experiment.status is Status.STOPPED:
        why = (
            f"It was stopped after {days:.1f} of the {least} planned days: too early for a decision. Run it again "
            "with a new key."
        )
        return Decision(Advice.STOP, None, (why,))
    why = (
        f"{days:.1f} of at least {least} days are over. There is no decision before, so that all days of the week "
        "count alike."
    )
    return Decision(Advice.KEEP_GOING, None, (why, *warnings))


def effect_words(effect: Effect, needed_days: int | None = None) -> str:
    """Format the lift with its interval; the difference if there is no lift.

    Args:
        effect: effect of an arm.
        needed_days: days until the units are there that the effect still needs, if it is known.
    """
    level = f"{effect.level * 100:g} % interval"
    absolute = effect.absolute
    if effect.relative is None:
        value, low, high = (f"{bound:+.4g}" for bound in (absolute.value, absolute.low, absolute.high))
    else:
        value, low, high = (
            percent(bound) for bound in (effect.relative.value, effect.relative.low, effect.relative.high)
        )
    if not (math.isfinite(absolute.low) and math.isfinite(absolute.high)):
        needed = needs_words(effect, needed_days)
        return f"{value} (its {level} is not known yet{needed and '; it ' + needed})"
    return f"{value} ({level} {low} to {high})"


def needs_words(effect: Effect, needed_days: int | None) -> str:
    """Return what an effect needs before anything can be stated, in units and days; "" if nothing is known."""
    if effect.needed_units is None:
        return ""
    days = "" if needed_days is None else f", about {needed_days:,} more days"
    # Without a single value so far, the rate of values is unknown, and only a bound of it is used.
    about = "about" if effect.values > 0.0 else "at least"
    return f"needs {about} {effect.needed_units:,} units of both arms{days}"


def percent(share: float) -> str:
    """Format a share with its sign, as +3.20 %; "unknown" if it is infinite."""
    return f"{share * 100:+.2f} %".replace("-", "−") if abs(share) != float("inf") else "unknown"


def p_words(p_value: float) -> str:
    """Format a p-value, as 0.032 or below 0.001."""
    return "below 0.001" if p_value < 0.001 else f"{p_value:.3f}"
