"""An analysis as the words and figures of its page, the same for HTML, Markdown and a terminal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from recsys.experiments.analysis.analyze import Analysis
from recsys.experiments.analysis.comparisons import CAP_PERCENTILE, Comparison
from recsys.experiments.analysis.decision import METRIC_WORDS, Advice, p_words, percent
from recsys.experiments.analysis.log_health import Finding
from recsys.experiments.analysis.unit_table import BEFORE_DAYS
from recsys.experiments.design.definition import Experiment, Looks
from recsys.experiments.design.fields import iso
from recsys.experiments.design.metric_names import Direction, MetricName
from recsys.experiments.stats.effect import Effect, Estimate

TONES = {Advice.SHIP: "ship", Advice.STOP: "stop", Advice.KEEP_GOING: "wait", Advice.REPAIR: "repair"}
SHARES = (MetricName.CTR, MetricName.ADD_TO_CART, MetricName.CONVERSION, MetricName.SATISFACTION)
"""Metrics that are shares, told in %."""


@dataclass(frozen=True, slots=True)
class ArmRow:
    """An arm, in words."""

    name: str
    control: bool
    words: str
    share: str
    units: str


@dataclass(frozen=True, slots=True)
class HealthRow:
    """A check, in words."""

    name: str
    sound: bool
    words: str
    p: str


@dataclass(frozen=True, slots=True)
class EffectRow:
    """A metric of an arm, in words; `tone`: good, bad or none-yet."""

    metric: str
    role: str
    treatment: str
    control: str
    value: str
    change: str
    interval: str
    p: str
    verdict: str
    tone: str
    chance: str
    loss: str
    seen: str
    variance_left: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A segment of an arm, in words."""

    name: str
    treatment: str
    units: str
    change: str
    interval: str
    p: str


@dataclass(frozen=True, slots=True)
class View:
    """All that the page says."""

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
    notes: tuple[str, ...]
    when: str


def view_of(analysis: Analysis) -> View:
    """The words of an analysis."""
    one, conclusion = analysis.experiment, analysis.conclusion
    ship = f"Ship {conclusion.treatment}" if conclusion.treatment else conclusion.advice.value.capitalize()
    unsound = sum(not finding.sound for finding in analysis.health)
    return View(
        key=one.key,
        title=one.title,
        hypothesis=one.hypothesis,
        facts=_facts(analysis),
        decision=ship,
        tone=TONES[conclusion.advice],
        why=conclusion.why,
        arms=tuple(_arm(one, name, analysis.units[name]) for name in one.shares),
        health=tuple(_checked(finding) for finding in analysis.health),
        health_words=(
            f"{unsound} of {len(analysis.health)} checks are not sound, so no effect is shown."
            if unsound
            else f"All {len(analysis.health)} checks are sound."
        ),
        effects=tuple(_effect(comparison) for comparison in analysis.comparisons),
        effects_words=_effects_words(analysis),
        sure_words=(
            "The chance to be better and the expected loss, in % of the control, are Bayesian, with a prior that "
            "expects small effects. The smallest effect found by now is what this test finds with a probability of "
            f"{one.decision.power:.0%}."
        ),
        time_words=(
            f"What was known of {METRIC_WORDS[one.primary.name]} at the end of each day. The band holds on all days "
            "together: whenever it leaves out 0, that is a finding, however often one looks."
        ),
        segments=tuple(
            SegmentRow(
                f"{segment.column}: {segment.value}",
                segment.treatment,
                f"{segment.units:,}",
                *_change(segment.effect),
                p_words(segment.p_corrected),
            )
            for segment in analysis.segments
        ),
        segment_words=(
            f"{METRIC_WORDS[one.primary.name].capitalize()} in parts of the units, as they were at first. p-values are "
            "corrected for the number of segments (Benjamini-Hochberg). This explores; it decides nothing."
        ),
        notes=_notes(analysis),
        when=_moment(analysis.now),
    )


def _facts(analysis: Analysis) -> tuple[str, ...]:
    one = analysis.experiment
    since = _moment(one.started_at or 0)
    run = f"{since} to {_moment(analysis.until)} ({analysis.days:.1f} days)"
    forced = f", {analysis.forced} forced ones left out" if analysis.forced else ""
    units = f"{sum(analysis.units.values()):,} {one.unit}s{forced}"
    return (f"{one.status}", run, units, f"{analysis.exposures:,} exposures", f"coverage {one.coverage:.0%}")


def _arm(one: Experiment, name: str, units: int) -> ArmRow:
    options = one.arms[name].overrides.model_dump(mode="json", exclude_none=True)
    told = ", ".join(f"{option} = {value}" for option, value in options.items()) or "served as without the experiment"
    description = one.arms[name].description
    words = f"{description} ({told})" if description else told
    return ArmRow(name, name == one.control, words, f"{one.shares[name]:.1%}", f"{units:,}")


