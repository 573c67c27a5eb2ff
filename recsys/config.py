"""Settings: one frozen model per component, from `recsys.toml` and the environment.

All of them are validated before anything runs. A variable `RECSYS__SECTION__SETTING` overrides the file. Keys and
addresses that are no settings have variables of their own; docs/configuration.md lists all.
"""

from __future__ import annotations

import ast
import inspect
import os
import re
import textwrap
import tomllib
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from recsys.errors import ConfigError
from recsys.schema import EventKind, Reranker
from style.errors import DescriptorError, RecipeError
from style.fidelity import DEFAULT_LIMITS, FidelityLimits
from style.modes import PaintMode
from style.rights import Use, license_rights

Unit = Annotated[float, Field(ge=0.0, le=1.0)]


class Settings(BaseModel):
    """Base of all settings: frozen; unknown keys are rejected. Each field has its documentation below it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    @classmethod
    def field_docs(cls) -> dict[str, str]:
        """Return the documentation of each field: the text below it in the source, in one line."""
        # Read from the source only when it is needed: every command loads the settings.
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        body = getattr(definition, "body", [])
        docs = {}
        for statement, following in pairwise(body):
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                value = following.value if isinstance(following, ast.Expr) else None
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    docs[statement.target.id] = " ".join(value.value.split())
        return docs


class EventSettings(Settings):
    """Confidence weight of one event of each kind; negative for dislikes.

    The weights must satisfy 0 <= `view` <= `click` <= `cart` <= `purchase`, `like` > 0 and `dislike` <= 0.
    """

    view: float = 1.0
    """Weight of a view."""
    click: float = 2.0
    """Weight of a click."""
    cart: float = 5.0
    """Weight of an item put into the cart."""
    purchase: float = 10.0
    """Weight of a purchase."""
    like: float = 5.0
    """Weight of a like."""
    dislike: float = -5.0
    """Weight of a dislike."""
    rating_threshold: float | Literal["auto"] = "auto"
    """Ratings at or above it are imported as likes, the others as dislikes. "auto" finds the scale of each import: 4 of
    5, 8 of 10, 80 of 100, 0.5 of fractions up to 1, 1 of 0 and 1; from -1 to 1, likes are above 0, dislikes below."""
    seen: tuple[EventKind, ...] = tuple(EventKind)
    """Events that make an item seen, so that lists leave it out. ["purchase"] brings back what was only viewed.
    Disliked items are left out always."""
    leave_out_bots: bool = True
    """Learn nothing from users that look like bots; `recsys import` and `recsys build` name them."""
    trusted_users: tuple[str, ...] = ()
    """Ids of users that are never taken for bots, such as a reseller or a shop's own terminal."""

    @model_validator(mode="after")
    def _check_order(self) -> EventSettings:
        if not 0 <= self.view <= self.click <= self.cart <= self.purchase:
            raise ValueError("weights must satisfy 0 <= view <= click <= cart <= purchase")
        if self.like <= 0 or self.dislike > 0:
            raise ValueError("like must be positive and dislike must not be")
        return self

    def weight(self, kind: EventKind) -> float:
        """Return the confidence weight of one event of this kind."""
        return float(getattr(self, kind.value))


class StyleSettings(Settings):
    """Style vectors of products."""

    backbone: str = "vgg-slim"
    """Network that style vectors come from: one of `style.backbone.BACKBONES`."""


class PreprocessSettings(Settings):
    """Preprocessing of each photo before it is embedded, described or restyled (extra `vision`)."""

    steps: tuple[str, ...] = Field(default=(), max_length=16)
    """Steps in order, such as ["denoise:nlm", "clahe", "crop"]; docs/descriptors.md lists them. Without steps, photos
    are not changed. Other steps give another style space: run `recsys build` after a change."""

    @field_validator("steps")
    @classmethod
    def _check_steps(cls, steps: tuple[str, ...]) -> tuple[str, ...]:
        # Imported only if there are any: every command reads the settings.
        if steps:
            from style.preprocess.recipe import Recipe

            _check(Recipe.from_texts, steps)
        return steps


