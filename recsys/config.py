"""Settings: one frozen model per component, read from `recsys.toml` and the environment, validated whole before
anything runs."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recsys.errors import ConfigError
from recsys.schema import EventKind, Reranker
from style.errors import DescriptorError, RecipeError
from style.fidelity import DEFAULT_LIMITS, FidelityLimits
from style.modes import PaintMode
from style.rights import Use, license_rights

Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class Settings(BaseModel):
    """Base of all settings: frozen, unknown keys refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class EventSettings(Settings):
    """What each kind of event says about liking: the confidence weight of one event, negative for dislikes.

    0 <= `view` <= `click` <= `cart` <= `purchase`; `like` is above 0, `dislike` at most 0. `rating_threshold`: ratings
    at or above it are imported as likes, the others as dislikes.
    """

    view: float = 1.0
    click: float = 2.0
    cart: float = 5.0
    purchase: float = 10.0
    like: float = 5.0
    dislike: float = -5.0
    rating_threshold: float = 4.0

    @model_validator(mode="after")
    def _ordered(self) -> EventSettings:
        if not 0 <= self.view <= self.click <= self.cart <= self.purchase:
            raise ValueError("weights must satisfy 0 <= view <= click <= cart <= purchase")
        if self.like <= 0 or self.dislike > 0:
            raise ValueError("like must be positive and dislike must not be")
        return self

    def weight(self, kind: EventKind) -> float:
        """The confidence weight of one event of this kind."""
        return float(getattr(self, kind.value))


class StyleSettings(Settings):
    """How products become style vectors. `backbone` is one of `style.backbone.BACKBONES`."""

    backbone: str = "vgg-slim"


class PreprocessSettings(Settings):
    """What is done to every photo before it is embedded, described or restyled (extra `vision`).

    `steps`: in order, such as ["denoise:nlm", "clahe", "crop"]; docs/descriptors.md lists them. None: photos are taken
    as they are. Another recipe makes another style space: `recsys build` is needed after a change.
    """

    steps: tuple[str, ...] = Field(default=(), max_length=16)

    @field_validator("steps")
    @classmethod
    def _known(cls, steps: tuple[str, ...]) -> tuple[str, ...]:
        # Imported where there are any: settings are read by every command.
        if steps:
            from style.preprocess.recipe import Recipe

            _checked(Recipe.from_texts, steps)
        return steps


class DescriptorSettings(Settings):
    """Which descriptors of color, texture and shape a build computes (extra `vision` for texture and shape).

    `names`: any of those in docs/descriptors.md. With one of color, `dominant-color` is computed, too, and lists can
    be filtered by color; the first of each family is what `by=color`, `by=texture` and `by=shape` compare.
    """

    names: tuple[str, ...] = Field(default=(), max_length=16)

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if names:
            from style.descriptors.registry import descriptors

            _checked(descriptors, names)
        return names


class AlsSettings(Settings):
    """Alternating least squares (Hu, Koren and Volinsky 2008); `recsys.models.als` has the formulas.

    `factors`: length of the user and item factors. `regularization`: a share of the data's noise level, so that
    it needs no tuning to the size of the data. `alpha`: what an event adds to the confidence of a pair nobody
    touched, which is 1. `item_damping`: how much less an event says if its item is frequent (0: the same, 1: in
    inverse proportion). `popularity`: the bonus of the most popular item, where a certain like scores 1.
    """

    factors: int = Field(default=64, ge=1, le=1024)
    regularization: float = Field(default=0.45, gt=0)
    iterations: int = Field(default=15, ge=1, le=200)
    alpha: float = Field(default=1.0, gt=0)
    item_damping: Unit = 0.5
    popularity: float = Field(default=0.01, ge=0)


class TasteSettings(Settings):
    """How touched style vectors become a taste.

    `max_modes`: how many directions a taste may have. `half_life_days`: an event loses half its say in that time.
    `prior`: the say of what similar people like, in events of weight 1.
    """

    max_modes: int = Field(default=4, ge=1, le=4)
    half_life_days: float = Field(default=60.0, gt=0)
    prior: float = Field(default=1.0, gt=0)


