"""Schemas of search by an image or by words."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from recsys.api.schemas.common import Text
from recsys.api.schemas.recommendations import FilterOptions, RecommendedItem
from recsys.api.schemas.users import NearStyle

Words = Annotated[str, Field(min_length=1, max_length=500)]


class SearchOptions(FilterOptions):
    """Options of a search by style."""

    text: Words | None = Field(
        default=None, description="Words that describe the style; or send an image.", examples=["dark floral"]
    )
    user_id: Text | None = Field(default=None, description="Leave out items with which this user interacted.")


class KnownWord(BaseModel):
    """Word with a meaning for styles."""

    word: str = Field(examples=["floral"])
    share: float = Field(description="Share of the word in the search; all shares sum to 1.", examples=[0.6])
    read_as: str | None = Field(default=None, description="Known word that replaced a misspelled one.")


class SearchResult(BaseModel):
    """Products in the style that was searched for, most similar first."""

    items: list[RecommendedItem]
    styles: list[NearStyle] = Field(description="Styles of the library nearest to the search.")
    words: list[KnownWord] | None = Field(default=None, description="Words that were understood, of a search in words.")
    unknown: list[str] | None = Field(default=None, description="Words that were not understood, of a search in words.")
    model_version: str
    hints: list[str] = Field(default_factory=list, description="Remarks on the request, as in recommendations.")
