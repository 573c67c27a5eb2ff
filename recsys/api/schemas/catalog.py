"""Products as a shop sends them while the service runs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from recsys.api.schemas.recommendations import JSON, Picture64, Price, Strict, Text

MAX_ITEMS = 100

Title = Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Category = Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ItemIn(Strict):
    """A product. What is absent takes its default: a product is put whole."""

    model_config = JSON | ConfigDict(
        json_schema_extra={"examples": [{"title": "Walnut table lamp", "category": "lamp", "price": 79.0}]}
    )

    title: Title = Field(default="", examples=["Walnut table lamp"])
    category: Category = Field(default="", examples=["lamp"])
    price: Price | None = Field(default=None, description="null where unknown.", examples=[79.0])
    available: bool = Field(default=True, description="Whether it can be bought now.")
    image_base64: Picture64 | None = Field(
        default=None,
        description="The photo's file in base64: JPEG, PNG, WebP, GIF, BMP or TIFF. Addresses are not fetched. "
        "null: keep the photo that is there, if there is one.",
    )


class BatchItemIn(ItemIn):
    """A product of a batch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_id": "p9001", "title": "Walnut table lamp"}]})

    item_id: Text = Field(examples=["p9001"])


class ItemBatch(Strict):
    """Products to put, each whole."""

    model_config = JSON

    items: list[BatchItemIn] = Field(min_length=1, max_length=MAX_ITEMS)


class ItemStatus(StrEnum):
    """What became of a product that was put."""

    STORED = "stored"
    REJECTED = "rejected"


class ItemResult(BaseModel):
    """What became of one product. `stored` means that it is on the disk."""

    item_id: str = Field(examples=["p9001"])
    status: ItemStatus
    reason: str | None = Field(default=None, description="Of a rejected one: what is wrong.")


class ItemReport(BaseModel):
    """What became of each product, in the order sent."""

    stored: int
    rejected: int
    results: list[ItemResult]


class Deleted(BaseModel):
    """A product that is gone."""

    item_id: str
    status: str = Field(examples=["deleted"])
