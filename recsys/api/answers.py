"""Answers of the recommender as a caller reads them: with titles, prices, links and plain words."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path

from recsys.api.limits import INLINE_WIDTH, MAX_INLINE_IMAGES
from recsys.api.links import Links
from recsys.api.schemas import (
    Item,
    NearStyle,
    RecommendationList,
    RecommendationOptions,
    RecommendedItem,
    RestyledImage,
    RestyleMode,
    Taste,
    TasteModeView,
)
from recsys.api.services import Services
from recsys.pipeline.recommender import ItemCard, Recommender
from recsys.pipeline.request import Answer, Recommendation, Request, TasteMode, TasteReport
from recsys.pipeline.restyled import Restyled
from recsys.schema import Basis, ItemId
from style.errors import ImageError
from style.provenance import StyleCredit
from style.vector import StyleVector

BASIS_TEXTS = {
    Basis.HISTORY: "Based on this user's history.",
    Basis.SESSION: "Based on the items of this session.",
    Basis.CHOSEN_STYLE: "Based on the chosen styles.",
    Basis.POPULAR: "Nothing is known about this person's taste yet: these are the most popular items.",
}
NO_TASTE_TEXT = "Nothing is known about this person's taste yet: a few clicks or a chosen style are enough to begin."


def item_view(card: ItemCard, links: Links) -> Item:
    """An item with the link to its original picture."""
    return Item(
        item_id=card.item_id,
        title=card.title,
        category=card.category,
        price=card.price,
        available=card.available,
        image=None if card.image is None else links.original(card.item_id, card.image),
    )


def recommended(
    recommendation: Recommendation, rank: int, item: Item, restyled: RestyledImage | None, *, explain: bool
) -> RecommendedItem:
    """One entry of a list."""
    return RecommendedItem(
        rank=rank,
        item=item,
        score=recommendation.score,
        reason=recommendation.reason,
        because=recommendation.because,
        mode=recommendation.mode,
        propensity=recommendation.propensity,
        explored=recommendation.explored,
        restyled=restyled,
        contributions=dict(recommendation.contributions) if explain else None,
    )


def recommendation_list(
    services: Services, links: Links, request: Request, options: RecommendationOptions
) -> RecommendationList:
    """The recommendations for a request; pictures as `options.restyle` says."""
    pictures = _Pictures.of(services, links, request, options)
    answer = services.recommender.recommend(request)
    cards = [services.recommender.card(recommendation.item_id) for recommendation in answer.recommendations]
    # All are begun before the first is waited for.
    begun = [
        pictures.begun(card, recommendation.mode, rank)
        for rank, (card, recommendation) in enumerate(zip(cards, answer.recommendations, strict=True), start=1)
    ]
    entries = [
        recommended(
            found,
            rank,
            item_view(card, links),
            None if picture is None else picture.finished(),
            explain=options.explain,
        )
        for rank, (card, found, picture) in enumerate(zip(cards, answer.recommendations, begun, strict=True), start=1)
    ]
    return RecommendationList(
        items=entries,
        basis=answer.basis,
        basis_text=BASIS_TEXTS[answer.basis],
        model_version=answer.model_version,
    )


def similar_entries(services: Services, links: Links, answer: Answer) -> list[RecommendedItem]:
    """The entries of a list of similar items: original pictures, since their own look is what is asked for."""
    return [
        recommended(found, rank, item_view(services.recommender.card(found.item_id), links), None, explain=False)
        for rank, found in enumerate(answer.recommendations, start=1)
    ]


def taste_view(services: Services, links: Links, user_id: str, report: TasteReport) -> Taste:
    """A taste with its styles, products and plain words."""
    return Taste(
        user_id=user_id,
        modes=[_mode_view(services, links, index, mode) for index, mode in enumerate(report.modes)],
        events=report.events,
        basis=report.basis,
        basis_text=BASIS_TEXTS[report.basis] if report.modes else NO_TASTE_TEXT,
        model_version=services.recommender.version,
    )


@dataclass(frozen=True, slots=True)
class _Pictures:
    """Restyled pictures of one answer. A taste's mode is looked up once; inline ones share a deadline."""

    services: Services
    links: Links
    options: RecommendationOptions
    target_of: Callable[[int | None], _Target | None]
    until: float
    targets: dict[int | None, _Target | None] = field(default_factory=dict)

    @classmethod
    def of(cls, services: Services, links: Links, request: Request, options: RecommendationOptions) -> _Pictures:
        settings = services.restyler.settings
        if options.scene is not None:
            # Said even where no picture will go toward it.
            services.recommender.reference_for_scene(options.scene)
        wait_ms = settings.deadline_ms if options.deadline_ms is None else options.deadline_ms
        return cls(
            services,
            links,
            options,
            lambda mode: _target(services.recommender, request, mode, options.scene),
            time.monotonic() + wait_ms / 1000,
        )

    def begun(self, card: ItemCard, mode: int | None, rank: int) -> _Picture | None:
        """The link to an item's picture and, where it comes within the answer, the picture to be; None without one."""
        if self.options.restyle is RestyleMode.OFF or card.image is None:
            return None
        if mode not in self.targets:
            self.targets[mode] = self.target_of(mode)
        target = self.targets[mode]
        if target is None:
            return None
        options = self.options
        url = self.links.restyled(
            card.item_id,
            card.image,
            target.style,
            None if target.credit is None else target.credit.style_id,
            strength=options.strength,
            mode=options.mode,
            keep_colour=options.keep_colour,
        )
        inline = options.restyle is RestyleMode.INLINE and rank <= MAX_INLINE_IMAGES
        return _Picture(url, self._submitted(card.image, target) if inline else None)

    def _submitted(self, image: Path, target: _Target) -> Future[Restyled]:
        restyler = self.services.restyler
        return restyler.submit(
            image,
            target.style,
            strength=self.options.strength,
            mode=self.options.mode,
            keep_colour=self.options.keep_colour,
            width=min(restyler.settings.size, INLINE_WIDTH),
            deadline_ms=max(0, round(1000 * (self.until - time.monotonic()))),
            credit=target.credit,
        )


