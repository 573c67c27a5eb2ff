"""The decision in plain words: ship, stop, keep going, or put the data right first, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from recsys.experiments.analysis.comparisons import Comparison, Role
from recsys.experiments.analysis.log_health import Finding
from recsys.experiments.design.definition import Experiment, Looks, Status
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.effect import Effect, Estimate

LONGEST_DAYS = 56
"""After eight weeks without a finding it stops: what is so small, or so slow, is not found by waiting, and by then many
people have come back under another id."""
YEAR = 365

METRIC_WORDS = {
    MetricName.CTR: "click-through rate",
    MetricName.ADD_TO_CART: "carts per item shown",
    MetricName.CONVERSION: "share of people who buy",
    MetricName.REVENUE_PER_USER: "revenue per person",
    MetricName.DWELL: "seconds per look",
    MetricName.SATISFACTION: "satisfaction with restyled pictures",
    MetricName.STYLE_DIVERSITY: "variety of looks in a list",
}


class Advice(StrEnum):
    """What to do now."""

    SHIP = "ship"
    STOP = "stop"
    KEEP_GOING = "keep going"
    REPAIR = "put right first"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """`treatment`: what to ship, else None. `why`: sentences, the most important first."""

    advice: Advice
    treatment: str | None
    why: tuple[str, ...]


def conclude(
    experiment: Experiment,
    health: Sequence[Finding],
    comparisons: Sequence[Comparison],
    *,
    days: float,
    days_left: Mapping[str, int | None],
    days_hoped: Mapping[str, int | None],
    unmeasured: Mapping[MetricName, str],
) -> Conclusion:
    """The decision. `days`: since the start. By treatment, None for never: `days_left` until an effect as estimated
    would be found, `days_hoped` until the best one would be that may well be true.

    Waiting is given up where not even the best one would be found by LONGEST_DAYS. To go by the estimate instead would
    stop too much that works: early estimates are often near 0 by chance.
    """
    unsound = [finding for finding in health if not finding.sound]
    if unsound:
        why = "No effect is shown, because none could be believed: the data are not sound."
        return Conclusion(
            Advice.REPAIR, None, (why, *(f"{finding.check.capitalize()}: {finding.words}" for finding in unsound))
        )
    if experiment.primary.name in unmeasured:
        why = f"The metric that decides, {METRIC_WORDS[experiment.primary.name]}, is not in the logs: "
        return Conclusion(Advice.REPAIR, None, (why + unmeasured[experiment.primary.name] + ".",))
    states = [_State.of(name, comparisons, unmeasured, experiment) for name in _treatments(comparisons)]
    least = experiment.decision.minimum_days
    if days < least:
        return _too_early(experiment, states, days)
    winners = [state for state in states if state.wins]
    if winners:
        best = max(winners, key=lambda state: state.gain)
        return Conclusion(Advice.SHIP, best.treatment, (best.told, *best.guards, *_others(states, best)))
    final = experiment.status is Status.STOPPED or experiment.decision.looks is Looks.FIXED
    if all(state.loses for state in states):
        return Conclusion(Advice.STOP, None, tuple(line for state in states for line in (state.told, *state.guards)))
    lines = [line for state in states for line in (state.told, *state.guards, *state.power)]
    if final or days >= LONGEST_DAYS:
        ended = (
            "The experiment is over, and nothing to ship was found."
            if final
            else f"After {days:.0f} days nothing to ship was found; waiting on would find only what is very small."
        )
        return Conclusion(Advice.STOP, None, (ended, *lines))
    still_open = [state for state in states if not state.loses]
    hoped = [days_hoped.get(state.treatment) for state in still_open]
    if all(left is None or days + left > LONGEST_DAYS for left in hoped):
        why = (
            "Even the best effect that may well be true (the good end of an ordinary 95 % interval) would not be found "
            f"within {LONGEST_DAYS} days: waiting on is of no use."
        )
        return Conclusion(Advice.STOP, None, (why, *lines))
    waits = [_waiting(state, days_left.get(state.treatment)) for state in still_open]
    return Conclusion(Advice.KEEP_GOING, None, (*lines, *waits))


@dataclass(frozen=True, slots=True)
class _State:
    """How a treatment stands. `gain`: in the metric's unit, towards what is wished."""

    treatment: str
    wins: bool
    loses: bool
    gain: float
    told: str
    guards: tuple[str, ...]
    power: tuple[str, ...]

    @classmethod
    def of(
        cls, name: str, comparisons: Sequence[Comparison], unmeasured: Mapping[MetricName, str], experiment: Experiment
    ) -> _State:
        own = [one for one in comparisons if one.treatment == name]
        primary = next(one for one in own if one.role is Role.PRIMARY)
        verdicts = [one.guardrail.verdict for one in own if one.guardrail is not None]
        missing = [one.metric for one in experiment.guardrails if one.metric in unmeasured]
        harmed = "harmed" in verdicts
        safe = all(verdict == "safe" for verdict in verdicts) and not missing
        sign = 1.0 if primary.direction is Direction.INCREASE else -1.0
        told = tuple(_guard_told(one) for one in own if one.guardrail is not None)
        absent = tuple(
            f"The guardrail {METRIC_WORDS[metric]} is not in the logs: {unmeasured[metric]}." for metric in missing
        )
        return cls(
            treatment=name,
            wins=primary.better and safe,
            loses=primary.worse or harmed,
            gain=sign * primary.effect.absolute.value,
            told=_told(primary),
            guards=(*told, *absent),
            power=_power_told(primary, experiment),
        )


