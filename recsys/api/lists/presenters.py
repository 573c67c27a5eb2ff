"""Answers as callers read them: lists, items and tastes with titles, prices, links and plain words."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from recsys.api.limits import INLINE_WIDTH, MAX_INLINE_IMAGES
from recsys.api.lists.links import Links
from recsys.api.schemas.recommendations import (
    Item,
    RecommendationList,
    RecommendationOptions,
    RecommendedItem,
    RestyledImage,
    RestyleMode,
)
from recsys.api.schemas.users import NearStyle, Taste, TasteComponentView
from recsys.api.services import Services
from recsys.profiles.style_library import StyleNeighbor
from recsys.profiles.taste import Taste as UserTaste
from recsys.ranking.catalog_view import ItemCard
from recsys.ranking.request import Answer, Recommendation, TasteComponent, TasteReport
from recsys.restyling.feedback_bandit import STYLE_PREFIX, Choice
from recsys.restyling.policy import Choose
from recsys.restyling.render_request import RenderRequest
from recsys.restyling.render_result import RenderResult
from recsys.restyling.satisfaction_model import ORIGINAL
from recsys.restyling.target import StyleTarget
from recsys.schema import BASIS_TEXTS, ItemId
from recsys.storage.live.exposures import Picture
from recsys.storage.live.user_state import UserState
from style.errors import ImageError

NO_TASTE_TEXT = "Nothing is known about this user's taste yet: a few clicks or a chosen style are enough to begin."


def item_view(card: ItemCard, links: Links) -> Item:
    """Return an item with the link to its photo."""
    return Item(
        item_id=card.item_id,
        title=card.title,
        category=card.category,
        price=card.price,
        available=card.available,
        image=None if card.image is None else links.original(card.item_id, card.image),
    )


def entry_view(
    recommendation: Recommendation, rank: int, item: Item, restyled: RestyledImage | None, *, explain: bool
) -> RecommendedItem:
    """Return one entry of a list.

    Args:
        recommendation: Recommended item with its score and reason.
        rank: Position in the list, from 1.
        item: The item as callers read it.
        restyled: The restyled image, None for the original.
        explain: Also return the contributions to the score.
    """
    return RecommendedItem(
        rank=rank,
        item=item,
        score=recommendation.score,
        reason=recommendation.reason,
        because=recommendation.because,
        taste_component=recommendation.component,
        propensity=recommendation.propensity,
        explored=recommendation.explored,
        restyled=restyled,
        contributions=dict(recommendation.contributions) if explain else None,
    )


def similar_entries(services: Services, links: Links, answer: Answer) -> list[RecommendedItem]:
    """Return the entries of a list of similar items, with their photos: callers compare the items' own style."""
    return [
        entry_view(found, rank, item_view(services.recommender.catalog.card(found.item_id), links), None, explain=False)
        for rank, found in enumerate(answer.recommendations, start=1)
    ]


def near_styles(styles: Sequence[StyleNeighbor]) -> list[NearStyle]:
    """Return the nearest style references, nearest first."""
    return [NearStyle(style_id=s.style_id, title=s.title, similarity=s.similarity) for s in styles]


def taste_view(
    services: Services, links: Links, user_id: str, state: UserState, report: TasteReport, feedback_text: str
) -> Taste:
    """Return a user's taste with its styles, items and plain words.

    Args:
        services: Services with the model of this request.
        links: Builder of links.
        user_id: Id of the user.
        state: Live data of the user.
        report: Taste with the nearest styles and items.
        feedback_text: Sentences on what ratings have changed.
    """
    return Taste(
        user_id=user_id,
        components=[_component_view(services, links, index, mode) for index, mode in enumerate(report.components)],
        events=report.events,
        basis=report.basis,
        basis_text=BASIS_TEXTS[report.basis] if report.components else NO_TASTE_TEXT,
        chosen=list(state.styles),
        strength=state.strength,
        reset=state.reset_seq is not None,
        feedback_text=feedback_text,
        model_version=services.recommender.version,
    )


def _component_view(services: Services, links: Links, index: int, component: TasteComponent) -> TasteComponentView:
    titles = [style.title for style in component.close_styles]
    near = f": near {' and '.join(titles)}" if titles else ""
    return TasteComponentView(
        taste_component=index,
        share=component.share,
        text=f"{component.share:.0%} of this taste{near}.",
        styles=near_styles(component.styles),
        items=[item_view(services.recommender.catalog.card(ItemId(item_id)), links) for item_id in component.items],
    )


@dataclass(frozen=True, slots=True)
class ItemImage:
    """Restyled image of one entry: how it was chosen, its link, and perhaps the image itself.

    Attributes:
        choice: Action and its propensity.
        url: Link to the image, None if it is the original.
        rendering: The image, if it comes within the answer.
        rights: Engine, and style reference and license of the target, for exposures and their audit.
    """

    choice: Choice
    url: str | None = None
    rendering: Future[RenderResult] | None = None
    rights: Mapping[str, str] = field(default_factory=dict)

    def exposure(self) -> Picture:
        """Return the image as exposures log it."""
        action, propensity = self.choice.action, self.choice.propensity
        return {"action": action.target, "strength": action.strength, "propensity": propensity, **self.rights}

    def view(self, services: Services) -> RestyledImage | None:
        """Return the image as callers read it, None for the original. Waits until the deadline at the latest."""
        if self.url is None:
            return None
        action = self.choice.action
        link = RestyledImage(
            url=self.url,
            action=action.target,
            requested_strength=action.strength,
            propensity=self.choice.propensity,
        )
        if self.rendering is None:
            return link
        try:
            result = self.rendering.result()
        except ImageError:
            # A damaged photo must not cost the caller the list; the link explains the fault.
            return link
        services.metrics.count_image(result.status, settled=result.settled)
        data = base64.b64encode(result.data).decode()
        return link.model_copy(
            update={
                "status": result.status,
                "data": f"data:{result.media_type};base64,{data}",
                "strength": result.strength,
                "limited_by": list(result.limited_by),
            }
        )


