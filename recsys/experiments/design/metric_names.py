"""What experiments measure, by name."""

from __future__ import annotations

from enum import StrEnum


class MetricName(StrEnum):
    """A metric of a person's (or session's) exposures and events.

    `ctr`: clicks on shown items / items shown. `add_to_cart`: carts on shown items / items shown. `conversion`: the
    share of units with a purchase. `revenue_per_user`: what a unit's purchases were worth. `dwell`: seconds looked at
    products / views. `satisfaction`: satisfied verdicts on restyled pictures / verdicts. `style_diversity`: mean
    distance of the looks in a list.
    """

    CTR = "ctr"
    ADD_TO_CART = "add_to_cart"
    CONVERSION = "conversion"
    REVENUE_PER_USER = "revenue_per_user"
    DWELL = "dwell"
    SATISFACTION = "satisfaction"
    STYLE_DIVERSITY = "style_diversity"


class Direction(StrEnum):
    """Which way a metric should go."""

    INCREASE = "increase"
    DECREASE = "decrease"
