"""Answers as tables for a terminal, or as JSON for a program."""

from __future__ import annotations

import json
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsys.evaluation.protocol import at_k
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Recommendation, TasteMode, TasteReport, TextReport
from recsys.reports.labels import BASIS_WORDS, named_styles
from recsys.tuning.tune import TuningReport
from style.fidelity import FidelityReport


def print_answer(recommender: Recommender, answer: Answer) -> None:
    """Print a ranked list with the reason of each item."""
    console = Console()
    if not answer.recommendations:
        console.print("Nothing is left: no item passes the filters.")
        return
    table = plain_table()
    table.add_column("#", justify="right", style="dim")
    table.add_column("item", overflow="fold")
    table.add_column("title", overflow="fold")
    table.add_column("price", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True, style="dim")
    table.add_column("why", overflow="fold")
    for rank, found in enumerate(answer.recommendations, start=1):
        card = recommender.catalog.card(found.item_id)
        price = "" if card.price is None else f"{card.price:,.2f}"
        add_row(table, str(rank), card.item_id, card.title, price, f"{found.score:.3f}", found.reason)
    console.print(table)


def print_basis(answer: Answer) -> None:
    """Print what a list stands on."""
    Console().print(Text(f"{BASIS_WORDS[answer.basis]} Model {answer.model_version}.", style="dim"))


def print_fidelity(report: FidelityReport) -> None:
    """Print the strength used, how far the product has changed, and what held the strength back."""
    console = Console()
    requested, used = (f"texture {s.texture:.3g}, color {s.color:.3g}" for s in (report.requested, report.used))
    console.print(Text(f"strength used: {used}; requested: {requested}"))
    if report.limited_by:
        console.print(Text(f"limited by {', '.join(report.limited_by)}"))
    measures = report.measures
    if measures is None:
        return
    console.print(
        Text(
            f"product: color difference {measures.mean_difference:.1f}, 95th percentile "
            f"{measures.high_difference:.1f}; structure {measures.structure:.2f}; edges left {measures.edges:.0%}",
            style="dim",
        )
    )


def answer_json(recommender: Recommender, answer: Answer) -> str:
    """A ranked list as JSON."""
    entries = [_entry(recommender, found) for found in answer.recommendations]
    result = {"items": entries, "basis": answer.basis.value, "model_version": answer.model_version}
    return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)


def plain_table() -> Table:
    """An empty table without lines."""
    return Table(box=None, pad_edge=False, header_style="dim")


def add_row(table: Table, *cells: str) -> None:
    """Add a row of plain texts."""
    # Titles are users' data: as Text, brackets in them are no markup.
    table.add_row(*map(Text, cells))


def _entry(recommender: Recommender, found: Recommendation) -> dict[str, Any]:
    card = recommender.catalog.card(found.item_id)
    return {
        "item_id": found.item_id,
        "title": card.title,
        "category": card.category,
        "price": card.price,
        "score": found.score,
        "contributions": dict(found.contributions),
        "reason": found.reason,
        "because": found.because,
        "mode": found.mode,
        "propensity": found.propensity,
        "explored": found.explored,
    }


def print_taste(recommender: Recommender, report: TasteReport) -> None:
    """Print the modes of a taste."""
    console = Console()
    if not report.modes:
        console.print("Nothing is known about this person's taste yet.")
        return
    table = plain_table()
    for name in ("mode", "share"):
        table.add_column(name, justify="right")
    for name in ("near", "items that show it"):
        table.add_column(name, overflow="fold")
    for index, mode in enumerate(report.modes):
        titles = (recommender.catalog.card(item).title or item for item in mode.items)
        add_row(table, str(index), f"{mode.share:.0%}", _near(mode), "; ".join(titles))
    console.print(table)


def print_words(report: TextReport) -> None:
    """Print what words were understood to mean, and the style references nearest to that."""
    shares = (f"{one.word}{f' ({one.read_as})' if one.read_as else ''} {one.share:.0%}" for one in report.words)
    unknown = f"; not known: {', '.join(report.unknown)}" if report.unknown else ""
    console = Console()
    console.print(Text(f"understood: {', '.join(shares)}{unknown}"))
    console.print(Text("nearest: " + "; ".join(f"{style.title} ({style.similarity:.2f})" for style in report.styles)))


def _near(mode: TasteMode) -> str:
    return "; ".join(f"{style.title} ({style.similarity:.2f})" for style in named_styles(mode)) or "no style reference"


def print_tuning(report: TuningReport) -> None:
    """Print the best settings beside the defaults, what each comes to, and whether they differ."""
    console = Console()
    ended = ", stopped" if report.stopped else ""
    console.print(
        f"{report.model}: {report.trials:,} trials{ended}; validation by {report.split} in {report.rounds} rounds, "
        f"{report.users:,} people, the whole catalog ranked; the test part was not used."
    )
    table = plain_table()
    table.add_column("")
    for name in ("defaults", "best"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, value in report.best.items():
        add_row(table, name, str(report.defaults[name]), str(value))
    qualities = (report.default_quality, report.best_quality)
    cells = (f"{quality.mean:.4f} [{quality.low:.4f}, {quality.high:.4f}]" for quality in qualities)
    add_row(table, at_k(report.metric, report.k), *cells)
    console.print(table)
    gain = report.difference.difference
    console.print(
        f"Gain {gain.mean:+.4f} [{gain.low:+.4f}, {gain.high:+.4f}], p {report.difference.p_value:.4f} (paired "
        "permutation test). The best was chosen on these people, so this flatters; only other events tell.",
        style="dim",
    )