def _checked(finding: Finding) -> HealthRow:
    p_value = "" if finding.p_value is None else p_words(finding.p_value)
    return HealthRow(finding.check.value, finding.sound, finding.words, p_value)


def _effect(one: Comparison) -> EffectRow:
    verdict, tone = _verdict(one)
    posterior, seen = one.posterior, one.seen
    rises = one.direction is Direction.INCREASE
    chance = loss = "–"
    if posterior is not None:
        chance = _share(posterior.chance_to_win if rises else posterior.chance_to_lose)
        loss = _loss(one, posterior.loss_if_shipped if rises else posterior.loss_if_kept)
    found = "–"
    if seen is not None:
        found = percent(seen.relative).lstrip("+") if seen.relative is not None else f"{seen.absolute:.4g}"
    return EffectRow(
        METRIC_WORDS[one.metric], one.role.value, one.treatment,
        _amount(one.metric, one.control_mean), _amount(one.metric, one.treatment_mean),
        *_change(one.effect), p_words(one.p_corrected), verdict, tone,
        chance, loss, found, f"{one.variance_left:.0%}" if one.variance_left < 1.0 else "–",
    )  # fmt: skip


def _verdict(one: Comparison) -> tuple[str, str]:
    if one.guardrail is not None:
        return {
            "safe": ("holds", "good"),
            "harmed": ("broken", "bad"),
            "unclear": ("not settled", "none-yet"),
        }[one.guardrail.verdict]
    return ("better", "good") if one.better else ("worse", "bad") if one.worse else ("not shown", "none-yet")


def _change(effect: Effect) -> tuple[str, str]:
    """The change and its interval: in % of the control where that is possible."""
    if effect.relative is not None:
        return percent(effect.relative.value), _interval(effect.relative, 100.0, " %")
    return f"{effect.absolute.value:+.4g}", _interval(effect.absolute, 1.0, "")


def _interval(estimate: Estimate, scale: float, unit: str) -> str:
    if not (math.isfinite(estimate.low) and math.isfinite(estimate.high)):
        return "not known yet"
    digits = ".2f" if unit else ".4g"
    return f"{estimate.low * scale:+{digits}} to {estimate.high * scale:+{digits}}{unit}".replace("-", "−")


def _amount(metric: MetricName, value: float) -> str:
    if metric in SHARES:
        return f"{value * 100:.3g} %"
    return f"{value:.4g}"


def _loss(one: Comparison, loss: float) -> str:
    """As a share of the control's mean where that is above 0."""
    if one.control_mean <= 0.0:
        return _amount(one.metric, loss)
    share = loss / one.control_mean
    return "below 0.01 %" if share < 0.0001 else f"{share * 100:.2f} %"


def _share(share: float) -> str:
    return "below 0.1 %" if share < 0.001 else "above 99.9 %" if share > 0.999 else f"{share * 100:.1f} %"


def _effects_words(analysis: Analysis) -> str:
    decision = analysis.experiment.decision
    if decision.looks is Looks.SEQUENTIAL:
        when = "Intervals and p-values hold whenever one looks, and however often"
    else:
        when = f"Intervals and p-values are for one look, after at least {decision.minimum_days} days"
    return (
        f"{when}. Changes are relative to the control, adjusted by what units did before (CUPED) where that is known."
    )


def _notes(analysis: Analysis) -> tuple[str, ...]:
    notes = [
        f"A unit counts from its first exposure on. Its past are the {BEFORE_DAYS} days before that.",
        "p-values are corrected by Holm: of the deciding metric over the arms, of the others over metrics and arms. A "
        "guardrail holds if its whole interval is better than the margin.",
        "An interval of one metric can leave out 0 where the corrected p-value still says “not shown”.",
        "“Not shown” does not mean “equal”: a smaller effect may be there.",
        *_caps(analysis.comparisons),
        *(f"{METRIC_WORDS[metric].capitalize()} is not shown: {why}." for metric, why in analysis.unmeasured.items()),
    ]
    if analysis.experiment.decision.looks is Looks.SEQUENTIAL:
        notes.append(
            f"Intervals are narrowest at {analysis.tightest_at:,.0f} units, set by the first day and never moved."
        )
    return tuple(notes)


def _caps(comparisons: Sequence[Comparison]) -> tuple[str, ...]:
    caps = {one.cap for one in comparisons if one.cap is not None and math.isfinite(one.cap)}
    return tuple(
        f"Revenue of one unit counts up to {cap:,.2f}, the {CAP_PERCENTILE:.1%} point of those who bought, so that one "
        "large order decides nothing."
        for cap in sorted(caps)
    )


def _moment(seconds: int) -> str:
    return iso(seconds).replace("T", " ").removesuffix(":00Z").removesuffix("Z") + " UTC"
