"""Types that several groups of routes share. Unknown fields are rejected, and every field has a description."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from recsys.api.limits import MAX_DEADLINE_MS, MAX_ERRORS, MAX_ID_LENGTH, MAX_IMAGE_CHARACTERS

Text = Annotated[str, Field(min_length=1, max_length=MAX_ID_LENGTH, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""Id or name: 1 to 512 characters, no control characters."""
Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Price = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
"""Price in the currency of the catalog."""
Base64Image = Annotated[str, Field(min_length=1, max_length=MAX_IMAGE_CHARACTERS)]
"""Image file in base64."""
DeadlineMs = Annotated[int, Field(ge=0, le=MAX_DEADLINE_MS)]

MODE_TEXT = (
    "What is painted. `product`: the product; a plain backdrop stays. `full`: the whole image. `background`: "
    "everything but the product. `tone`: only the colors of the product. Default: the shop's setting."
)
KEEP_COLOR_TEXT = "Change only lightness and keep hues. Default: the shop's setting."


class Strict(BaseModel):
    """Base of everything that callers send."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _bound_unknown_fields(cls, values: Any) -> Any:
        """Reject many unknown fields as one error: the validator would make an error of each, at great cost."""
        if isinstance(values, dict) and len(values) > len(cls.model_fields) + MAX_ERRORS:
            raise ValueError(f"{len(values):,} fields, of which at most {len(cls.model_fields)} can be known")
        return values


JSON = ConfigDict(strict=True)
"""Configuration of JSON bodies, whose values have types: true is not 1, and "5" is not 5.

Members of enumerations are text in JSON, so their fields are not strict.
"""


class NoParameters(Strict):
    """Query of a route without parameters."""
