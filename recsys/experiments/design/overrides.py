"""What an arm changes of the real pipeline: typed, and within the ranges of the settings and of a request."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, ClassVar

from pydantic import Field, field_validator, model_validator

from recsys.config import RankSettings, RestyleSettings, Unit
from recsys.experiments.design.fields import Declared, Word, unknown_name
from recsys.schema import FEATURES, Reranker
from style.modes import PaintMode
from style.transfer.engine_names import ENGINE_NAMES, is_engine_name

BlendWeight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PICTURE_OPTIONS = ("engine", "strength", "mode", "scene")
"""Overrides that say how pictures are restyled, hence nothing where they are not."""


class Overrides(Declared):
    """What an arm sets; None (absent) leaves what the request, else the project's settings, say.

    `model`: the version of a bundle, 16 hexadecimal digits. `blend`: weights (at least 0) of features, names from
    `recsys.schema.FEATURES`, in place of the fitted ones; features that are not named keep theirs. `reranker`,
    `diversity`, `calibration`, `exploration`: as in `recsys.config.RankSettings`. `restyle`: whether pictures are
    restyled at all. `engine`, `strength`, `mode`: as in `recsys.config.RestyleSettings`; that the project has the
    engine is checked when the experiment starts. `scene`: pictures go toward the style of that scene nearest to the
    taste.
    """

    kind_of_key: ClassVar[str] = "override"

    model: str | None = Field(default=None, pattern=r"^[0-9a-f]{16}$")
    blend: Mapping[str, BlendWeight] | None = Field(default=None, min_length=1)
    reranker: Reranker | None = None
    diversity: Unit | None = None
    calibration: Unit | None = None
    exploration: Unit | None = None
    restyle: bool | None = None
    engine: str | None = None
    strength: Unit | None = None
    mode: PaintMode | None = None
    scene: Word | None = None

    @field_validator("blend")
    @classmethod
    def _features(cls, blend: Mapping[str, float] | None) -> Mapping[str, float] | None:
        for name in blend or ():
            if name not in FEATURES:
                raise ValueError(unknown_name("feature", name, FEATURES))
        if blend is not None and set(blend) == set(FEATURES) and not any(blend.values()):
            raise ValueError("all weights are 0, so that nothing is ranked; give a feature a weight above 0")
        return blend

    @field_validator("engine")
    @classmethod
    def _engine(cls, engine: str | None) -> str | None:
        # Which engines were trained for the project is known where the experiment is started, not here.
        if engine is not None and not is_engine_name(engine):
            raise ValueError(f"{engine!r} cannot be an engine's name; those that ship: {', '.join(ENGINE_NAMES)}")
        return engine

    @model_validator(mode="after")
    def _pictures(self) -> Overrides:
        useless = [name for name in PICTURE_OPTIONS if getattr(self, name) is not None]
        if self.restyle is False and useless:
            raise ValueError(f"restyle is false, so that {useless[0]} says nothing; leave one of both out")
        return self

    @property
    def given(self) -> dict[str, Any]:
        """What is set, by name, in the order of the fields."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, base: Overrides) -> Overrides:
        """These where they are set, else those of `base`; weights of features are taken one by one."""
        merged = {**base.given, **self.given}
        if base.blend and self.blend:
            merged["blend"] = {**base.blend, **self.blend}
        if merged.get("restyle") is False:
            merged = {name: value for name, value in merged.items() if name not in PICTURE_OPTIONS}
        return Overrides.model_validate(merged)

    def without(self, names: Collection[str]) -> Overrides:
        """These without some, such as the options that a caller has set and no arm should change."""
        return Overrides.model_validate({name: value for name, value in self.given.items() if name not in names})


NOTHING = Overrides()
"""What an arm sets that serves as everybody is served."""


def defaults(rank: RankSettings, restyle: RestyleSettings) -> Overrides:
    """What settings say where no arm does; pictures are restyled unless a request says otherwise."""
    return Overrides(
        reranker=rank.reranker,
        diversity=rank.diversity,
        calibration=rank.calibration,
        exploration=rank.exploration,
        restyle=True,
        engine=restyle.engine if is_engine_name(restyle.engine) else None,
        strength=restyle.strength,
        mode=restyle.mode,
    )