class RankSettings(Settings):
    """Candidates per source, and how lists are made of them.

    `candidates`: how many items each source gives. `reranker`: what gives a list variety: mmr, dpp or none.
    `diversity`: how variety is traded for fit (0: fit alone, 1: variety alone). `calibration`: how much a list
    keeps to the mix of the person's styles and categories (0: not at all). `exploration`: the share of places that
    go to little-known items. `trend_half_life_days`: how fast an event stops counting for what is popular now.
    `fresh_half_life_days`: how fast an item stops being new. `validation_share`: the blend is fitted on what came
    next in three rounds of this share of events.
    """

    trend_half_life_days: float = Field(default=7.0, gt=0)
    fresh_half_life_days: float = Field(default=14.0, gt=0)
    candidates: int = Field(default=200, ge=10, le=10_000)
    reranker: Reranker = Reranker.MMR
    diversity: Unit = 0.15
    calibration: Unit = 0.3
    exploration: Unit = 0.0
    validation_share: float = Field(default=0.1, gt=0, lt=0.3)


class RestyleSettings(Settings):
    """The restyled picture: engine, default strength, size, and how long a request may wait for it.

    `mode`: what is painted: product, full (the whole picture), background (all but the product) or tone (colors
    alone). `keep_color`: change lightness alone. `fidelity`: lower the strength where the product would no longer
    look like the one on sale: where the color difference (CIEDE2000) of the product's pixels passes
    `max_mean_difference` on average or `max_high_difference` for the 95th percentile, or luma's structural
    similarity falls below `min_structure`, or the share of strong edges that are left below `min_edges`.

    `engine`: film, another one of docs/engines.md, or one trained for the project by `recsys train-style`, by its
    name. `size`: pixels of pictures in links, at most.
    `deadline_ms`: after that time the original is served. `cache_mb`: how much of restyled pictures is kept.
    """

    engine: str = "film"
    strength: Unit = 0.6
    mode: PaintMode = PaintMode.PRODUCT
    keep_color: bool = False
    fidelity: bool = True
    max_mean_difference: float = Field(default=DEFAULT_LIMITS.mean_difference, ge=0, allow_inf_nan=False)
    max_high_difference: float = Field(default=DEFAULT_LIMITS.high_difference, ge=0, allow_inf_nan=False)
    min_structure: float = Field(default=DEFAULT_LIMITS.structure, ge=-1, le=1)
    min_edges: Unit = DEFAULT_LIMITS.edges
    size: int = Field(default=256, ge=32, le=2048)
    deadline_ms: int = Field(default=2_000, ge=0, le=60_000)
    cache_mb: int = Field(default=256, ge=1)

    @property
    def limits(self) -> FidelityLimits | None:
        """The limits of fidelity, or None where they are off."""
        if not self.fidelity:
            return None
        return FidelityLimits(
            mean_difference=self.max_mean_difference,
            high_difference=self.max_high_difference,
            structure=self.min_structure,
            edges=self.min_edges,
        )


class UnknownLicense(StrEnum):
    """What to do with a style whose license is not known here and names no uses."""

    ALLOW = "allow"
    REFUSE = "refuse"


class RightsSettings(Settings):
    """What licenses of styles have to allow. `trade`: pictures serve to sell. `unknown`: whether a style whose license
    is not known here may be used (allow) or not (refuse)."""

    trade: bool = True
    unknown: UnknownLicense = UnknownLicense.ALLOW

    def refusal(self, style_id: str, license: str, uses: str) -> str | None:
        """Why pictures must not be restyled toward a style, and what to do; None where they may."""
        wanted = {Use.ADAPT, Use.TRADE} if self.trade else {Use.ADAPT}
        fine = self.unknown is UnknownLicense.ALLOW
        return license_rights(license, uses).rejection(style_id, wanted, allow_unknown=fine)


class FeedbackSettings(Settings):
    """How a person's verdicts on restyled pictures change the next ones.

    `strengths`: what is tried besides the default strength. `exploration`: the share of pictures that try something
    out, once a person has given a verdict. `prior`: the say of everybody's verdicts, in verdicts of one's own.
    """

    strengths: tuple[Unit, ...] = Field(default=(0.3, 0.6, 0.9), min_length=1, max_length=8)
    exploration: Unit = 0.1
    prior: float = Field(default=2.0, gt=0)


