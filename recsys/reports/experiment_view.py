"""Texts and numbers of an experiment's page, the same for HTML, Markdown and a terminal."""

from __future__ import annotations

import math
from dataclasses import dataclass

from recsys.experiments.analysis.analyze import Analysis
from recsys.experiments.analysis.comparisons import Comparison
from recsys.experiments.analysis.decision import METRIC_WORDS, Advice, needs_words, p_words, percent
from recsys.experiments.analysis.unit_table import BEFORE_DAYS
from recsys.experiments.design.definition import Looks
from recsys.experiments.design.fields import format_time
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.effect import Effect, Estimate
from recsys.experiments.stats.winsorize import most_cut

TONES = {
    Advice.SHIP: "ship",
    Advice.STOP: "stop",
    Advice.KEEP_GOING: "wait",
    Advice.FIX_DATA: "repair",
    Advice.REPORT: "wait",
}
_NOVELTY_WORDS = {
    None: "no trend shown",
    "fades": "the effect fades: expect less than the mean in the long run",
    "grows": "the effect grows: expect more than the mean in the long run",
}
SHARES = (MetricName.CTR, MetricName.ADD_TO_CART, MetricName.CONVERSION, MetricName.SATISFACTION)
"""Metrics that are shares, printed in %."""


@dataclass(frozen=True, slots=True)
class ArmRow:
    """Row of an arm."""

    name: str
    control: bool
    words: str
    share: str
    units: str


@dataclass(frozen=True, slots=True)
class HealthRow:
    """Row of a health check."""

    name: str
    sound: bool
    words: str
    p: str


@dataclass(frozen=True, slots=True)
class EffectRow:
    """Row of a metric of an arm; `tone` is good, bad or none-yet."""

    metric: str
    role: str
    arm: str
    control: str
    value: str
    change: str
    interval: str
    p: str
    finding: str
    tone: str
    chance: str
    loss: str
    detectable: str
    variance_left: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """Row of a segment of an arm."""

    name: str
    arm: str
    units: str
    change: str
    interval: str
    p: str


@dataclass(frozen=True, slots=True)
class NoveltyRow:
    """Row of an arm's trend by day since the first exposure."""

    arm: str
    units: str
    first: str
    last: str
    trend: str
    interval: str
    p: str
    finding: str


@dataclass(frozen=True, slots=True)
class InteractionRow:
    """Row of a pair of arms of two experiments."""

    arm: str
    other: str
    units: str
    alone: str
    together: str
    difference: str
    interval: str
    p: str
    finding: str
    tone: str


@dataclass(frozen=True, slots=True)
class View:
    """Content of the page."""

    key: str
    title: str
    hypothesis: str
    facts: tuple[str, ...]
    decision: str
    tone: str
    why: tuple[str, ...]
    arms: tuple[ArmRow, ...]
    health: tuple[HealthRow, ...]
    health_words: str
    effects: tuple[EffectRow, ...]
    effects_words: str
    sure_words: str
    time_words: str
    segments: tuple[SegmentRow, ...]
    segment_words: str
    novelty: tuple[NoveltyRow, ...]
    novelty_words: str
    interactions: tuple[InteractionRow, ...]
    interaction_words: str
    notes: tuple[str, ...]
    when: str


