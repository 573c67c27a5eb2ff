"""Arguments and texts that several commands of experiments share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.shared import choose, split_pair

if TYPE_CHECKING:
    from recsys.experiments.analysis.log_sources import Reading
    from recsys.experiments.design.definition import Experiment, Ranges

Key = Annotated[str, typer.Argument(metavar="KEY", help="Key of the experiment.")]
SegmentOption = Annotated[
    list[str] | None, typer.Option("--segments", metavar="FIRST-LAST", help="Segments of the namespace, 0 to 999.")
]

ColumnOption = Annotated[
    list[str] | None, typer.Option("--column", metavar="YOURS=NAME", help="Rename a column of the logs; repeatable.")
]
DecimalOption = Annotated[
    str | None,
    typer.Option("--decimal", metavar="SIGN", help="Decimal sign in the logs: . or , Default: each column shows it."),
]
DatesOption = Annotated[
    str | None, typer.Option("--dates", metavar="ORDER", help="Order in dates such as 05/06/2024: dmy or mdy.")
]
EncodingOption = Annotated[
    str | None, typer.Option("--encoding", help="Character encoding of text logs, as cp1251. Default: recognized.")
]


def parse_reading(
    column: Sequence[str] | None, decimal: str | None, dates: str | None, encoding: str | None
) -> Reading | None:
    """Parse the options that say how log files are read; None without any."""
    from recsys.dataset.importers.table import Customs
    from recsys.dataset.importers.values.times import DateOrder
    from recsys.experiments.analysis.log_sources import Reading

    if not column and (decimal, dates, encoding) == (None, None, None):
        return None
    if decimal not in (None, ".", ","):
        raise typer.BadParameter(f"--decimal {decimal!r}: use one of . and ,")
    order = None if dates is None else choose(DateOrder, dates, "--dates")
    renames = dict(split_pair(text, "--column", "YOURS=NAME") for text in column or ())
    return Reading(renames, Customs(decimal=decimal or "", dates=order), encoding)


def parse_weights(texts: Sequence[str]) -> dict[str, float]:
    """Parse arms given as NAME[=WEIGHT], each once."""
    weights: dict[str, float] = {}
    for name, _, weight in (text.partition("=") for text in texts):
        if name in weights:
            raise typer.BadParameter(f"--arm {name!r}: named twice; give each arm once")
        weights[name] = parse_number(weight or "1", "--arm")
    return weights


def parse_ranges(texts: Sequence[str] | None) -> Ranges:
    """Parse segments given as FIRST-LAST."""
    ranges = []
    for text in texts or ():
        first, _, last = text.partition("-")
        if not (first.isdecimal() and (last or first).isdecimal()):
            raise typer.BadParameter(f"--segments {text!r}: expected FIRST-LAST, as 0-499")
        ranges.append((int(first), int(last or first)))
    return tuple(ranges)


def parse_number(text: str, option: str) -> float:
    """Parse a number of an option."""
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{option}: {text!r} is not a number") from None


def parse_moment(text: str, option: str) -> int:
    """Parse a date with time zone of an option, to seconds since 1970 UTC."""
    from recsys.experiments.design.fields import parse_time

    try:
        return int(str(parse_time(text)))
    except ValueError as error:
        raise typer.BadParameter(f"{option}: {error}") from None


def describe_arms(one: Experiment) -> str:
    """Return the arms with their shares in one line."""
    return " / ".join(f"{name} {share:.0%}" for name, share in one.shares.items())


def print_state(one: Experiment) -> None:
    """Print the status, coverage and arms of an experiment."""
    typer.echo(f"{one.key}: {one.status}, coverage {one.coverage:.1%}, {describe_arms(one)}")
