"""Arms of experiments at work: what they set of a request, and of the pictures that answer it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from recsys.config import RestyleSettings
from recsys.experiments.design.overrides import Overrides, defaults
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request

RANKING_OPTIONS = ("reranker", "diversity", "calibration", "exploration")
"""Overrides that are fields of a request, too; `blend` is a mapping, and taken feature by feature."""


def applied(request: Request, overrides: Overrides) -> Request:
    """A request as an arm has it ranked; what the caller has set goes before what the arm sets.

    Of the overrides only ranking's are taken: `blend` and RANKING_OPTIONS. Another `model` is another recommender, and
    pictures are none of a request's business.
    """
    blend = {**(overrides.blend or {}), **(request.blend or {})}
    given = {name: getattr(overrides, name) for name in RANKING_OPTIONS if getattr(request, name) is None}
    return replace(request, blend=blend or None, **given)


def asked_overrides(given: Mapping[str, object], chose_strength: bool) -> frozenset[str]:
    """Names of overrides that no arm changes: options that the caller has `given` (None: not), and the strength where
    the person `chose_strength` for themselves."""
    named = {name for name in Overrides.model_fields if given.get(name) is not None}
    return frozenset(named | ({"strength"} if chose_strength else set()))


def as_served(recommender: Recommender, restyle: RestyleSettings, *, learned: bool) -> Overrides:
    """What a request is served where no arm says otherwise. `learned`: how strongly its pictures are restyled follows
    verdicts on pictures, hence no strength that an arm names is the same."""
    base = defaults(recommender.bundle.settings.rank, restyle).without(("strength",) if learned else ())
    return Overrides(model=recommender.version).over(base)
