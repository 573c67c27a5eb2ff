"""TOML: write plain data, and change values of a file in place.

Edits keep comments, order and everything else. The table "" holds the values before the first table.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recsys.errors import ConfigError

Scalar = int | float | str
Value = Scalar | Sequence[object]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def format_toml_value(value: object) -> str:
    """Format a string, number, truth value, or a list of these, as TOML."""
    # These are the same in JSON and TOML, as long as characters are not \u-escaped in pairs.
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def format_toml(values: Mapping[str, Any]) -> str:
    """Format nested mappings, sequences of mappings, and lists, strings, numbers and truth values in them.

    Values come first, then tables, so that every key is in its own table.
    """
    return "\n".join(_lines(values, ())).lstrip("\n") + "\n"


def format_toml_tables(name: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """Format entries of the array of tables `name`, to append to a file."""
    return format_toml({name: tables})


def format_toml_table(table: str, values: Mapping[str, Value]) -> list[str]:
    """Return the line `[table]` and a line per value."""
    header = [f"[{table}]"] if table else []
    return header + [f"{key} = {format_toml_value(value)}" for key, value in values.items()]


def set_toml_values(text: str, table: str, values: Mapping[str, Value]) -> str:
    """Set `values` of a table in a TOML `text`; the table is appended if it is not there.

    Raises ConfigError if the text is not TOML, or has the table in a form that cannot be edited line by line (inline,
    with dotted or quoted keys). The message has the lines to write by hand.
    """
    edited = _edit(text, table, values)
    try:
        wanted = tomllib.loads(text)
        target = wanted.setdefault(table, {}) if table else wanted
        target.update(values)
        # The meaning of a line depends on its context (a multi-line string, for example), so the result is read again.
        if tomllib.loads(edited) == wanted:
            return edited
    except (tomllib.TOMLDecodeError, AttributeError):
        pass
    by_hand = "\n".join(format_toml_table(table, values))
    raise ConfigError(f"[{table}] cannot be changed without touching other things; write by hand:\n{by_hand}")


def _edit(text: str, table: str, values: Mapping[str, Value]) -> str:
    lines = text.split("\n")
    header = re.compile(rf"\s*\[\s*{re.escape(table)}\s*\]\s*(#.*)?")
    start = next((index for index, line in enumerate(lines) if header.fullmatch(line)), None) if table else -1
    if start is None:
        end = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{end}\n" + "\n".join(format_toml_table(table, values)) + "\n"
    section = range(start + 1, len(lines))
    stop = next((index for index in section if lines[index].lstrip().startswith("[")), len(lines))
    missing = []
    for key, value in values.items():
        entry = re.compile(rf"(\s*{re.escape(key)}\s*=\s*)[^#]*?(\s*(?:#.*)?)", re.DOTALL)
        matches = ((index, entry.fullmatch(lines[index])) for index in range(start + 1, stop))
        index, match = next(((index, match) for index, match in matches if match), (0, None))
        if match is None:
            # A file with \r\n line ends gets the new line with one, too.
            missing.append(f"{key} = {format_toml_value(value)}" + "\r" * lines[max(start, 0)].endswith("\r"))
        else:
            lines[index] = f"{match[1]}{format_toml_value(value)}{match[2]}"
    first = start + 1 if table else next((index for index in reversed(range(stop)) if lines[index].strip()), -1) + 1
    return "\n".join([*lines[:first], *missing, *lines[first:]])


def _lines(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for key, value in values.items():
        if not isinstance(value, Mapping) and not _is_array_of_tables(value):
            yield f"{_format_key(key)} = {format_toml_value(value)}"
    for key, value in values.items():
        inner = (*path, _format_key(key))
        if isinstance(value, Mapping):
            # A table that holds only tables needs no header of its own.
            if not value or not all(isinstance(one, Mapping) for one in value.values()):
                yield from ("", f"[{'.'.join(inner)}]")
            yield from _lines(value, inner)
        elif _is_array_of_tables(value):
            for table in value:
                yield from ("", f"[[{'.'.join(inner)}]]")
                yield from _lines(table, inner)


def _is_array_of_tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _format_key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else format_toml_value(key)