@dataclass(frozen=True, slots=True)
class PendingList:
    """Ranked list with a link to each image; images within the answer may still be rendering."""

    answer: Answer
    cards: Sequence[ItemCard]
    images: Sequence[ItemImage | None]

    @classmethod
    def from_answer(
        cls,
        services: Services,
        links: Links,
        answer: Answer,
        options: RecommendationOptions,
        choose: Choose,
        until: float,
        engine: str | None = None,
    ) -> PendingList:
        """Choose the images of a list, and start to render those that come within the answer.

        Args:
            services: Services with the model of this request.
            links: Builder of links.
            answer: Ranked items.
            options: Options of the request.
            choose: Function that chooses the action for an item.
            until: Deadline of the images, by `time.monotonic`.
            engine: Name of an engine; default: the setting.

        Raises:
            RequestError: The scene is unknown.
        """
        recommender = services.recommender
        cards = [recommender.catalog.card(found.item_id) for found in answer.recommendations]
        if options.scene is not None:
            # An unknown scene is an error even if no image is restyled.
            StyleTarget.resolve(recommender, scene=options.scene)
        if options.restyle is RestyleMode.OFF:
            return cls(answer, cards, [None] * len(cards))
        images = _ImageBuilder(services, links, options, answer.taste, choose, until, engine)
        return cls(
            answer,
            cards,
            [
                images.build(card, found.component, rank)
                for rank, (card, found) in enumerate(zip(cards, answer.recommendations, strict=True), start=1)
            ],
        )

    def view(
        self,
        services: Services,
        links: Links,
        *,
        explain: bool,
        next_cursor: str | None,
        experiments: Mapping[str, str] = MappingProxyType({}),
    ) -> RecommendationList:
        """Return the list as callers read it. Waits for the images in it, until the deadline at the latest.

        Args:
            services: Services with the model of this request.
            links: Builder of links.
            explain: Also return the contributions to the scores.
            next_cursor: Cursor of the next page.
            experiments: Arm of each experiment.
        """
        entries = zip(self.answer.recommendations, self.cards, self.images, strict=True)
        return RecommendationList(
            items=[
                entry_view(
                    found,
                    rank,
                    item_view(card, links),
                    None if image is None else image.view(services),
                    explain=explain,
                )
                for rank, (found, card, image) in enumerate(entries, 1)
            ],
            basis=self.answer.basis,
            basis_text=BASIS_TEXTS[self.answer.basis],
            empty_text=self.answer.empty_text or None,
            model_version=self.answer.model_version,
            experiments=dict(experiments),
            next_cursor=next_cursor,
        )

    @property
    def exposures(self) -> tuple[Picture, ...]:
        """Images as exposures log them."""
        return tuple(None if image is None else image.exposure() for image in self.images)


@dataclass(slots=True)
class _ImageBuilder:
    """Builder of the images of one list. Images within the answer share one deadline."""

    services: Services
    links: Links
    options: RecommendationOptions
    taste: UserTaste | None
    choose: Choose
    until: float
    engine: str | None
    targets: dict[tuple[str, int | None], StyleTarget | None] = field(default_factory=dict)

    def build(self, card: ItemCard, component: int | None, rank: int) -> ItemImage | None:
        """Choose how an item's image is shown. None if it has no photo, or there is no style to restyle it toward.

        Args:
            card: The item.
            component: Taste component that the item matches best.
            rank: Position of the item, from 1.
        """
        if card.image is None:
            return None
        choice, options = self.choose(card.item_id), self.options
        target = self._resolve_target(choice.action.target, component)
        if target is None:
            return None
        if choice.action.target == ORIGINAL:
            return ItemImage(choice)
        renderer = self.services.restyler
        request = RenderRequest.from_settings(
            renderer.settings,
            card.image,
            target,
            recipe=renderer.recipe,
            strength=choice.action.strength,
            mode=options.mode,
            keep_color=options.keep_color,
            engine=self.engine,
        )
        rendering = None
        if options.restyle is RestyleMode.INLINE and rank <= MAX_INLINE_IMAGES:
            remaining_ms = max(0, round(1000 * (self.until - time.monotonic())))
            small = replace(request, width=min(request.width, INLINE_WIDTH), deadline_ms=remaining_ms)
            rendering = renderer.submit(small)
        rights = {"engine": request.engine}
        if target.credit is not None:
            rights |= {"style": target.credit.style_id, "license": target.credit.license}
        return ItemImage(choice, self.links.image(card.item_id, request), rendering, rights)

    def _resolve_target(self, name: str, component: int | None) -> StyleTarget | None:
        """Return the target of an action; it is resolved, and its style encoded, once for each list."""
        key = (name, component)
        if key not in self.targets:
            self.targets[key] = StyleTarget.resolve(
                self.services.recommender,
                taste=self.taste,
                component=component,
                style=name.removeprefix(STYLE_PREFIX) if name.startswith(STYLE_PREFIX) else None,
                scene=self.options.scene,
            )
        return self.targets[key]
