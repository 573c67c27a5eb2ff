"""Plain data as TOML: values first, then tables, so that every key stands where it belongs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from recsys.storage.toml_edit import toml_value

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def toml_text(values: Mapping[str, Any]) -> str:
    """TOML of nested mappings, sequences of mappings, and lists, strings, numbers and truth values in them."""
    return "\n".join(_lines(values, ())).lstrip("\n") + "\n"


def toml_tables(name: str, tables: Sequence[Mapping[str, Any]]) -> str:
    """An entry of the array of tables `name` for each of these, to add to the end of a file."""
    return toml_text({name: tables})


def _lines(values: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[str]:
    for key, value in values.items():
        if not isinstance(value, Mapping) and not _tables(value):
            yield f"{_key(key)} = {toml_value(value)}"
    for key, value in values.items():
        inner = (*path, _key(key))
        if isinstance(value, Mapping):
            if not value or not all(isinstance(one, Mapping) for one in value.values()):
                yield from ("", f"[{'.'.join(inner)}]")
            yield from _lines(value, inner)
        elif _tables(value):
            for table in value:
                yield from ("", f"[[{'.'.join(inner)}]]")
                yield from _lines(table, inner)


def _tables(value: object) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and isinstance(value[0], Mapping)


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else toml_value(key)
