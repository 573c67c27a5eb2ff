"""Conclusions of a comparison, in sentences: each is computed from the results, so it is true of any data.

A difference counts where its p-value, corrected by Holm, is below `LEVEL`; everything else is "not shown", which is not
the same as "equal".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from recsys.errors import DataError
from recsys.evaluation.comparison import ComparisonReport, MetricValue, SliceReport
from recsys.evaluation.controls import Control, control_name
from recsys.evaluation.protocol import at_k
from recsys.evaluation.significance import Interval

LEVEL = 0.05
FEW_PEOPLE = 20
"""A slice of fewer people says next to nothing."""


METRIC_WORDS = {"ndcg": "NDCG", "recall": "Recall", "map": "MAP", "mrr": "MRR", "hit_rate": "hit rate"}


class Outcome(StrEnum):
    """Answer to the question if the first model is above the second."""

    ABOVE = "yes"
    BELOW = "no, below it"
    OPEN = "not shown"


@dataclass(frozen=True, slots=True)
class Conclusion:
    """Comparison of one model with another over the same users.

    `difference`: the first less the second, with its 95 % interval; `corrected`: the p-value by Holm.
    """

    model: str
    other: str
    difference: Interval
    corrected: float

    @property
    def outcome(self) -> Outcome:
        """By the test alone; the interval shows how large the difference may be."""
        if self.corrected >= LEVEL:
            return Outcome.OPEN
        return Outcome.ABOVE if self.difference.mean > 0 else Outcome.BELOW

    def __str__(self) -> str:
        return f"{self.outcome}, {format_difference(self.difference)} ({p_words(self.corrected)})"


def conclude(part: SliceReport, baseline: str, model: str, other: str, metric: str) -> Conclusion | None:
    """`model` against `other`, one of which is the `baseline` of the report; None where nobody is in both.

    Raises DataError where neither is the baseline, as no other pair was tested, or the report lacks one of them.
    """
    if baseline not in (model, other) or model == other:
        raise DataError(f"{model!r} against {other!r} was not tested; one of the two must be the baseline {baseline!r}")
    tested = _figure(part, other if model == baseline else model, metric)
    if tested is None or tested.difference is None or tested.corrected is None:
        return None
    above = tested.difference
    if model == baseline:
        above = Interval(-above.mean, -above.high, -above.low)
    return Conclusion(model, other, above, tested.corrected)


def accuracy_conclusions(report: ComparisonReport, metric: str = "ndcg", popular: str = "popularity") -> list[str]:
    """Say if the baseline of the report beats popularity, and if any other model beats the baseline.

    Raises DataError for a metric or a model that the report does not have.
    """
    served, label = report.baseline, metric_label(report, metric)
    lines = []
    if served != popular:
        lines.append(
            f"{served} beats {popular} on {label}: {_in_words(report.whole, served, served, popular, metric)}."
        )
    others = [name for name in report.whole.figures if name not in (served, popular, *controls_of(report).values())]
    verdicts = {name: conclude(report.whole, served, name, served, metric) for name in others}
    better = [f"{name} ({found})" for name, found in verdicts.items() if found and found.outcome is Outcome.ABOVE]
    if better:
        lines.append(f"Better than {served} on this data: {', '.join(better)}.")
    elif others:
        open_ones = [name for name, found in verdicts.items() if found is None or found.outcome is Outcome.OPEN]
        tail = f" Not told apart from it by this many users: {', '.join(open_ones)}." if open_ones else ""
        lines.append(f"No other model is shown to beat {served}.{tail}")
    return lines


def slice_conclusions(report: ComparisonReport, metric: str = "ndcg", popular: str = "popularity") -> list[str]:
    """For each slice whether the baseline beats popularity there, or that too few people are in it to tell."""
    served = report.baseline
    lines = []
    for part in report.slices:
        if part.users < FEW_PEOPLE:
            lines.append(f"{part.name}: only {part.users:,} users, which says next to nothing.")
        else:
            said = _in_words(part, served, served, popular, metric)
            lines.append(f"{part.name} ({part.users:,} users): {served} beats {popular}: {said}.")
    return lines


def beyond_conclusions(report: ComparisonReport, popular: str = "popularity") -> list[str]:
    """Say how much of the catalog is shown, and compare diversity and serendipity with popularity's lists."""
    served = report.baseline
    lines = []
    shown = {name: _figure(report.whole, name, "coverage") for name in (served, popular)}
    reach = [f"{name} shows {figure.interval.mean:.0%}" for name, figure in shown.items() if figure is not None]
    lines.append(f"Of the catalog, to anybody at all, {', '.join(reach)}.")
    for metric, words in (("novelty", "less known items"), ("style_diversity", "more varied looks in one list")):
        if metric in report.whole.figures[served]:
            lines.append(
                f"{served} shows {words} than {popular}: {_in_words(report.whole, served, served, popular, metric)}."
            )
    return lines


def style_conclusions(report: ComparisonReport, metric: str = "ndcg") -> list[str]:
    """Say what style adds to the baseline: its lead over itself with style vectors that carry no information.

    Raises DataError where the report has no controls of its baseline.
    """
    served, controls = report.baseline, controls_of(report)
    if not controls:
        raise DataError(f"the comparison has no controls of {served!r}: ask for them by controls=True")
    lines = []
    for part in (report.whole, *report.slices):
        if part.users < FEW_PEOPLE:
            continue
        said = [
            f"{_in_words(part, served, served, name, metric)} over {control.value}"
            for control, name in controls.items()
        ]
        lines.append(f"{part.name}: style lifts {metric_label(report, metric)}: {'; '.join(said)}.")
    return lines


def controls_of(report: ComparisonReport) -> dict[Control, str]:
    """Return the names of the baseline's controls that a report has."""
    names = {control: control_name(report.baseline, control) for control in Control}
    return {control: name for control, name in names.items() if name in report.whole.figures}


def bullets(lines: Sequence[str]) -> str:
    """Sentences as a Markdown list."""
    return "\n".join(f"- {line[:1].upper()}{line[1:]}" for line in lines)


def metric_label(report: ComparisonReport, metric: str) -> str:
    """Return a metric's usual name with the length of the lists, and a note if it is sampled."""
    return at_k(METRIC_WORDS.get(metric, metric), report.k, report.sampled)


def format_difference(interval: Interval) -> str:
    """Return a difference with its interval as text, with signs."""
    return f"{interval.mean:+.3f} [{interval.low:+.3f}, {interval.high:+.3f}]"


def p_words(p_value: float) -> str:
    """Return a p-value as text with three digits."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"


def _in_words(part: SliceReport, baseline: str, model: str, other: str, metric: str) -> str:
    found = conclude(part, baseline, model, other, metric)
    return "nobody can be asked" if found is None else str(found)


def _figure(part: SliceReport, model: str, metric: str) -> MetricValue | None:
    """None where nobody is in the part."""
    if not part.figures:
        return None
    for place, key, known in (("models", model, part.figures), ("metrics", metric, part.figures.get(model, {}))):
        if key not in known:
            raise DataError(f"{part.name}: {key!r} is none of the {place} compared: {', '.join(known)}")
    return part.figures[model][metric]
