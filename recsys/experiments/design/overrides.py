"""Overrides of an arm: settings of the real pipeline, typed, and within the ranges of settings and requests."""

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
IMAGE_OPTIONS = ("engine", "strength", "mode", "scene")
"""Overrides of how images are restyled; without effect if restyling is off."""


class Overrides(Declared):
    """Settings that an arm changes; None (absent) keeps the value of the request, else of the project's settings.

    Attributes:
        model: version of a bundle, 16 hexadecimal digits.
        blend: weights of features, at least 0, names from `recsys.schema.FEATURES`; they replace the fitted weights.
            Features that are not named keep their weights.
        reranker: as in `recsys.config.RankSettings`, like `diversity`, `calibration` and `exploration`.
        restyle: False turns restyling off.
        engine: as in `recsys.config.RestyleSettings`, like `strength` and `mode`. Starting the experiment checks that
            the project has the engine.
        scene: restyle toward the style reference of this scene that is nearest to the taste.
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
        # The project's own engines are not known here; starting the experiment checks them.
        if engine is not None and not is_engine_name(engine):
            raise ValueError(f"{engine!r} cannot be an engine's name; built-in engines: {', '.join(ENGINE_NAMES)}")
        return engine

    @model_validator(mode="after")
    def _check_images(self) -> Overrides:
        useless = [name for name in IMAGE_OPTIONS if getattr(self, name) is not None]
        if self.restyle is False and useless:
            raise ValueError(f"restyle is false, so that {useless[0]} has no effect; remove one of both")
        return self

    @property
    def explicit(self) -> dict[str, Any]:
        """Values that are set, by name, in the order of the fields."""
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return {name: value for name, value in values.items() if value is not None}

    def over(self, base: Overrides) -> Overrides:
        """Return these overrides, with the values of `base` for everything not set; `blend` is merged per feature."""
        merged = {**base.explicit, **self.explicit}
        if base.blend and self.blend:
            merged["blend"] = {**base.blend, **self.blend}
        if merged.get("restyle") is False:
            merged = {name: value for name, value in merged.items() if name not in IMAGE_OPTIONS}
        return Overrides.model_validate(merged)

    def without(self, names: Collection[str]) -> Overrides:
        """Return these overrides without `names`, such as options that the caller has set and no arm may change."""
        return Overrides.model_validate({name: value for name, value in self.explicit.items() if name not in names})


NO_OVERRIDES = Overrides()
"""Overrides of an arm that changes nothing."""


def overrides_from_settings(rank: RankSettings, restyle: RestyleSettings) -> Overrides:
    """Return the project's settings as overrides; images are restyled unless a request turns it off."""
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
