"""All promises of the service, measured one after the other."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from recsys.benchmarks.service.child import ServerError
from recsys.benchmarks.service.deadlines import deadlines
from recsys.benchmarks.service.draining import draining
from recsys.benchmarks.service.events import events
from recsys.benchmarks.service.figures import Bench, Figure, Measure
from recsys.benchmarks.service.memory import memory
from recsys.benchmarks.service.new_items import new_items
from recsys.benchmarks.service.overload import overload
from recsys.benchmarks.service.recommending import recommending
from recsys.benchmarks.service.swapping import swapping
from recsys.errors import ConfigError

MEASURES: Mapping[str, Measure] = MappingProxyType(
    {
        "recommendations": recommending,
        "overload": overload,
        "swap": swapping,
        "drain": draining,
        "events": events,
        "deadline": deadlines,
        "memory": memory,
        "new-item": new_items,
    }
)


def serve_lines(bench: Bench, only: Sequence[str] = ()) -> Iterator[str]:
    """The lines of a table of the promises named (default: all). Raises ConfigError for a name that there is not.

    A server that does not start costs its own rows alone, which say so.
    """
    unknown = [name for name in only if name not in MEASURES]
    if unknown:
        raise ConfigError(f"nothing is measured under {unknown[0]!r}: use one of {', '.join(MEASURES)}")
    bench.folder.mkdir(parents=True, exist_ok=True)
    yield f"{os.cpu_count()} cores, load average {os.getloadavg()[0]:.1f} before; loopback, one worker; {bench.effort}"
    yield ""
    yield str(Figure("promise", "aim", "measured", "baseline"))
    yield "|---|---|---|---|"
    for name in only or MEASURES:
        try:
            yield from map(str, MEASURES[name](bench))
        except ServerError as error:
            yield str(Figure(name, "", f"not measured: {' '.join(str(error).split())}"))
