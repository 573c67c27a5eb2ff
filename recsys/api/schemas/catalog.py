"""Schemas of live changes to the catalog."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from recsys.api.schemas.common import JSON, Base64Image, Price, Strict, Text

MAX_ITEMS = 100

Title = Annotated[str, Field(max_length=2_000, pattern=r"^[^\x00-\x1f\x7f]*$")]
Category = Annotated[str, Field(max_length=512, pattern=r"^[^\x00-\x1f\x7f]*$")]


class ItemIn(Strict):
    """Product. It is replaced as a whole: absent fields get their defaults."""

    model_config = JSON | ConfigDict(
        json_schema_extra={"examples": [{"title": "Walnut table lamp", "category": "lamp", "price": 79.0}]}
    )

    title: Title = Field(default="", examples=["Walnut table lamp"])
    category: Category = Field(default="", examples=["lamp"])
    price: Price | None = Field(
        default=None, description="Price in the catalog's currency; null: unknown.", examples=[79.0]
    )
    available: bool = Field(default=True, description="Whether the product can be bought now.")
    image_base64: Base64Image | None = Field(
        default=None,
        description="Photo as its file in base64: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF; or as a data URI. "
        "Addresses are not fetched. "
        "null: keep the present photo, if there is one.",
    )


class BatchItemIn(ItemIn):
    """Product of a batch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_id": "p9001", "title": "Walnut table lamp"}]})

    item_id: Text = Field(examples=["p9001"])


class ItemBatch(Strict):
    """Products to put, each as a whole."""

    model_config = JSON

    items: list[BatchItemIn] = Field(min_length=1, max_length=MAX_ITEMS)


class ItemPatchIn(Strict):
    """Changes of a product (JSON Merge Patch, RFC 7396): absent fields stay, null removes a value."""

    model_config = JSON | ConfigDict(json_schema_extra={"examples": [{"price": 69.0, "available": False}]})

    title: Title | None = Field(default=None, description="null: no title.", examples=["Walnut table lamp"])
    category: Category | None = Field(default=None, description="null: no category.", examples=["lamp"])
    price: Price | None = Field(default=None, description="null: unknown.", examples=[69.0])
    available: bool | None = Field(default=None, description="null: available.")
    image_base64: Base64Image | None = Field(
        default=None, description="New photo as its file in base64, or as a data URI. null: remove the photo."
    )

    def given(self) -> dict[str, Any]:
        """Return the values of the fields that were sent, but for the photo and the id."""
        empty = {"title": "", "category": "", "price": None, "available": True}
        values = {name: getattr(self, name) for name in empty if name in self.model_fields_set}
        return {name: empty[name] if value is None else value for name, value in values.items()}


class BatchItemPatchIn(ItemPatchIn):
    """Changes of a product of a batch."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"item_id": "p9001", "price": 69.0}]})

    item_id: Text = Field(examples=["p9001"])


class ItemPatchBatch(Strict):
    """Changes of products, which are applied in order."""

    model_config = JSON

    items: list[BatchItemPatchIn] = Field(min_length=1, max_length=MAX_ITEMS)


class ItemStatus(StrEnum):
    """Result of a change of a product. `superseded`: the same request has a later state of it, which was stored."""

    STORED = "stored"
    SUPERSEDED = "superseded"
    REJECTED = "rejected"


class ItemResult(BaseModel):
    """Result of one product. `stored`: it is on disk."""

    item_id: str = Field(examples=["p9001"])
    status: ItemStatus
    reason: str | None = Field(default=None, description="Reason of a rejection, or what superseded it.")


class ItemReport(BaseModel):
    """Results of all products, in the order of the request."""

    stored: int
    superseded: int = Field(description="Number of entries whose item occurs again later in the request.")
    rejected: int
    results: list[ItemResult]


class Deleted(BaseModel):
    """Product that was deleted."""

    item_id: str
    status: str = Field(examples=["deleted"])