class DescriptorSettings(Settings):
    """Descriptors of color, texture and shape that a build computes (extra `vision` for texture and shape)."""

    names: tuple[str, ...] = Field(default=(), max_length=16)
    """Names from docs/descriptors.md. With one of color, `dominant-color` is computed too, and lists can be filtered
    by color. The first of each family is used by `by=color`, `by=texture` and `by=shape`."""

    @field_validator("names")
    @classmethod
    def _check_names(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if names:
            from style.descriptors.registry import descriptors

            _check(descriptors, names)
        return names


class AlsSettings(Settings):
    """Alternating least squares (Hu, Koren and Volinsky 2008); `recsys.models.als` has the formulas."""

    factors: int = Field(default=64, ge=1, le=1024)
    """Length of the user and item factors."""
    regularization: float = Field(default=0.45, gt=0)
    """Regularization as a share of the data's noise level, so that it needs no tuning to the size of the data."""
    iterations: int = Field(default=15, ge=1, le=200)
    """Number of alternations between users and items."""
    alpha: float = Field(default=1.0, gt=0)
    """Confidence that an event adds to its pair; a pair without events has confidence 1."""
    item_damping: Unit = 0.5
    """Reduction of the weight of events with frequent items (0: none, 1: in inverse proportion)."""
    popularity: float = Field(default=0.01, ge=0)
    """Bonus of the most popular item, on the scale on which a certain like scores 1."""


class TasteSettings(Settings):
    """Tastes from the style vectors of items that a user interacted with."""

    max_components: int = Field(default=4, ge=1, le=4)
    """Largest number of components of a taste."""
    half_life_days: float = Field(default=60.0, gt=0)
    """Time in which an event loses half its weight."""
    prior: float = Field(default=1.0, gt=0)
    """Weight of the styles that similar users like, in events of weight 1."""


class RankSettings(Settings):
    """Candidates and lists."""

    trend_half_life_days: float = Field(default=7.0, gt=0)
    """Time in which an event loses half its weight for the trend."""
    recency_half_life_days: float = Field(default=14.0, gt=0)
    """Time in which the recency of an item halves."""
    candidates: int = Field(default=200, ge=10, le=10_000)
    """Number of items that each source retrieves."""
    reranker: Reranker = Reranker.MMR
    """Method that diversifies a list: mmr, dpp or none."""
    diversity: Unit = 0.15
    """Trade-off between fit and diversity (0: only fit, 1: only diversity)."""
    calibration: Unit = 0.3
    """Strength with which a list follows the user's mix of styles and categories (0: not at all)."""
    exploration: Unit = 0.0
    """Share of positions that go to long-tail items."""
    validation_share: float = Field(default=0.1, gt=0, lt=0.3)
    """Share of events in each of the three validation rounds that the blend is fitted on."""


class RestyleSettings(Settings):
    """Restyled images: engine, default strength, fidelity, size, and the longest wait of a request.

    With `fidelity`, the strength is lowered to the largest at which the product stays within the four limits below it.
    """

    engine: str = "film"
    """Transfer model: film, another one of docs/engines.md, or the name of one trained by `recsys train-style`."""
    strength: Unit = 0.6
    """Share of the painting that is laid on the photo."""
    mode: PaintMode = PaintMode.PRODUCT
    """Part of the photo that is painted: product, full (the whole image), background (all but the product) or tone
    (only colors)."""
    keep_color: bool = False
    """Change only lightness."""
    fidelity: bool = True
    """Keep products truthful by the four limits below."""
    max_mean_difference: float = Field(default=DEFAULT_LIMITS.mean_difference, ge=0, allow_inf_nan=False)
    """Largest mean color difference (CIEDE2000) of the product's pixels."""
    max_high_difference: float = Field(default=DEFAULT_LIMITS.high_difference, ge=0, allow_inf_nan=False)
    """Largest 95th percentile of that color difference."""
    min_structure: float = Field(default=DEFAULT_LIMITS.structure, ge=-1, le=1)
    """Smallest structural similarity of luma."""
    min_edges: Unit = DEFAULT_LIMITS.edges
    """Smallest share of strong edges that stay."""
    size: int = Field(default=256, ge=32, le=2048)
    """Largest side of images in links, in pixels."""
    deadline_ms: int = Field(default=2_000, ge=0, le=60_000)
    """Time after which the original is served instead."""
    cache_mb: int = Field(default=256, ge=1)
    """Bound on the cache of restyled images."""

    @property
    def limits(self) -> FidelityLimits | None:
        """Return the limits of fidelity, or None if they are off."""
        if not self.fidelity:
            return None
        return FidelityLimits(
            mean_difference=self.max_mean_difference,
            high_difference=self.max_high_difference,
            structure=self.min_structure,
            edges=self.min_edges,
        )


class UnknownLicense(StrEnum):
    """Treatment of a style whose license is unknown and that names no uses."""

    ALLOW = "allow"
    REFUSE = "refuse"


class RightsSettings(Settings):
    """Rights that licenses of styles have to grant."""

    trade: bool = True
    """Images are used to sell products."""
    unknown: UnknownLicense = UnknownLicense.ALLOW
    """Use of styles whose license is unknown: allow or refuse."""

    def refusal(self, style_id: str, license: str, uses: str) -> str | None:
        """Return the reason why images must not be restyled toward a style, and the cure; None if they may be."""
        wanted = {Use.ADAPT, Use.TRADE} if self.trade else {Use.ADAPT}
        unknown_is_fine = self.unknown is UnknownLicense.ALLOW
        return license_rights(license, uses).rejection(style_id, wanted, allow_unknown=unknown_is_fine)


class FeedbackSettings(Settings):
    """Effect of a user's ratings of restyled images on the next ones."""

    strengths: tuple[Unit, ...] = Field(default=(0.3, 0.6, 0.9), min_length=1, max_length=8)
    """Strengths that are tried, besides the default one."""
    exploration: Unit = 0.1
    """Share of images that try another action, once the user has rated one."""
    prior: float = Field(default=2.0, gt=0)
    """Weight of all users' ratings, in ratings of the user."""


class ServiceSettings(Settings):
    """Service: processes, limits and reload times."""

    workers: int = Field(default=1, ge=1, le=256)
    """Number of processes."""
    ranking_threads: int = Field(default=1, ge=1, le=64)
    """Requests that each process ranks at the same time."""
    max_waiting: int = Field(default=32, ge=0, le=10_000)
    """Requests that may wait to be ranked; further ones are rejected with 503."""
    rate: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Requests per second that one API key may send to all workers together (0: no limit)."""
    burst: int = Field(default=100, ge=1)
    """Requests that one API key may send at once, if there is a rate."""
    answers_mb: int = Field(default=64, ge=0)
    """Memory of each process for cached answers."""
    poll_interval_s: float = Field(default=0.25, gt=0, le=60)
    """Time between checks for a new bundle and changed items."""
    drain_s: float = Field(default=8.0, ge=0, le=600)
    """Longest time for requests in flight when the service stops."""


class StorageSettings(Settings):
    """Live data: events, changed items, chosen tastes, ratings, exposures and keys.

    Passwords belong in the environment: RECSYS__STORAGE__DATABASE, RECSYS__STORAGE__REDIS.
    """

    database: str = ""
    """URL like postgresql+psycopg://user:password@host/name; empty: SQLite in the project's folder `live`."""
    redis: str = ""
    """URL like redis://host:6379/0 of the cache of restyled images; empty: files in the project's folder `cache`."""


class AlarmSettings(Settings):
    """Alarms of running experiments, delivered by `recsys experiment watch`; docs/experiments.md has an example."""

    webhook: str = ""
    """Address (https) that gets alarms as signed JSON by POST; empty: none. The secret is RECSYS_ALARM_SECRET."""
    command: tuple[str, ...] = Field(default=(), max_length=32)
    """Command with its arguments, run without a shell, that gets a subject line and the text on its standard input;
    empty: none. Such as ["/usr/sbin/sendmail", "shop@example.org"]."""
    timeout_s: float = Field(default=10.0, gt=0, le=300)
    """Longest time for one try."""
    retries: int = Field(default=3, ge=0, le=10)
    """Further tries after a failure, with 1, 2, 4, ... seconds between them."""


class ProjectSettings(Settings):
    """All settings of a project. Absent sections take their defaults."""

    name: str = "shop"
    """Name of the shop, as shown on pages."""
    seed: int = Field(default=0, ge=0)
    """Seed of all random numbers; the same seed and data give the same bundle."""
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
    alarms: AlarmSettings = AlarmSettings()


ENVIRONMENT_PREFIX = "RECSYS__"
"""Prefix of environment variables that hold settings, as in RECSYS__SERVICE__WORKERS=4."""


def load_settings(path: Path, environment: Mapping[str, str] | None = None) -> ProjectSettings:
    """Read and validate a TOML file of settings; variables of `environment` (default: the process's) override it.

    Raises ConfigError that names the file and every wrong key.
    """
    try:
        # Editors on Windows begin a file with a mark.
        text = path.read_text(encoding="utf-8-sig")
        raw = tomllib.loads(text)
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such settings file; write one with `recsys init`") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: not UTF-8; save the file as UTF-8") from None
    except tomllib.TOMLDecodeError as error:
        comma = re.search(r"^[^#\n]*=\s*(-?\d+),(\d+)\s*(?:#.*)?$", text, re.MULTILINE)
        cure = f"; numbers have a point: {comma[1]}.{comma[2]} for {comma[1]},{comma[2]}" if comma else ""
        raise ConfigError(f"{path}: not valid TOML: {error}{cure}") from None
    overrides = list(_overrides(os.environ if environment is None else environment))
    for section, key, value in overrides:
        table = raw.setdefault(section, {}) if section else raw
        if isinstance(table, dict):
            table[key] = value
    try:
        return ProjectSettings.model_validate(raw)
    except ValidationError as error:
        named = {f"{section}.{key}".lstrip("."): f" ({_variable(section, key)})" for section, key, _ in overrides}
        places = ((".".join(map(str, e["loc"])) or "settings", _explain(e)) for e in error.errors())
        raise ConfigError(
            f"{path}: " + "; ".join(f"{place}{named.get(place, '')}: {text}" for place, text in places)
        ) from None


