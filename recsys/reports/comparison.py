"""Comparison of models for a terminal: one line per model, with as many metrics as fit.

The formats of `recsys.evaluation.tables` have all metrics.
"""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from recsys.evaluation.comparison import ComparisonReport, MetricValue
from recsys.evaluation.conclusions import LEVEL
from recsys.evaluation.tables import legend, preamble, title
from recsys.reports.terminal import add_row, plain_table

MAIN = ("recall", "ndcg", "mrr")
"""Metrics with interval and p-value; the first two are always shown."""
FURTHER = (
    "mrr", "coverage", "style_diversity", "novelty", "serendipity", "hit_rate", "gini", "map",
    "category_calibration_error", "style_calibration_error", "precision", "capped_recall",
)  # fmt: skip
"""Metrics shown only as means: the first ones that fit."""
IN_SLICES = "ndcg"

_GAP = 2
_INTERVAL = len("0.1234 [.123, .123]")
_P_VALUE = len("<.001")
_MEAN = len("0.1234*")
_SLICE = 12


def print_comparison(report: ComparisonReport, console: Console | None = None) -> None:
    """Print the comparison, the results of all users and of the slices, and a legend."""
    console = console or Console()
    figures = report.whole.figures
    there = [metric for metric in MAIN if metric in figures[report.baseline]]
    beside = console.width - max(map(len, figures))
    main = there[: max(2, beside // (_INTERVAL + _P_VALUE + 2 * _GAP))]
    console.print(*map(Text, preamble(report)), sep="\n")
    _heading(console, title(report.whole, report))
    _print_main(console, report, main)
    console.print()
    _print_further(console, report, main, beside)
    _heading(console, f"{_at_k(IN_SLICES, report)} by slice".replace("\n", ", "))
    _print_slices(console, report)
    console.print()
    console.print(Text(legend(report), style="dim"))
    console.print(
        Text(f"*: such a p below {_decimals(LEVEL, 2)}. All metrics, with intervals: --table, --output.", "dim")
    )


def _heading(console: Console, text: str) -> None:
    console.print()
    console.print(Text(text, style="bold"))


def _print_main(console: Console, report: ComparisonReport, metrics: Sequence[str]) -> None:
    table = plain_table()
    table.add_column("model", overflow="fold")
    for metric in metrics:
        table.add_column(_at_k(metric, report), no_wrap=True)
        table.add_column("p", justify="right", no_wrap=True)
    for name, figures in report.whole.figures.items():
        cells = []
        for metric in metrics:
            interval, p_value = figures[metric].interval, figures[metric].corrected
            cells.append(f"{interval.mean:.4f} [{_decimals(interval.low)}, {_decimals(interval.high)}]")
            cells.append("" if p_value is None else "<.001" if p_value < 0.001 else _decimals(p_value))
        add_row(table, name, *cells)
    console.print(table)


def _print_further(console: Console, report: ComparisonReport, shown: Sequence[str], room: int) -> None:
    table = plain_table()
    table.add_column("model", overflow="fold")
    chosen = []
    for metric in FURTHER:
        words = metric.split("_")
        room -= _GAP + max(_MEAN, *map(len, words))
        if room < 0:
            break
        if metric in report.whole.figures[report.baseline] and metric not in shown:
            chosen.append(metric)
            table.add_column("\n".join(words), justify="right", no_wrap=True)
    for name, figures in report.whole.figures.items():
        add_row(table, name, *(_mean(figures[metric]) for metric in chosen))
    console.print(table)


def _print_slices(console: Console, report: ComparisonReport) -> None:
    table = plain_table()
    table.add_column("model", overflow="fold")
    for part in report.slices:
        table.add_column(f"{part.name}, {part.users:,} users", justify="right", max_width=_SLICE)
    for name in report.whole.figures:
        slices = (_mean(part.figures[name][IN_SLICES]) if part.figures else "-" for part in report.slices)
        add_row(table, name, *slices)
    console.print(table)


def _at_k(metric: str, report: ComparisonReport) -> str:
    return f"{metric}@{report.k}" if report.sampled is None else f"{metric}@{report.k}\nsampled {report.sampled}"


def _mean(figure: MetricValue) -> str:
    mark = "*" if figure.corrected is not None and figure.corrected < LEVEL else " "
    return f"{figure.interval.mean:.4f}{mark}"


def _decimals(value: float, digits: int = 3) -> str:
    """Format a number of at most 1 without the leading zero; 1 has the same width as the others."""
    text = f"{value:.{digits}f}"
    return text.removeprefix("0") if text < "1" else text[:-1]