class ServiceSettings(Settings):
    """The service.

    `workers`: processes. `ranking_threads`: requests that each process ranks at once; `max_waiting`: requests that may
    wait for that, those on top are refused with 503. `rate`: requests per second that one API key may ask of all
    workers together, `burst`: how many at once (rate 0: no limit). `answers_mb`: memory of each process for answers
    that are asked for again. `refresh_s`: how often a process looks for a new bundle and changed items. `drain_s`: how
    long requests in flight may take once the service is told to stop.
    """

    workers: int = Field(default=1, ge=1, le=256)
    ranking_threads: int = Field(default=1, ge=1, le=64)
    max_waiting: int = Field(default=32, ge=0, le=10_000)
    rate: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    burst: int = Field(default=100, ge=1)
    answers_mb: int = Field(default=64, ge=0)
    refresh_s: float = Field(default=0.25, gt=0, le=60)
    drain_s: float = Field(default=8.0, ge=0, le=600)


class StorageSettings(Settings):
    """Where live data is kept: events, changed items, chosen tastes, verdicts, exposures, keys.

    `database`: a URL like postgresql+psycopg://user:password@host/name; empty: SQLite in the project's folder `live`.
    `redis`: a URL like redis://host:6379/0 for restyled pictures; empty: files in the project's folder `cache`.
    Passwords belong in the environment: RECSYS__STORAGE__DATABASE, RECSYS__STORAGE__REDIS.
    """

    database: str = ""
    redis: str = ""


class ProjectSettings(Settings):
    """All settings of a project. Absent sections take their defaults."""

    name: str = "shop"
    seed: int = Field(default=0, ge=0)
    events: EventSettings = EventSettings()
    style: StyleSettings = StyleSettings()
    preprocess: PreprocessSettings = PreprocessSettings()
    descriptors: DescriptorSettings = DescriptorSettings()
    als: AlsSettings = AlsSettings()
    taste: TasteSettings = TasteSettings()
    rank: RankSettings = RankSettings()
    restyle: RestyleSettings = RestyleSettings()
    rights: RightsSettings = RightsSettings()
    feedback: FeedbackSettings = FeedbackSettings()
    service: ServiceSettings = ServiceSettings()
    storage: StorageSettings = StorageSettings()


ENVIRONMENT_PREFIX = "RECSYS__"
"""Before section and key in names of the environment, as in RECSYS__SERVICE__WORKERS=4."""


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> ProjectSettings:
    """Read and validate a TOML file of settings; what `environment` (default: the process's) names goes before it.

    Raises ConfigError that names the file and every offending key.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such settings file; `recsys init` writes one") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from None
    overrides = list(_overrides(os.environ if environment is None else environment))
    for section, key, value in overrides:
        table = raw.setdefault(section, {}) if section else raw
        if isinstance(table, dict):
            table[key] = value
    try:
        return ProjectSettings.model_validate(raw)
    except ValidationError as error:
        named = {f"{section}.{key}".lstrip("."): f" ({_variable(section, key)})" for section, key, _ in overrides}
        places = ((".".join(map(str, e["loc"])) or "settings", e["msg"]) for e in error.errors())
        raise ConfigError(
            f"{path}: " + "; ".join(f"{place}{named.get(place, '')}: {text}" for place, text in places)
        ) from None


def find_overrides(environment: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """(section, key) of each setting that the environment gives; section "" for those outside of any."""
    return frozenset((section, key) for section, key, _ in _overrides(environment))


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    """(section or "", key, value) of each variable with the prefix, by name."""
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            *section, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__", 1)
            yield (section[0] if section else ""), key, _toml(environment[name])


def _toml(text: str) -> Any:
    """A value of the environment: numbers, truth values and lists as in TOML, all else as the text it is."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _variable(section: str, key: str) -> str:
    return ENVIRONMENT_PREFIX + "__".join(part.upper() for part in (section, key) if part)


def _checked(parse: Callable[[tuple[str, ...]], object], texts: tuple[str, ...]) -> None:
    """Raises ValueError, which validation collects, where `parse` does not take the texts."""
    try:
        parse(texts)
    except (DescriptorError, RecipeError) as error:
        raise ValueError(str(error)) from None
