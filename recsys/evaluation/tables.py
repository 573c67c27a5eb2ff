"""Comparison as Markdown, text, CSV or JSON: the task, every model, every slice, and the baseline."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path

from recsys.errors import RequestError
from recsys.evaluation.comparison import ComparisonReport, SliceReport
from recsys.evaluation.protocol import at_k


class TableFormat(StrEnum):
    """Format of a written comparison."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CSV = "csv"
    JSON = "json"


_ACCURACY = ("recall", "ndcg", "map", "mrr", "hit_rate", "precision", "capped_recall")
_DIGITS = 9
"""Digits of numbers in JSON: sums in another order differ beyond."""


_SUFFIXES = {
    ".txt": TableFormat.TEXT,
    ".md": TableFormat.MARKDOWN,
    ".csv": TableFormat.CSV,
    ".json": TableFormat.JSON,
}
_CSV_CONTEXT = ("split", "k", "sampled", "baseline")
_CSV_FIGURE = ("part", "people", "model", "metric", "mean", "low", "high", "people_defined", "p", "p_corrected")


def checked_output(path: Path, form: TableFormat | None = None) -> TableFormat:
    """Return the format of an output file: `form`, or the one of its suffix.

    Raises RequestError for another suffix, or where there is no folder to write the file into.
    """
    found = form or _SUFFIXES.get(path.suffix.lower())
    if found is None:
        raise RequestError("output", f"{path}: no format goes with {path.suffix!r}; use {', '.join(_SUFFIXES)}")
    if path.is_dir() or not path.parent.is_dir():
        raise RequestError("output", f"{path}: cannot be written; name a file in a folder that is there")
    return found


def render(report: ComparisonReport, form: TableFormat) -> str:
    """Return the report as text in one format; it ends with a line end."""
    match form:
        case TableFormat.JSON:
            return as_json(report)
        case TableFormat.CSV:
            return as_csv(report)
        case TableFormat.MARKDOWN:
            return as_markdown(report)
        case TableFormat.TEXT:
            return as_text(report)


def as_csv(report: ComparisonReport) -> str:
    """One row for each part, model and metric, with what was asked on every row; numbers to nine digits."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([*_CSV_CONTEXT, *_CSV_FIGURE])
    context = [getattr(report, name) for name in _CSV_CONTEXT]
    for part in (report.whole, *report.slices):
        for model, figures in part.figures.items():
            for metric, figure in figures.items():
                found = figure.interval
                numbers = (found.mean, found.low, found.high, figure.users, figure.p_value, figure.corrected)
                writer.writerow([*context, part.name, part.users, model, metric, *map(_round_floats, numbers)])
    return buffer.getvalue()


def as_json(report: ComparisonReport) -> str:
    """All of the report, with a note where figures are sampled; numbers to nine digits."""
    whole = {"full_ranking": report.sampled is None, **asdict(report)}
    return json.dumps(_round_floats(whole), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def as_markdown(report: ComparisonReport) -> str:
    """Headings and tables."""
    lines = [" ".join(preamble(report)), ""]
    for heading, table in _tables(report):
        lines += [f"### {heading}", ""]
        if table:
            header, *rows = table
            lines += [_row(header), _row(["---"] * len(header)), *map(_row, rows), ""]
        else:
            lines += ["No user is in this slice.", ""]
    return "\n".join([*lines, legend(report)]) + "\n"


def as_text(report: ComparisonReport) -> str:
    """Aligned columns, for a terminal."""
    lines = [*preamble(report), ""]
    for heading, table in _tables(report):
        lines.append(heading)
        widths = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
        lines += [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
        ]
        lines += ["" if table else "no user is in this slice\n"]
    return "\n".join([*lines, legend(report)]) + "\n"


def preamble(report: ComparisonReport) -> list[str]:
    """Describe the compared task in sentences."""
    candidates = (
        f"all {report.items:,} items ranked, no sampled negatives"
        if report.sampled is None
        else f"SAMPLED: relevant items ranked against {report.sampled:,} others only; says little of full rankings"
    )
    return [
        f"Split: {report.split}; {report.train_events:,} events to learn from, {report.test_events:,} held out.",
        f"{report.whole.users:,} users with {report.whole.relevant_items:,} relevant items ({report.skipped:,} users "
        f"with none left out); {candidates}.",
    ]


def legend(report: ComparisonReport) -> str:
    """Explain how to read the results."""
    return (
        f"Brackets: 95 % intervals over users. p: paired test against {report.baseline}, the baseline, by Holm "
        f"corrected for the number of models. Seed {report.seed}."
    )


def _tables(report: ComparisonReport) -> Iterable[tuple[str, list[list[str]]]]:
    metrics = list(report.whole.figures[report.baseline])
    right = [metric for metric in _ACCURACY if metric in metrics]
    yield title(report.whole, report, "accuracy"), _table(report, report.whole, right)
    yield (
        title(report.whole, report, "beyond accuracy"),
        _table(report, report.whole, [metric for metric in metrics if metric not in right]),
    )
    for part in report.slices:
        found = list(part.figures[report.baseline]) if part.figures else []
        yield title(part, report), _table(report, part, found) if found else []


def title(part: SliceReport, report: ComparisonReport, what: str = "") -> str:
    """Return a slice's name and counts, and which of its metrics are listed."""
    counts = f"{part.users:,} users, {part.relevant_items:,} relevant items"
    sampled = "" if report.sampled is None else f", sampled {report.sampled}"
    return f"{part.name[:1].upper()}{part.name[1:]}{', ' if what else ''}{what} ({counts}{sampled})"


def _table(report: ComparisonReport, part: SliceReport, metrics: Sequence[str]) -> list[list[str]]:
    rows = [["model", *(at_k(metric, report.k, report.sampled) for metric in metrics)]]
    for name, figures in part.figures.items():
        label = f"{name} (baseline)" if name == report.baseline else name
        cells = [label]
        for metric in metrics:
            value = figures[metric]
            interval = value.interval
            text = f"{interval.mean:.4f} [{interval.low:.4f}, {interval.high:.4f}]"
            if value.corrected is not None:
                text += " p<0.001" if value.corrected < 0.001 else f" p={value.corrected:.3f}"
            cells.append(text if value.users == part.users else f"{text} n={value.users:,}")
        rows.append(cells)
    return rows


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _round_floats(value: object) -> object:
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, dict):
        return {key: _round_floats(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_round_floats(each) for each in value]
    return value
