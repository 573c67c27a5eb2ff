"""When a treatment matters: exposures are logged where an arm would have changed what is shown, and nowhere else.

A unit that would have been served the same in every arm says nothing of the treatment; counting it only dilutes the
effect and widens the interval. So exposures are triggered: a request counts if control and treatment differ for it.
That holds only where control and treatment are triggered alike, which needs the counterfactual: for a unit in the
control it is asked what the treatment would have done, and the other way round (Kohavi, Tang and Xu 2020, "Trustworthy
Online Controlled Experiments", chapter 20). `matters` answers it from what arms set and from what a request can show,
without serving twice; it is symmetric in both arms, and `triggers` is the same for all arms of an experiment. All of an
`TriggerContext` must hence be known before, and apart from, the arm. With a trigger that depends on the arm the sample
ratio is off, which the SRM check of triggered units finds.

It errs to the side of logging: where arms differ in how a list is ranked, the lists may still turn out the same. It
fails where an arm has effects beyond the request, such as on what is learned from the clicks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.overrides import NOTHING, PICTURE_OPTIONS, Overrides
from recsys.schema import Reranker

Given = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TriggerContext:
    """What one request can show, whatever the arm.

    `places`: how many items its list may have; 0 for a request that ranks nothing, such as for one picture. `photos`:
    some item shown may have a photo, and the caller did not turn restyling off. `taste`: pictures have a taste to go
    toward; without one, only a scene changes them. `personal`: anything is known of the person to calibrate a list to.
    `asked`: names of overrides that the caller has set for this request, which no arm changes. `base`: what is served
    where no arm says otherwise (`recsys.experiments.design.overrides.defaults`, and the served version as `model`).
    """

    places: int = 0
    photos: bool = False
    taste: bool = False
    personal: bool = False
    asked: frozenset[str] = frozenset()
    base: Overrides = NOTHING


class Why(StrEnum):
    """Why a treatment matters, or not."""

    DIFFERS = "the arms differ in what is shown"
    SAME = "the arms are served the same"
    NOT_SHOWN = "the arms differ in nothing that this request shows"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Whether a request is an exposure, and by which options (in the order of `Overrides`)."""

    matters: bool
    options: tuple[str, ...]
    why: Why


def matters(control: Overrides, arm: Overrides, occasion: TriggerContext) -> Exposure:
    """Whether two arms would show different things on this occasion; symmetric in both."""
    one, other = (overrides.without(occasion.asked).over(occasion.base).given for overrides in (control, arm))
    different = tuple(name for name in Overrides.model_fields if one.get(name) != other.get(name))
    if not different:
        return Exposure(False, (), Why.SAME)
    shown = tuple(name for name in different if _is_shown(name, one, other, occasion))
    if "restyle" in shown:
        # How the pictures would be painted is no second difference from not painting them.
        shown = tuple(name for name in shown if name not in PICTURE_OPTIONS)
    return Exposure(bool(shown), shown, Why.DIFFERS if shown else Why.NOT_SHOWN)


def triggers(experiment: Experiment, occasion: TriggerContext) -> Exposure:
    """Whether any arm would show something else than the control: the same answer for a unit in whichever arm.

    Arms of weight 0 do not count: nobody is in them by chance.
    """
    control = experiment.arms[experiment.control].overrides
    arms = (experiment.arms[name] for name in experiment.treatments)
    found = [matters(control, arm.overrides, occasion) for arm in arms if arm.weight > 0]
    options = {name for exposure in found for name in exposure.options}
    if options:
        return Exposure(True, tuple(name for name in Overrides.model_fields if name in options), Why.DIFFERS)
    unseen = any(exposure.why is Why.NOT_SHOWN for exposure in found)
    return Exposure(False, (), Why.NOT_SHOWN if unseen else Why.SAME)


def _is_shown(option: str, one: Given, other: Given, occasion: TriggerContext) -> bool:
    if option == "restyle" or option in PICTURE_OPTIONS:
        return _painting(one, occasion) != _painting(other, occasion)
    if option in ("reranker", "diversity"):
        return occasion.places > 0 and _variety(one) != _variety(other)
    if option == "calibration":
        return occasion.places > 0 and occasion.personal
    return occasion.places > 0


def _painting(arm: Given, occasion: TriggerContext) -> tuple[object, ...] | None:
    """How an arm's pictures are painted; None where photos stay as they are."""
    target = occasion.taste or "scene" in arm
    if not (occasion.photos and target and arm.get("restyle", True) and arm.get("strength") != 0):
        return None
    return tuple(arm.get(name) for name in PICTURE_OPTIONS)


def _variety(arm: Given) -> tuple[object, object] | None:
    """How an arm's lists get variety; None where they get none."""
    if arm.get("reranker") is Reranker.NONE or arm.get("diversity") == 0:
        return None
    return arm.get("reranker"), arm.get("diversity")