def _too_early(experiment: Experiment, states: Sequence[_State], days: float) -> Conclusion:
    least = experiment.decision.minimum_days
    harmed = [state for state in states if state.loses]
    warnings = [
        f"But {state.treatment} looks harmful already; stop it by hand if that costs too much. "
        + " ".join((state.told, *state.guards))
        for state in harmed
    ]
    if experiment.status is Status.STOPPED:
        why = (
            f"It was stopped after {days:.1f} of the {least} days that it was planned for: too early to tell. Run it "
            "again under a new key."
        )
        return Conclusion(Advice.STOP, None, (why,))
    why = (
        f"{days:.1f} of at least {least} days are over. Nothing is decided before, so that every day of the week "
        "counts alike."
    )
    return Conclusion(Advice.KEEP_GOING, None, (why, *warnings))


def _told(one: Comparison) -> str:
    subject = f"{METRIC_WORDS[one.metric].capitalize()} of {one.treatment}"
    size = f"{effect_words(one.effect)}, p {p_words(one.p_corrected)}"
    if one.better:
        return f"{subject} is better than the control's: {size}."
    if one.worse:
        return f"{subject} is worse than the control's: {size}."
    return f"{subject} is not shown to differ from the control's: {size}."


def _guard_told(one: Comparison) -> str:
    found = one.guardrail
    assert found is not None  # noqa: S101 - the caller asks for these alone
    name = METRIC_WORDS[one.metric]
    words = {
        "safe": f"The guardrail {name} holds for {one.treatment}: it is not worse by the margin",
        "harmed": f"The guardrail {name} is broken by {one.treatment}: it is worse",
        "unclear": f"The guardrail {name} is not settled for {one.treatment}: harm up to the margin is still possible",
    }
    return f"{words[found.verdict]} ({effect_words(one.effect)})."


def _power_told(primary: Comparison, experiment: Experiment) -> tuple[str, ...]:
    seen = primary.seen
    if seen is None or primary.better or primary.worse:
        return ()
    size = percent(seen.relative) if seen.relative is not None else f"{seen.absolute:.4g}"
    power = experiment.decision.power
    return (f"So far, an effect of {size.lstrip('+')} would have been found with a probability of {power:.0%}.",)


def _others(states: Sequence[_State], best: _State) -> tuple[str, ...]:
    return tuple(state.told for state in states if state is not best)


def _waiting(state: _State, left: int | None) -> str:
    if state.wins or left == 0:
        return f"{state.treatment}: what is not settled needs more units; look again in a week."
    if left is None or left > YEAR:
        slow = "an effect as small as this estimate would take more than a year to find; a larger one may yet show"
        return f"{state.treatment}: {slow}."
    return f"{state.treatment}: an effect as large as this estimate would be found in about {left} more days."


def _treatments(comparisons: Sequence[Comparison]) -> list[str]:
    return list(dict.fromkeys(one.treatment for one in comparisons))


def effect_words(effect: Effect) -> str:
    """The lift with its interval; the difference where there is no lift, or where both seem to disagree.

    At the brink the lift's interval, by the delta method, may take in 0 though that of the difference, which is tested,
    does not.
    """
    level = f"{effect.level * 100:g} % interval"
    if effect.relative is None or (_holds_0(effect.relative) and not _holds_0(effect.absolute)):
        return f"{_number(effect.absolute, '{:+.4g}')} ({level} {_bounds(effect.absolute, '{:+.4g}')})"
    return (
        f"{percent(effect.relative.value)} ({level} {percent(effect.relative.low)} to {percent(effect.relative.high)})"
    )


def _holds_0(estimate: Estimate) -> bool:
    return estimate.low <= 0.0 <= estimate.high


def percent(share: float) -> str:
    """A share with its sign, as +3.2 %; "unknown" where it is infinite."""
    return f"{share * 100:+.2f} %".replace("-", "−") if abs(share) != float("inf") else "unknown"


def p_words(p_value: float) -> str:
    """A p-value, as 0.032 or below 0.001."""
    return "below 0.001" if p_value < 0.001 else f"{p_value:.3f}"


def _number(estimate: Estimate, form: str) -> str:
    return form.format(estimate.value)


def _bounds(estimate: Estimate, form: str) -> str:
    return f"{form.format(estimate.low)} to {form.format(estimate.high)}"
