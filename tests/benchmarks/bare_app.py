"""FastAPI with one route that returns ten typed items: the baseline of `recsys bench serve`."""

from __future__ import annotations

from fastapi import FastAPI
from pydantic import BaseModel


class Item(BaseModel):
    """Item with the fields that a shop would show."""

    item_id: str
    title: str
    category: str
    price: float
    available: bool
    score: float


app = FastAPI()


@app.get("/items")
async def items() -> list[Item]:
    """Return ten items, created for each answer."""
    return [
        Item(item_id=f"p{n:04d}", title="Walnut lamp", category="lamp", price=79.0 + n, available=True, score=1 / n)
        for n in range(1, 11)
    ]