def build_view(analysis: Analysis) -> View:
    """Build the content of the page of an analysis."""
    one, decision = analysis.experiment, analysis.decision
    headline = f"Ship {decision.arm}" if decision.arm else decision.advice.value.capitalize()
    unsound = sum(not finding.sound for finding in analysis.health)
    run = f"{_moment(one.started_at or 0)} to {_moment(analysis.until)} ({analysis.days:.1f} days)"
    forced = f", {analysis.forced} forced ones left out" if analysis.forced else ""
    units = f"{sum(analysis.units.values()):,} {one.unit}s{forced}"
    arms = []
    for name, share in one.shares.items():
        options = one.arms[name].overrides.model_dump(mode="json", exclude_none=True)
        changes = ", ".join(f"{option} = {value}" for option, value in options.items()) or "no overrides"
        description = one.arms[name].description
        words = f"{description} ({changes})" if description else changes
        arms.append(ArmRow(name, name == one.control, words, f"{share:.1%}", f"{analysis.units[name]:,}"))
    look = analysis.look
    validity, band = _validity(analysis)
    progress = "" if look.reached or (look.at is None and not look.progress) else f", {look.progress:.0%} of the way"
    return View(
        key=one.key,
        title=one.title,
        hypothesis=one.hypothesis,
        facts=(
            one.status.value,
            run,
            units,
            f"{analysis.exposures:,} exposures",
            f"coverage {one.coverage:.0%}",
            ("one look" if look.looks is Looks.FIXED else "any look") + progress,
        ),
        decision=headline,
        tone=TONES[decision.advice],
        why=decision.why,
        arms=tuple(arms),
        health=tuple(
            HealthRow(
                finding.check.value,
                finding.sound,
                finding.words,
                "" if finding.p_value is None else p_words(finding.p_value),
            )
            for finding in analysis.health
        ),
        health_words=(
            f"{unsound} of {len(analysis.health)} checks are not sound, so no effect is shown."
            if unsound
            else f"All {len(analysis.health)} checks are sound."
        ),
        effects=tuple(_effect_row(comparison) for comparison in analysis.comparisons),
        effects_words=(
            f"Intervals and p-values hold {validity}. Changes are relative to the control, adjusted by the units' "
            "pre-period (CUPED) if there is one."
        ),
        sure_words=(
            "The chance to be better and the expected loss, in % of the control, are Bayesian, with a prior that "
            "expects small effects. The smallest detectable effect is the one that this test finds with a probability "
            f"of {one.decision.power:.0%}."
        ),
        time_words=(
            f"Estimated effect on {METRIC_WORDS[one.primary.name]} at the end of each day ({one.decision.time_zone}). "
            f"The band holds on all days together: {band}"
        ),
        segments=tuple(
            SegmentRow(
                f"{segment.column}: {segment.value}",
                segment.arm,
                f"{segment.units:,}",
                *_change(segment.effect),
                p_words(segment.p_corrected),
            )
            for segment in analysis.segments
        ),
        segment_words=(
            f"{METRIC_WORDS[one.primary.name].capitalize()} in segments of the units, by their first exposure. "
            "p-values are corrected for the number of segments (Benjamini-Hochberg). Segments are exploratory only."
        ),
        novelty=tuple(
            NoveltyRow(
                row.arm,
                f"{row.units:,}",
                f"{percent(row.first)} on day {row.days[0].day}",
                f"{percent(row.last)} on day {row.days[-1].day}",
                percent(row.trend.value),
                _interval(row.trend, 100.0, " %"),
                p_words(row.p_corrected),
                _NOVELTY_WORDS[row.finding],
            )
            for row in analysis.novelty
        ),
        novelty_words=(
            f"Change of {METRIC_WORDS[one.primary.name]} by day since the first exposure, of units that are followed "
            "on all of these days. The trend is the change of the quotient of arm and control with each doubling of "
            "days, so it is 0 if the lift stays the same. p-values are corrected for the number of arms (Holm)."
        ),
        interactions=tuple(
            InteractionRow(
                row.arm,
                f"{row.other}: {row.other_arm}",
                f"{row.units:,}",
                _step(one.primary.name, row.alone),
                _step(one.primary.name, row.together),
                _step(one.primary.name, row.difference.value),
                f"{_step(one.primary.name, row.difference.low)} to {_step(one.primary.name, row.difference.high)}",
                p_words(row.p_corrected),
                "depends on the other arm: decide by both columns" if row.found else "not shown to depend",
                "bad" if row.found else "none-yet",
            )
            for row in analysis.interactions
        ),
        interaction_words=(
            f"Difference of {METRIC_WORDS[one.primary.name]} to the control among units in the control of another "
            "running experiment, and among units in its arm. p-values are corrected for the number of pairs (Holm)."
        ),
        notes=_notes(analysis),
        when=_moment(analysis.now),
    )


def _validity(analysis: Analysis) -> tuple[str, str]:
    """Return when intervals hold, and what the band over time tells, by the declared look."""
    look = analysis.look
    if look.waits:
        return (
            "at any time. They show the progress and warn of harm; only the declared look decides",
            "it warns of harm, and the declared look decides.",
        )
    if look.looks is Looks.FIXED:
        return (
            f"for the one look at the declared end, {_moment(analysis.until)}",
            "it shows the course, and the look at the declared end decides.",
        )
    return (
        "at any time, no matter how often results are read",
        "if it leaves out 0 on any day, that is a finding, no matter how often results are read.",
    )


def _effect_row(one: Comparison) -> EffectRow:
    finding, tone = ("better", "good") if one.better else ("worse", "bad") if one.worse else ("not shown", "none-yet")
    if one.guardrail is not None:
        finding, tone = {
            "safe": ("holds", "good"),
            "harmed": ("broken", "bad"),
            "unclear": ("not settled", "none-yet"),
        }[one.guardrail.verdict]
    posterior, detectable = one.posterior, one.detectable
    rises = one.direction is Direction.INCREASE
    chance = loss = "–"
    if posterior is not None:
        share = posterior.chance_to_win if rises else posterior.chance_to_lose
        chance = "below 0.1 %" if share < 0.001 else "above 99.9 %" if share > 0.999 else f"{share * 100:.1f} %"
        expected = posterior.loss_if_shipped if rises else posterior.loss_if_kept
        # In % of the control's mean if that is above 0.
        if one.control_mean <= 0.0:
            loss = _amount(one.metric, expected)
        else:
            part = expected / one.control_mean
            loss = "below 0.01 %" if part < 0.0001 else f"{part * 100:.2f} %"
    smallest = "–"
    if detectable is not None:
        relative = detectable.relative
        smallest = percent(relative).lstrip("+") if relative is not None else f"{detectable.absolute:.4g}"
    return EffectRow(
        METRIC_WORDS[one.metric], one.role.value, one.arm,
        _amount(one.metric, one.control_mean), _amount(one.metric, one.arm_mean),
        *_change(one.effect, needs_words(one.effect, one.needed_days)), p_words(one.p_corrected), finding, tone,
        chance, loss, smallest, f"{one.variance_left:.0%}" if one.variance_left < 1.0 else "–",
    )  # fmt: skip