@dataclass(frozen=True, slots=True)
class _Picture:
    """A link, and perhaps the picture itself, which may still be rendered."""

    url: str
    coming: Future[Restyled] | None

    def finished(self) -> RestyledImage:
        """As it is answered, at the deadline at the latest."""
        if self.coming is None:
            return RestyledImage(url=self.url)
        try:
            picture = self.coming.result()
        except ImageError:
            # One damaged file must not cost the caller the list; the link tells what is wrong with it.
            return RestyledImage(url=self.url)
        return RestyledImage(
            url=self.url,
            status=picture.status,
            data=_data_uri(picture),
            strength=picture.strength,
            limited_by=list(picture.limited_by),
        )


@dataclass(frozen=True, slots=True)
class _Target:
    """What pictures go toward; `credit` where that is a style reference."""

    style: StyleVector
    credit: StyleCredit | None


def _target(recommender: Recommender, request: Request, mode: int | None, scene: str | None) -> _Target | None:
    if scene is not None:
        return _Target(*recommender.credited_reference(recommender.reference_for_scene(scene, request, mode).style_id))
    style = recommender.style_for(request, mode)
    return None if style is None else _Target(style, None)


def _data_uri(picture: Restyled) -> str:
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"


def _mode_view(services: Services, links: Links, index: int, mode: TasteMode) -> TasteModeView:
    return TasteModeView(
        mode=index,
        share=mode.share,
        text=f"{mode.share:.0%} of this taste{_near(mode)}.",
        styles=[NearStyle(style_id=s.style_id, title=s.title, similarity=s.similarity) for s in mode.styles],
        items=[item_view(services.recommender.card(ItemId(item_id)), links) for item_id in mode.items],
    )


def _near(mode: TasteMode) -> str:
    """The styles worth naming: the nearest one, and what is at least half as near."""
    best = max((style.similarity for style in mode.styles), default=0.0)
    titles = [style.title for style in mode.styles if style.similarity > 0 and style.similarity >= best / 2]
    return f": near {' and '.join(titles)}" if titles else ""
