"""Write `docs/configuration.md`: all settings of `recsys.toml`, from the documentation in `recsys/config.py`.

    python docs/configuration.py

The text above the first and below the last line of `MARKS` is written by hand and stays.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

from pydantic.fields import FieldInfo

from recsys.config import ENVIRONMENT_PREFIX, ProjectSettings, Settings
from recsys.storage.toml_edit import format_toml_value

PAGE = Path(__file__).with_name("configuration.md")
MARKS = ("<!-- settings: written by docs/configuration.py -->", "<!-- end of settings -->")
_BOUNDS = {"ge": "at least {}", "gt": "above {}", "le": "at most {}", "lt": "below {}"}
_LENGTHS = {"min_length": "at least {} of them", "max_length": "at most {} of them"}


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


def page(old: str) -> str:
    """Return the page with the current settings between the marks of `old`."""
    first, last = MARKS
    above, _, rest = old.partition(first)
    _, _, below = rest.partition(last)
    return above + "\n".join([first, *settings_lines(), last]) + below


def settings_lines() -> Iterator[str]:
    """Yield Markdown: the purpose of each section, then a table of its settings."""
    sections = {name: value for name, value in ProjectSettings() if isinstance(value, Settings)}
    plain = [name for name in ProjectSettings.model_fields if name not in sections]
    yield from ("", "### Outside of sections", "")
    yield from _table("", ProjectSettings(), plain)
    for name, section in sections.items():
        text = " ".join(line.strip() or "\n" for line in (type(section).__doc__ or "").splitlines())
        paragraphs = [" ".join(part.split()) for part in text.split("\n") if part.strip()]
        yield from ("", f"### [{name}]", "")
        yield "\n\n".join(paragraphs)
        yield ""
        yield from _table(name, section, list(type(section).model_fields))
    yield ""


def _table(section: str, values: Settings, names: list[str]) -> Iterator[str]:
    docs = values.field_docs()
    yield from ("| setting | meaning | default | range | environment variable |", "|---|---|---|---|---|")
    for name in names:
        variable = ENVIRONMENT_PREFIX + "__".join(part.upper() for part in (section, name) if part)
        default = format_toml_value(getattr(values, name))
        values_in_words = _range(type(values).model_fields[name])
        yield f"| `{name}` | {docs[name]} | `{default}` | {values_in_words} | `{variable}` |"


def _range(field: FieldInfo) -> str:
    """Describe the allowed values; "any" if only the type limits them."""
    if isinstance(field.annotation, type) and issubclass(field.annotation, Enum):
        return ", ".join(f"`{one.value}`" for one in field.annotation)
    if field.annotation is bool:
        return "`true`, `false`"
    rules = [(words, _bound(field, key)) for key, words in (_BOUNDS | _LENGTHS).items()]
    return ", ".join(words.format(_number(bound)) for words, bound in rules if bound is not None) or "any"


def _bound(field: FieldInfo, key: str) -> Any:
    bounds = (getattr(rule, key, None) for rule in field.metadata)
    return next((bound for bound in bounds if bound is not None), None)


def _number(bound: float) -> str:
    return f"{bound:,}" if isinstance(bound, int) else f"{bound:g}"


if __name__ == "__main__":
    main()
