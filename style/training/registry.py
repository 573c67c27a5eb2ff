"""Recipes of custom engines by the name that `recsys train-style --engine` takes."""

from __future__ import annotations

from collections.abc import Mapping

from style.training.recipe import Recipe
from style.training.recipes.feedforward import FeedforwardRecipe
from style.training.recipes.film_finetune import FilmRecipe
from style.training.recipes.gan_recipe import GanRecipe

RECIPES: Mapping[str, Recipe] = {
    "film": FilmRecipe(),
    "feedforward": FeedforwardRecipe(),
    "gan": GanRecipe(),
}
