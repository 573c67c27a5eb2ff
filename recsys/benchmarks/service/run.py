"""Measure all promises of the service, one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from recsys.benchmarks.service.child import ServerError
from recsys.benchmarks.service.deadlines import measure_deadlines
from recsys.benchmarks.service.draining import measure_draining
from recsys.benchmarks.service.events import measure_events
from recsys.benchmarks.service.memory import measure_memory
from recsys.benchmarks.service.new_items import measure_new_items
from recsys.benchmarks.service.overload import measure_overload
from recsys.benchmarks.service.recommending import measure_recommendations
from recsys.benchmarks.service.results import Bench, Measure, ResultRow
from recsys.benchmarks.service.swapping import measure_swaps
from recsys.errors import ConfigError

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "recommendations": measure_recommendations,
        "overload": measure_overload,
        "swap": measure_swaps,
        "drain": measure_draining,
        "events": measure_events,
        "deadline": measure_deadlines,
        "memory": measure_memory,
        "new-item": measure_new_items,
    }
)


def serve_lines(bench: Bench, only: Sequence[str] = ()) -> Iterator[str]:
    """Yield the lines of a table of the named promises (default: all). Raises ConfigError for an unknown name.

    If a server does not start, only its own rows are missing, and the table says so.
    """
    unknown = [name for name in only if name not in MEASURES]
    if unknown:
        raise ConfigError(f"there is no measurement {unknown[0]!r}: use one of {', '.join(MEASURES)}")
    bench.folder.mkdir(parents=True, exist_ok=True)
    yield f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before; loopback, one worker; {bench.effort}"
    yield ""
    yield str(ResultRow("promise", "aim", "measured", "baseline"))
    yield "|---|---|---|---|"
    for name in only or MEASURES:
        try:
            yield from map(str, MEASURES[name](bench))
        except ServerError as error:
            yield str(ResultRow(name, "", f"not measured: {' '.join(str(error).split())}"))
