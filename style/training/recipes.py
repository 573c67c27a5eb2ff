"""Recipes by the name of the engine that they train; what `recsys train-style --engine` takes."""

from __future__ import annotations

from collections.abc import Mapping

from style.training.feedforward import FeedforwardRecipe
from style.training.gan_recipe import GanRecipe
from style.training.own_film import FilmRecipe
from style.training.recipe import Recipe

RECIPES: Mapping[str, Recipe] = {
    "film": FilmRecipe(),
    "feedforward": FeedforwardRecipe(),
    "gan": GanRecipe(),
}
