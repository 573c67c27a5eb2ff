"""Search by a picture or by words, answered by looks."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, Field

from recsys.api.schemas.recommendations import FilterOptions, NearStyle, RecommendedItem, Text

Words = Annotated[str, Field(min_length=1, max_length=500)]


class SearchOptions(FilterOptions):
    """Options of a search by style."""

    text: Words | None = Field(
        default=None, description="What it should look like, in words; or send a picture.", examples=["dark floral"]
    )
    user_id: Text | None = Field(default=None, description="Leave out what this user has touched.")


class KnownWord(BaseModel):
    """A word that says something about looks."""

    word: str = Field(examples=["floral"])
    weight: float = Field(description="Its part in what is searched for; all parts sum to 1.", examples=[0.6])
    read_as: str | None = Field(default=None, description="The known word that a misspelled one was taken for.")


class SearchResult(BaseModel):
    """Products that look like what was asked for, most alike first."""

    items: list[RecommendedItem]
    styles: list[NearStyle] = Field(description="The library's styles nearest to what was asked for.")
    words: list[KnownWord] | None = Field(default=None, description="Of a search in words: what was understood.")
    unknown: list[str] | None = Field(default=None, description="Of a search in words: what was not.")
    model_version: str
