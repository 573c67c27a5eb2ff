"""Triggered exposures: a request is logged only if another arm would have shown something else.

A unit that every arm would serve alike carries no information about the effect; counting it dilutes the effect and
widens the interval. So exposures are triggered: a request counts if the arms differ for it. This is valid only if all
arms trigger alike. That needs the counterfactual: the list that the other arm would have shown to a unit in the
control, and the reverse (Kohavi, Tang and Xu 2020, "Trustworthy Online Controlled Experiments", chapter 20).

`compare_overrides` computes it from the arms' overrides and from the `TriggerContext`, without serving twice. It is
symmetric in both arms, and `check_trigger` is the same for all arms of an experiment. All facts in a `TriggerContext`
must therefore be known before the arm, and independently of it. If a trigger depends on the arm, the sample ratio is
off; the SRM check of triggered units finds this.

It errs on the side of logging: if arms rank differently, their lists may still be the same. It fails if an arm has
effects beyond the request, such as on models that learn from the clicks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from recsys.experiments.design.definition import Experiment
from recsys.experiments.design.overrides import IMAGE_OPTIONS, NO_OVERRIDES, Overrides
from recsys.schema import Reranker

Options = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TriggerContext:
    """Facts about one request that do not depend on the arm.

    Attributes:
        positions: greatest number of items in its list; 0 for a request that ranks nothing, such as for one image.
        photos: True if some item may have a photo, and the caller did not turn restyling off.
        taste: True if there is a taste to restyle toward; without one, only a scene changes images.
        personal: True if the user has data to calibrate a list to.
        requested: names of overrides that the caller has set for this request; no arm changes them.
        base: settings without any arm (`recsys.experiments.design.overrides.overrides_from_settings`, with the served
            version as `model`).
    """

    positions: int = 0
    photos: bool = False
    taste: bool = False
    personal: bool = False
    requested: frozenset[str] = frozenset()
    base: Overrides = NO_OVERRIDES


class Why(StrEnum):
    """Reason why a request is an exposure, or not."""

    DIFFERS = "the arms differ in what is shown"
    SAME = "the arms are served the same"
    NOT_SHOWN = "the arms differ in nothing that this request shows"


@dataclass(frozen=True, slots=True)
class Exposure:
    """Result of the trigger: whether a request is an exposure, and by which options (in the order of `Overrides`)."""

    matters: bool
    options: tuple[str, ...]
    why: Why


def compare_overrides(control: Overrides, arm: Overrides, context: TriggerContext) -> Exposure:
    """Check if two arms would show different things for this request; symmetric in both."""
    one, other = (overrides.without(context.requested).over(context.base).explicit for overrides in (control, arm))
    different = tuple(name for name in Overrides.model_fields if one.get(name) != other.get(name))
    if not different:
        return Exposure(False, (), Why.SAME)
    visible = tuple(name for name in different if _is_visible(name, one, other, context))
    if "restyle" in visible:
        # One arm shows photos unchanged: how the other one paints them is no second difference.
        visible = tuple(name for name in visible if name not in IMAGE_OPTIONS)
    return Exposure(bool(visible), visible, Why.DIFFERS if visible else Why.NOT_SHOWN)


def check_trigger(experiment: Experiment, context: TriggerContext) -> Exposure:
    """Check if any arm would show something else than the control: the answer is the same for units of all arms.

    Arms of weight 0 do not count: no unit is in them by chance.
    """
    control = experiment.arms[experiment.control].overrides
    arms = (experiment.arms[name] for name in experiment.other_arms)
    exposures = [compare_overrides(control, arm.overrides, context) for arm in arms if arm.weight > 0]
    options = {name for exposure in exposures for name in exposure.options}
    if options:
        return Exposure(True, tuple(name for name in Overrides.model_fields if name in options), Why.DIFFERS)
    invisible = any(exposure.why is Why.NOT_SHOWN for exposure in exposures)
    return Exposure(False, (), Why.NOT_SHOWN if invisible else Why.SAME)


def _is_visible(option: str, one: Options, other: Options, context: TriggerContext) -> bool:
    if option == "restyle" or option in IMAGE_OPTIONS:
        return _painting(one, context) != _painting(other, context)
    if option in ("reranker", "diversity"):
        return context.positions > 0 and _diversification(one) != _diversification(other)
    if option == "calibration":
        return context.positions > 0 and context.personal
    return context.positions > 0


def _painting(arm: Options, context: TriggerContext) -> tuple[object, ...] | None:
    """Return the options that paint an arm's images; None if photos stay unchanged."""
    target = context.taste or "scene" in arm
    if not (context.photos and target and arm.get("restyle", True) and arm.get("strength") != 0):
        return None
    return tuple(arm.get(name) for name in IMAGE_OPTIONS)


def _diversification(arm: Options) -> tuple[object, object] | None:
    """Return the options that diversify an arm's lists; None if nothing does."""
    if arm.get("reranker") is Reranker.NONE or arm.get("diversity") == 0:
        return None
    return arm.get("reranker"), arm.get("diversity")
