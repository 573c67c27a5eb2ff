"""Commands that print lists and tastes: recommend, similar, taste."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from recsys.cli.shared import ProjectPath, choose, load_recommender, open_project
from recsys.errors import UnknownIdError

if TYPE_CHECKING:
    from recsys.schema import ItemId


def recommend(
    path: ProjectPath,
    user: Annotated[str | None, typer.Option(help="User to recommend to.")] = None,
    item: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ITEM[=WEIGHT]", help="Item of this session; a negative weight means disliked; repeatable."
        ),
    ] = None,
    style: Annotated[list[str] | None, typer.Option(help="Chosen style reference; repeatable.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Length of the list.")] = 10,
    category: Annotated[list[str] | None, typer.Option(help="Only this category; repeatable.")] = None,
    price_min: Annotated[float | None, typer.Option(help="Lowest price.")] = None,
    price_max: Annotated[float | None, typer.Option(help="Highest price.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Leave out this item; repeatable.")] = None,
    include_seen: Annotated[
        bool, typer.Option("--include-seen", help="Also list what the user has seen; disliked items stay out.")
    ] = False,
    seen: Annotated[
        list[str] | None,
        typer.Option(metavar="EVENT", help="Event that makes an item seen; repeatable. Default: the settings."),
    ] = None,
    variants: Annotated[
        str, typer.Option(help="one: one variant of each product; all: variants are items of their own.")
    ] = "one",
    color: Annotated[str | None, typer.Option(metavar="#RRGGBB", help="Only products of about this color.")] = None,
    diversity: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="0: only relevance, 1: only variety.")
    ] = None,
    calibration: Annotated[
        float | None,
        typer.Option(min=0.0, max=1.0, help="Closeness to the mix of categories and styles that the user liked."),
    ] = None,
    exploration: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of positions for long-tail items.")
    ] = None,
    exploration_seed: Annotated[
        str, typer.Option(help="Seed of exploration: any text; another one explores other items.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Recommend items to a user, to a session with some items, or for chosen styles."""
    from recsys.ranking.request import Filters, Request
    from recsys.ranking.variants import Variants
    from recsys.reports.terminal import answer_json, print_answer, print_basis
    from recsys.schema import EventKind, ItemId, Kinds, UserId

    project = open_project(path)
    filters = Filters(
        categories=frozenset(category or ()),
        price_min=price_min,
        price_max=price_max,
        exclude=frozenset(map(ItemId, exclude or ())),
        color=color,
        seen=include_seen,
        seen_kinds=Kinds.from_kinds([choose(EventKind, kind, "--seen") for kind in seen]) if seen else None,
        variants=choose(Variants, variants, "--variants"),
    )
    request = Request(
        user_id=None if user is None else UserId(user),
        items=dict(parse_weighted_item(text, project.settings.events.like) for text in item or []),
        styles=tuple(style or ()),
        limit=limit,
        filters=filters,
        diversity=diversity,
        calibration=calibration,
        exploration=exploration,
        exploration_seed=exploration_seed,
    )
    recommender = load_recommender(project)
    for name in sorted(filters.categories):
        # The service answers with an empty list; at a terminal it is a typing error.
        if recommender.catalog.find_category(name) != name:
            raise UnknownIdError("category", name)
    answer = recommender.recommend(request)
    if as_json:
        typer.echo(answer_json(recommender, answer))
        return
    print_answer(recommender, answer)
    print_basis(answer)


def similar(
    path: ProjectPath,
    item: Annotated[str, typer.Argument(help="Item to compare with.")],
    by: Annotated[
        str,
        typer.Option(help="Kind of similarity: style, taste (liked by the same users), both, color, texture or shape."),
    ] = "style",
    limit: Annotated[int, typer.Option(min=1, help="Length of the list.")] = 10,
) -> None:
    """List items like one item."""
    from recsys.ranking.similar import SimilarBy
    from recsys.reports.terminal import print_answer
    from recsys.schema import ItemId

    kind = choose(SimilarBy, by, "--by")
    recommender = load_recommender(open_project(path))
    print_answer(recommender, recommender.similar.to_item(ItemId(item), by=kind, limit=limit))


def taste(path: ProjectPath, user: Annotated[str, typer.Option(help="User.")]) -> None:
    """Explain a user's taste: its components, the styles nearest to them, and items that show them."""
    from recsys.ranking.request import Request
    from recsys.reports.terminal import print_taste
    from recsys.schema import UserId

    recommender = load_recommender(open_project(path))
    print_taste(recommender, recommender.taste(Request(user_id=UserId(user))))


def parse_weighted_item(text: str, default: float) -> tuple[ItemId, float]:
    """Parse ITEM=WEIGHT; ids may hold an equals sign, so the last one separates them."""
    from recsys.schema import ItemId

    item, equals, weight = text.rpartition("=")
    if not equals:
        return ItemId(text), default
    try:
        return ItemId(item), float(weight)
    except ValueError:
        raise typer.BadParameter(f"--item {text!r}: {weight!r} is not a number; expected ITEM=WEIGHT") from None
