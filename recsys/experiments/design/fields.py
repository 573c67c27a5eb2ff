"""Base class and field types of experiment files: unknown keys are errors, and every message says the cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, tzinfo
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar
from zoneinfo import ZoneInfo

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from recsys.config import Settings

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""Name of an experiment, an arm or a namespace: 1 to 64 of a-z, 0-9, - and _, the first neither - nor _."""
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Word = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""1 to 512 characters without control codes, as ids and names of requests are."""


def parse_time(value: object) -> object:
    """Convert a date with time zone, from TOML or ISO 8601, to seconds since 1970 UTC; return other values as is."""
    if isinstance(value, date) and not isinstance(value, datetime):
        value = value.isoformat()
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            form = "write it as 2026-12-24T09:00:00Z or 2026-12-24T10:00:00+01:00"
            raise ValueError(f"{value!r} is no date; {form}") from None
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; write {value.isoformat()}Z for UTC")
    return int(value.timestamp())


def find_zone(name: str) -> tzinfo:
    """Return the time zone of an IANA name; UTC also on systems that have no table of zones."""
    return UTC if name == "UTC" else ZoneInfo(name)


def format_time(seconds: int) -> str:
    """Format seconds since 1970 UTC as 2026-11-21T09:30:00Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[int, BeforeValidator(parse_time), PlainSerializer(format_time, when_used="json"), Field(ge=0)]
"""Whole seconds since 1970 UTC; in files a date with its time zone."""


class Declared(Settings):
    """Base of all parts of an experiment: frozen; the message for an unknown key names the known ones."""

    kind_of_key: ClassVar[str] = "key"

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, raw: Any) -> Any:
        unknown = [key for key in raw if key not in cls.model_fields] if isinstance(raw, Mapping) else []
        if unknown:
            raise ValueError(unknown_name(cls.kind_of_key, str(unknown[0]), list(cls.model_fields)))
        return raw


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """Return the message for an unknown name, with the nearest known one and all of them."""
    near = get_close_matches(name, known, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {kind} {name!r}{hint}; known ones: {', '.join(known)}"


def list_problems(error: ValidationError) -> list[str]:
    """Return one line per problem: the key and the fault."""
    lines = []
    faults = error.errors()
    places = [found["loc"] for found in faults]
    for found in faults:
        place = found["loc"]
        if found["type"] == "too_short" and any(len(one) > len(place) and one[: len(place)] == place for one in places):
            # Its parts are there, and their own faults are told.
            continue
        key = ".".join(str(part) for part in found["loc"] if part != "[key]")
        message = found["msg"].removeprefix("Value error, ")
        lines.append(f"{key}: {message}" if key else message)
    return lines
