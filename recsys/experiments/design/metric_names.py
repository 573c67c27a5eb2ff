"""Names of the metrics that experiments measure."""

from __future__ import annotations

from enum import StrEnum


class MetricName(StrEnum):
    """Metric of a unit's exposures and events.

    - `ctr`: clicks on shown items / items shown.
    - `add_to_cart`: carts on shown items / items shown.
    - `conversion`: share of units with a purchase.
    - `revenue_per_user`: value of a unit's purchases, in the catalog's currency.
    - `dwell`: seconds spent on products / views.
    - `satisfaction`: satisfied ratings of restyled images / ratings.
    - `style_diversity`: mean style distance between the items of a list.
    """

    CTR = "ctr"
    ADD_TO_CART = "add_to_cart"
    CONVERSION = "conversion"
    REVENUE_PER_USER = "revenue_per_user"
    DWELL = "dwell"
    SATISFACTION = "satisfaction"
    STYLE_DIVERSITY = "style_diversity"


class Direction(StrEnum):
    """Direction in which a metric improves."""

    INCREASE = "increase"
    DECREASE = "decrease"
