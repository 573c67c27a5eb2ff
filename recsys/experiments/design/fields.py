"""Base and small types of what an experiment declares: every key is known, every message has its cure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Annotated, Any, ClassVar

from pydantic import BeforeValidator, Field, PlainSerializer, ValidationError, model_validator

from recsys.config import Settings

NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]
"""A key of an experiment, an arm or a namespace: 1 to 64 of a-z, 0-9, - and _, the first neither - nor _."""
Text = Annotated[str, Field(min_length=1, max_length=10_000)]
Word = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""1 to 512 characters without control codes, as ids and names of requests are."""


def seconds_of(value: object) -> object:
    """A date with its time zone, of TOML or in ISO 8601, as seconds since 1970 UTC; all else as it is."""
    if isinstance(value, str):
        value = datetime.fromisoformat(value)
    if not isinstance(value, datetime):
        return value
    if value.tzinfo is None:
        raise ValueError(f"{value.isoformat()} has no time zone; write {value.isoformat()}Z for UTC")
    return int(value.timestamp())


def iso(seconds: int) -> str:
    """Seconds since 1970 UTC as 2026-11-21T09:30:00Z."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


Moment = Annotated[int, BeforeValidator(seconds_of), PlainSerializer(iso, when_used="json"), Field(ge=0)]
"""Whole seconds since 1970 UTC; in files a date with its time zone."""


class Declared(Settings):
    """Base of all parts of an experiment: frozen; an unknown key is named beside the known ones."""

    kind_of_key: ClassVar[str] = "key"

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, raw: Any) -> Any:
        unknown = [key for key in raw if key not in cls.model_fields] if isinstance(raw, Mapping) else []
        if unknown:
            raise ValueError(unknown_name(cls.kind_of_key, str(unknown[0]), list(cls.model_fields)))
        return raw


def unknown_name(kind: str, name: str, known: Sequence[str]) -> str:
    """The message for a name that is none of those known, with the nearest of them."""
    near = get_close_matches(name, known, 1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"unknown {kind} {name!r}{hint}; known ones: {', '.join(known)}"


def problems_of(error: ValidationError) -> list[str]:
    """Each problem that was found: the key, and what is wrong with it."""
    lines = []
    for found in error.errors():
        place = ".".join(str(part) for part in found["loc"] if part != "[key]")
        message = found["msg"].removeprefix("Value error, ")
        lines.append(f"{place}: {message}" if place else message)
    return lines