def _change(effect: Effect, needs: str = "") -> tuple[str, str]:
    """Format the change and its interval, in % of the control if that is possible; `needs` if there is none yet."""
    if effect.relative is not None:
        value, interval = percent(effect.relative.value), _interval(effect.relative, 100.0, " %")
    else:
        value, interval = f"{effect.absolute.value:+.4g}", _interval(effect.absolute, 1.0, "")
    return value, interval or needs or "not known yet"


def _interval(estimate: Estimate, scale: float, unit: str) -> str:
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return ""
    digits = ".2f" if unit else ".4g"
    return f"{estimate.low * scale:+{digits}} to {estimate.high * scale:+{digits}}{unit}".replace("-", "−")


def _amount(metric: MetricName, value: float) -> str:
    if metric in SHARES:
        return f"{value * 100:.3g} %"
    return f"{value:.4g}"


def _step(metric: MetricName, value: float) -> str:
    """Format a difference, in percentage points for metrics that are shares."""
    text = f"{value * 100:+.3g} points" if metric in SHARES else f"{value:+.4g}"
    return text.replace("-", "−")


def _notes(analysis: Analysis) -> tuple[str, ...]:
    notes = [
        f"A unit counts from its first exposure on. Its pre-period is the {BEFORE_DAYS} days before that.",
        *_family_notes(analysis),
        "An interval of one metric can leave out 0 although the corrected p-value still says “not shown”.",
        "“Not shown” does not mean “equal”: there may be a smaller effect.",
        *_cap_notes(analysis),
        *(f"{METRIC_WORDS[metric].capitalize()} is not shown: {why}." for metric, why in analysis.unmeasured.items()),
    ]
    look = analysis.look
    if look.words not in analysis.decision.why:
        notes.append(look.words)
    if look.looks is Looks.SEQUENTIAL and look.end_at is not None:
        notes.append("Intervals are tuned to the declared end, so that early ones are wide.")
    elif look.looks is Looks.SEQUENTIAL:
        since = "as declared" if look.planned_units else "fixed after the first day"
        notes.append(f"Intervals are narrowest at {analysis.tightest_at:,.0f} units, {since}.")
    return tuple(notes)


def _family_notes(analysis: Analysis) -> tuple[str, ...]:
    """Return what Holm's correction covers, and the chance of any false finding."""
    one = analysis.experiment
    alpha = f"{one.decision.alpha:.3g}"
    notes = [
        f"Without any effect, the primary metric is called better or worse with a probability of at most {alpha}, over "
        "all arms together (Holm). Only this family decides to ship."
    ]
    if len(one.metrics) > 1:
        notes.append(
            f"The other metrics are a second family, over all of them and all arms, also with at most {alpha}. So a "
            f"false finding in either family has a probability of at most {2 * one.decision.alpha:.3g}."
        )
    if one.guardrails:
        notes.append(
            "A guardrail holds if its whole interval is better than the margin. All must hold, so nothing is corrected."
        )
    return tuple(notes)


def _cap_notes(analysis: Analysis) -> list[str]:
    """Describe the cap of revenue: its value, what it cut, and how it changes each arm's effect."""
    capped = [one for one in analysis.comparisons if one.cap is not None and math.isfinite(one.cap.value)]
    if not capped or (cap := capped[0].cap) is None:
        return []
    text = (
        f"Revenue of one unit counts up to {cap.value:,.2f}. That is the largest value but {most_cut(cap.positive):,} "
        f"of the {cap.positive:,} buyers of all arms together."
    )
    if not cap.cut:
        return [f"{text} It cuts no unit."]
    cut = f"It cuts {cap.cut:,} {'unit' if cap.cut == 1 else 'units'} and removes {cap.removed:.2%} of all revenue."
    names = list(analysis.experiment.shares)
    control = cap.bias[names.index(analysis.experiment.control)]
    changes = "; ".join(f"{one.arm} {cap.bias[names.index(one.arm)] - control:+,.4g}" for one in capped)
    return [
        f"{text} {cut} Effects are on revenue up to the cap. Without it, differences per unit change by: {changes}."
    ]


def _moment(seconds: int) -> str:
    return format_time(seconds).replace("T", " ").removesuffix(":00Z").removesuffix("Z") + " UTC"
