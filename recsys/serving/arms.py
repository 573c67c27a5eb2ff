"""Arms of experiments at work: what they set of a request, and of the pictures that answer it."""

from __future__ import annotations

from dataclasses import replace

from recsys.experiments.overrides import Overrides
from recsys.pipeline.request import Request

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
