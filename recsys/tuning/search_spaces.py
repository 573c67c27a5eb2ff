"""Search spaces: the tuned settings of each model, their ranges, and how to make the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from recsys.config import AlsSettings, Settings
from recsys.errors import RequestError
from recsys.models.als import AlsModel
from recsys.models.base import Model
from recsys.models.ease import EaseModel
from recsys.models.item_knn import ItemKnnModel
from recsys.models.rp3beta import Rp3BetaModel
from recsys.models.settings import EaseSettings, ItemKnnSettings, Rp3BetaSettings, Weighting
from recsys.models.style_als import StyleAlsModel
from recsys.models.style_factors import StyleFactorsModel
from recsys.models.style_head import StyleHeadModel
from recsys.schema import FloatArray

DIGITS = 3
"""Significant digits of a tuned number: what is written down is what was measured, and can be read."""


class Tunable(StrEnum):
    """Models that can be tuned."""

    ALS = AlsModel.name
    ITEM_KNN = ItemKnnModel.name
    RP3BETA = Rp3BetaModel.name
    EASE = EaseModel.name
    STYLE_ALS = StyleAlsModel.name
    STYLE_HEAD = StyleHeadModel.name


@dataclass(frozen=True, slots=True)
class Whole:
    """Whole numbers from `low` to `high`, both included; `log`: as likely to be drawn per doubling as per step."""

    low: int
    high: int
    log: bool = False


@dataclass(frozen=True, slots=True)
class Real:
    """Numbers from `low` to `high`; `log` as for `Whole`."""

    low: float
    high: float
    log: bool = False


@dataclass(frozen=True, slots=True)
class OneOf:
    """One of a few names."""

    names: tuple[str, ...]


Parameter = Whole | Real | OneOf
Value = int | float | str
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class Space:
    """Search space of one model.

    `parameters`: by setting. `defaults`: a value for each. `make(values, vectors, seed)`: an unfitted model; `vectors`
    (I, D) are the items' style vectors where the model `needs_style`.
    """

    parameters: Mapping[str, Parameter]
    defaults: Values
    make: Callable[[Values, FloatArray, int], Model]
    needs_style: bool = False

    def holds(self, values: Values) -> bool:
        """Return if `values` has every parameter and each is within its range."""
        return all(name in values and _within(each, values[name]) for name, each in self.parameters.items())

    def round_values(self, values: Values) -> dict[str, Value]:
        """`values` with fractions rounded to `DIGITS` significant digits, in the order of the parameters."""
        return {
            name: float(f"{value:.{DIGITS}g}") if isinstance(value := values[name], float) else value
            for name in self.parameters
        }

    def up_to(self, name: str, high: int) -> Space:
        """Return the space with a lower upper bound of one whole number, for models that must stay small.

        Raises RequestError where there is no such number, or where its default would be outside.
        """
        parameter = self.parameters.get(name)
        if not isinstance(parameter, Whole):
            raise RequestError(name, "is no whole number that this model tunes")
        narrower = replace(self, parameters={**self.parameters, name: replace(parameter, high=high)})
        if high > parameter.high or not narrower.holds(self.defaults):
            raise RequestError(name, f"must be from {self.defaults[name]} (default) to {parameter.high}, not {high}")
        return narrower


_ALS: Mapping[str, Parameter] = {
    "factors": Whole(32, 256, log=True),
    "regularization": Real(0.01, 2.0, log=True),
    "alpha": Real(0.1, 100.0, log=True),
    "item_damping": Real(0.0, 1.0),
    "popularity": Real(0.0, 0.3),
    "iterations": Whole(5, 30),
}
_ITEM_KNN: Mapping[str, Parameter] = {
    "weighting": OneOf(tuple(each.value for each in Weighting)),
    "neighbors": Whole(10, 1000, log=True),
    "k1": Real(0.01, 10.0, log=True),
    "b": Real(0.0, 1.0),
}
_RP3BETA: Mapping[str, Parameter] = {
    "neighbors": Whole(10, 1000, log=True),
    "alpha": Real(0.1, 2.0),
    "beta": Real(0.0, 1.0),
}
_EASE: Mapping[str, Parameter] = {"regularization": Real(1.0, 10_000.0, log=True)}
_STYLE_RIDGE = Real(0.1, 1000.0, log=True)


def _style_space(model: type[StyleFactorsModel]) -> Space:
    def make(values: Values, vectors: FloatArray, seed: int) -> Model:
        als = AlsSettings.model_validate({name: values[name] for name in _ALS})
        return model(vectors, als, style_ridge=float(values["style_ridge"]), seed=seed)

    defaults = {**_defaults(AlsSettings(), _ALS), "style_ridge": model.usual_ridge}
    return Space({**_ALS, "style_ridge": _STYLE_RIDGE}, defaults, make, needs_style=True)


def _defaults(settings: Settings, parameters: Mapping[str, Parameter]) -> dict[str, Value]:
    values = settings.model_dump(mode="json")
    return {name: values[name] for name in parameters}


SPACES: Mapping[Tunable, Space] = {
    Tunable.ALS: Space(
        _ALS,
        _defaults(AlsSettings(), _ALS),
        lambda values, _vectors, seed: AlsModel(AlsSettings.model_validate(values), seed=seed),
    ),
    Tunable.ITEM_KNN: Space(
        _ITEM_KNN,
        _defaults(ItemKnnSettings(), _ITEM_KNN),
        lambda values, _vectors, _seed: ItemKnnModel(ItemKnnSettings.model_validate(values)),
    ),
    Tunable.RP3BETA: Space(
        _RP3BETA,
        _defaults(Rp3BetaSettings(), _RP3BETA),
        lambda values, _vectors, _seed: Rp3BetaModel(Rp3BetaSettings.model_validate(values)),
    ),
    Tunable.EASE: Space(
        _EASE,
        _defaults(EaseSettings(), _EASE),
        lambda values, _vectors, _seed: EaseModel(EaseSettings.model_validate(values)),
    ),
    Tunable.STYLE_ALS: _style_space(StyleAlsModel),
    Tunable.STYLE_HEAD: _style_space(StyleHeadModel),
}


def _within(parameter: Parameter, value: Value) -> bool:
    if isinstance(parameter, OneOf):
        return value in parameter.names
    return not isinstance(value, str) and parameter.low <= value <= parameter.high
