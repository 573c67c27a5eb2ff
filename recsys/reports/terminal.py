"""Answers as tables for a terminal, or as JSON."""

from __future__ import annotations

import json

from rich.console import Console
from rich.table import Table
from rich.text import Text

from recsys.evaluation.protocol import at_k
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, TasteReport, TextReport
from recsys.schema import BASIS_TEXTS
from recsys.tuning.tune import TuningReport
from style.fidelity import FidelityReport


def print_answer(recommender: Recommender, answer: Answer) -> None:
    """Print a ranked list with the reason of each item."""
    console = Console()
    if not answer.recommendations:
        console.print("The list is empty: no item passes the filters.")
        return
    table = plain_table()
    table.add_column("#", justify="right", style="dim")
    table.add_column("item", overflow="fold")
    table.add_column("title", overflow="fold")
    table.add_column("price", justify="right", no_wrap=True)
    table.add_column("score", justify="right", no_wrap=True, style="dim")
    table.add_column("why", overflow="fold")
    for rank, entry in enumerate(answer.recommendations, start=1):
        card = recommender.catalog.card(entry.item_id)
        price = "" if card.price is None else f"{card.price:,.2f}"
        add_row(table, str(rank), card.item_id, card.title, price, f"{entry.score:.3f}", entry.reason)
    console.print(table)


def print_basis(answer: Answer) -> None:
    """Print the basis of a list and the version of the model."""
    Console().print(Text(f"{BASIS_TEXTS[answer.basis]} Model {answer.model_version}.", style="dim"))


def print_fidelity(report: FidelityReport) -> None:
    """Print the strength used, the changes of the product, and the limits that lowered the strength."""
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
    """Format a ranked list as JSON."""
    entries = []
    for entry in answer.recommendations:
        card = recommender.catalog.card(entry.item_id)
        entries.append(
            {
                "item_id": entry.item_id,
                "title": card.title,
                "category": card.category,
                "price": card.price,
                "score": entry.score,
                "contributions": dict(entry.contributions),
                "reason": entry.reason,
                "because": entry.because,
                "taste_component": entry.component,
                "propensity": entry.propensity,
                "explored": entry.explored,
            }
        )
    result = {"items": entries, "basis": answer.basis.value, "model_version": answer.model_version}
    return json.dumps(result, indent=2, ensure_ascii=False, allow_nan=False)


def plain_table() -> Table:
    """Return an empty table without lines."""
    return Table(box=None, pad_edge=False, header_style="dim")


def add_row(table: Table, *cells: str) -> None:
    """Add a row of plain texts."""
    # Titles are data: as Text, brackets in them are not taken for markup.
    table.add_row(*map(Text, cells))


def print_taste(recommender: Recommender, report: TasteReport) -> None:
    """Print the components of a taste."""
    console = Console()
    if not report.components:
        console.print("Nothing is known about this user's taste yet.")
        return
    table = plain_table()
    for name in ("component", "share"):
        table.add_column(name, justify="right")
    for name in ("near", "items that show it"):
        table.add_column(name, overflow="fold")
    for index, component in enumerate(report.components):
        titles = (recommender.catalog.card(item).title or item for item in component.items)
        styles = "; ".join(f"{style.title} ({style.similarity:.2f})" for style in component.close_styles)
        add_row(table, str(index), f"{component.share:.0%}", styles or "no style reference", "; ".join(titles))
    console.print(table)


def print_words(report: TextReport) -> None:
    """Print the meaning of words, and the style references nearest to it."""
    shares = (f"{one.word}{f' ({one.read_as})' if one.read_as else ''} {one.share:.0%}" for one in report.words)
    unknown = f"; not known: {', '.join(report.unknown)}" if report.unknown else ""
    console = Console()
    console.print(Text(f"understood: {', '.join(shares)}{unknown}"))
    console.print(Text("nearest: " + "; ".join(f"{style.title} ({style.similarity:.2f})" for style in report.styles)))


def print_tuning(report: TuningReport) -> None:
    """Print the best settings beside the defaults, the quality of each, and the test of their difference."""
    console = Console()
    ended = ", stopped" if report.stopped else ""
    console.print(
        f"{report.model}: {report.trials:,} trials{ended}; validation by {report.split} in {report.rounds} rounds, "
        f"{report.users:,} users, the whole catalog ranked; the test part was not used."
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
        "test). The best was chosen on these users, so this gain is optimistic; test it on other events.",
        style="dim",
    )