RENAMED = {
    "taste.max_modes": "max_components",
    "rank.fresh_half_life_days": "recency_half_life_days",
    "service.refresh_s": "poll_interval_s",
    "restyle.keep_colour": "keep_color",
}
"""New names of settings that projects made before version 0.1.0 may still have."""


def _explain(error: Any) -> str:
    """Return the message of one of pydantic's errors; for a setting that does not exist, with the cure."""
    if error["type"] != "extra_forbidden":
        return str(error["msg"])
    new = RENAMED.get(".".join(map(str, error["loc"])))
    return "unknown setting; remove it" if new is None else f"is called {new} now; rename it"


def find_overrides(environment: Mapping[str, str]) -> frozenset[tuple[str, str]]:
    """Return (section, key) of each setting that the environment overrides; section "" outside of sections."""
    return frozenset((section, key) for section, key, _ in _overrides(environment))


def _overrides(environment: Mapping[str, str]) -> Iterator[tuple[str, str, Any]]:
    """Yield (section or "", key, value) of each variable with the prefix, by name."""
    for name in sorted(environment):
        if name.startswith(ENVIRONMENT_PREFIX):
            *section, key = name.removeprefix(ENVIRONMENT_PREFIX).lower().split("__", 1)
            yield (section[0] if section else ""), key, parse_toml_value(environment[name])


def parse_toml_value(text: str) -> Any:
    """Parse a value of the command line or the environment as TOML; text that is not TOML stays as it is."""
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text


def _variable(section: str, key: str) -> str:
    return ENVIRONMENT_PREFIX + "__".join(part.upper() for part in (section, key) if part)


def _check(parse: Callable[[tuple[str, ...]], object], texts: tuple[str, ...]) -> None:
    """Raise ValueError, which validation collects, if `parse` does not accept the texts."""
    try:
        parse(texts)
    except (DescriptorError, RecipeError) as error:
        raise ValueError(str(error)) from None
