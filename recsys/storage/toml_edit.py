"""Values of one table of a TOML file, changed in place: comments, order and everything else stay as they are.

The table "" is what stands before the first one.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Mapping, Sequence

from recsys.errors import ConfigError

Scalar = int | float | str
Value = Scalar | Sequence[object]


def toml_lines(table: str, values: Mapping[str, Value]) -> list[str]:
    """`[table]` and a line for each value."""
    return [*([f"[{table}]"] if table else []), *(f"{key} = {toml_value(value)}" for key, value in values.items())]


def with_values(text: str, table: str, values: Mapping[str, Value]) -> str:
    """The TOML `text` with these `values` in `table`, which is appended where there is none.

    Raises ConfigError where the text is not TOML, or spells the table in a way that cannot be edited line by line
    (inline, with dotted or quoted keys); the message has the lines to write by hand.
    """
    edited = _edited(text, table, values)
    try:
        wanted = tomllib.loads(text)
        target = wanted.setdefault(table, {}) if table else wanted
        target.update(values)
        # What a line means depends on what surrounds it (a string of many lines, say), so the result is read again.
        if tomllib.loads(edited) == wanted:
            return edited
    except (tomllib.TOMLDecodeError, AttributeError):
        pass
    by_hand = "\n".join(toml_lines(table, values))
    raise ConfigError(f"[{table}] cannot be changed without touching other things; write by hand:\n{by_hand}")


def _edited(text: str, table: str, values: Mapping[str, Value]) -> str:
    lines = text.split("\n")
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?")
    start = next((place for place, line in enumerate(lines) if header.fullmatch(line)), None) if table else -1
    if start is None:
        end = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{end}\n" + "\n".join(toml_lines(table, values)) + "\n"
    section = range(start + 1, len(lines))
    stop = next((place for place in section if lines[place].lstrip().startswith("[")), len(lines))
    missing = []
    for key, value in values.items():
        entry = re.compile(rf"(\s*{re.escape(key)}\s*=\s*)[^#]*?(\s*(?:#.*)?)", re.DOTALL)
        found = ((place, entry.fullmatch(lines[place])) for place in range(start + 1, stop))
        place, match = next(((place, match) for place, match in found if match), (0, None))
        if match is None:
            missing.append(f"{key} = {toml_value(value)}" + "\r" * lines[max(start, 0)].endswith("\r"))
        else:
            lines[place] = f"{match[1]}{toml_value(value)}{match[2]}"
    first = start + 1 if table else next((place for place in reversed(range(stop)) if lines[place].strip()), -1) + 1
    return "\n".join([*lines[:first], *missing, *lines[first:]])


def toml_value(value: object) -> str:
    """A string, number, truth value, or a list of such, as TOML."""
    # JSON's are TOML's too, as long as characters are not \\u-escaped in pairs.
    return json.dumps(value, ensure_ascii=False, allow_nan=False)
