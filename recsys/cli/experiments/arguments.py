"""Arguments and texts that several commands of experiments share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from recsys.experiments.design.definition import Experiment, Ranges

Key = Annotated[str, typer.Argument(metavar="KEY", help="Key of the experiment.")]
SegmentOption = Annotated[
    list[str] | None, typer.Option("--segments", metavar="FIRST-LAST", help="Segments of the namespace, 0 to 999.")
]


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
