"""Errors and coverage of experiments for every metric, split, size and tail, as the page docs/statistics_grid.md.

    python -m tests.benchmarks.statistics_grid [--runs 2500] > docs/statistics_grid.md
    python -m tests.benchmarks.statistics_grid --pages 125

It takes half an hour on one core, and writes a line for each cell to stderr.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterable, Iterator

from tests.statistics.grid import LARGEST, LARGEST_SIDE, RUNS, Cell, Errors, aa_cells, lifted_cells, measure, upper
from tests.statistics.grid_logs import SHOPS, measure_logs

HEAD = f"""# Errors and coverage of experiments

Written by `python -m tests.benchmarks.statistics_grid`. Tests: `pytest -m statistics_grid`.

Each row is the worst of its numbers of units, from 300 to 100,000 in all arms, with {RUNS:,} experiments each. "One
look" is the share of experiments without an effect in which any difference is found at the end; "better" and "worse"
are its two directions, for the first arm. "Any look" is the share in which one is found on any of 20 days, and
"declared end" the same with `end_at`. All should be at most 5 %, 2.5 % in one direction; the largest of many is above
by chance. A cell whose 95 % interval ends above {LARGEST:.1%} ({LARGEST_SIDE:.1%} in one direction) is drawn anew, five
times as often. "Upper end" is that of the interval of the largest error.
"""

COVERAGE = """Of lifts from -20 % to +30 %: smallest share of 95 % intervals at one look that hold the truth, and the
shares of experiments without a statement.
"""
PAGES = """{runs} experiments without an effect per row, through the whole analysis with caps, CUPED and health checks:
"any look" on any of 20 days, "ship" and "worse" on any day from the 14th, "any claim" of any metric, guardrail or
segment on the last day. Units come in over 20 days or all on the first one; a few visit hundreds of times.
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=RUNS)
    parser.add_argument("--pages", type=int, metavar="RUNS", help="Only print what whole analyses of logs say.")
    asked = parser.parse_args()
    if asked.pages:
        print_pages(asked.pages)
        return
    runs = asked.runs
    print(HEAD)
    print("## Without an effect\n")
    print("| population | split | one look | better | worse | any look | declared end | upper end |")
    print("|---|---|---|---|---|---|---|---|")
    for (population, split), found in _by_row(aa_cells(), runs):
        names = ("once", "better", "worse", "any_look", "until_end")
        worst = " | ".join(f"{max(getattr(one, name) for one in found):.1%}" for name in names)
        end = max(upper(max(one.once, one.any_look, one.until_end), one.runs) for one in found)
        print(f"| {population} | {split} | {worst} | {end:.1%} |")
    print("\n## Coverage of lifts\n\n" + COVERAGE)
    print("| population | split | difference | lift | no statement |")
    print("|---|---|---|---|---|")
    for (population, split), found in _by_row(lifted_cells(), runs):
        worst = " | ".join(f"{1 - max(getattr(one, name) for one in found):.1%}" for name in ("absolute", "relative"))
        silent = [one.silent for one in found]
        print(f"| {population} | {split} | {worst} | {min(silent):.0%} to {max(silent):.0%} |")


def print_pages(runs: int) -> None:
    """Print what the whole analysis says of logs without an effect."""
    print("\n## From logs to decision\n\n" + PAGES.format(runs=runs))
    print("| shop | any look | ship | worse | any claim | sound logs |")
    print("|---|---|---|---|---|---|")
    for shop in SHOPS:
        outcomes = list(measure_logs(shop, runs))
        names = ("ever", "shipped", "worse", "claimed", "sound")
        shares = " | ".join(f"{sum(getattr(one, name) for one in outcomes) / runs:.1%}" for name in names)
        print(f"| {shop} | {shares} |", flush=True)


def _by_row(cells: Iterable[Cell], runs: int) -> Iterator[tuple[tuple[str, str], list[Errors]]]:
    rows: dict[tuple[str, str], list[Errors]] = {}
    start = time.monotonic()
    for number, cell in enumerate(cells, 1):
        errors = measure(cell, runs)
        rows.setdefault((str(cell.population), cell.split), []).append(errors)
        print(f"{time.monotonic() - start:6.0f} s {number:4d} {cell} {errors}", file=sys.stderr, flush=True)
    yield from sorted(rows.items())


if __name__ == "__main__":
    main()
