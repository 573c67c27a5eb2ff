"""Answers of the recommender as a caller reads them: with titles, prices, links and plain words."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from types import MappingProxyType

from recsys.api.limits import INLINE_WIDTH, MAX_INLINE_IMAGES
from recsys.api.lists.links import Links, Toward
from recsys.api.schemas.recommendations import (
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
from recsys.profiles.style_library import StyleNeighbor
from recsys.profiles.taste import Taste as PersonTaste
from recsys.ranking.catalog_view import ItemCard
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Answer, Recommendation, TasteMode, TasteReport
from recsys.restyling.feedback_bandit import STYLE, Choice
from recsys.restyling.policy import Choose
from recsys.restyling.render_result import RenderResult
from recsys.restyling.satisfaction_model import ORIGINAL
from recsys.schema import Basis, ItemId
from recsys.storage.live.exposures import Picture
from recsys.storage.live.user_state import UserState
from style.credit import StyleCredit
from style.errors import ImageError
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


@dataclass(frozen=True, slots=True)
class PendingList:
    """A ranked list with a link to each picture; those that come within the answer may still be rendered."""

    answer: Answer
    cards: Sequence[ItemCard]
    shown: Sequence[_Shown | None]

    @classmethod
    def of(
        cls,
        services: Services,
        links: Links,
        answer: Answer,
        options: RecommendationOptions,
        choose: Choose,
        until: float,
        engine: str | None = None,
    ) -> PendingList:
        """Begins all pictures that come within the answer, `until` by `time.monotonic`, by an engine of that name
        (default: the setting's).

        Raises RequestError for an unknown scene.
        """
        cards = [services.recommender.catalog.card(found.item_id) for found in answer.recommendations]
        if options.scene is not None:
            # Said even where no picture will go toward it.
            services.recommender.styles.card_for_scene(options.scene)
        if options.restyle is RestyleMode.OFF:
            return cls(answer, cards, [None] * len(cards))
        pictures = _Pictures(services, links, options, answer.taste, choose, until, engine)
        ranked = zip(cards, answer.recommendations, strict=True)
        return cls(
            answer, cards, [pictures.shown(card, found.mode, rank) for rank, (card, found) in enumerate(ranked, 1)]
        )

    def written(
        self,
        services: Services,
        links: Links,
        *,
        explain: bool,
        next_cursor: str | None,
        experiments: Mapping[str, str] = MappingProxyType({}),
    ) -> RecommendationList:
        """The list as it is answered; waits for the pictures in it, until the deadline at the latest."""
        entries = zip(self.answer.recommendations, self.cards, self.shown, strict=True)
        return RecommendationList(
            items=[
                recommended(
                    found,
                    rank,
                    item_view(card, links),
                    None if shown is None else shown.finished(services),
                    explain=explain,
                )
                for rank, (found, card, shown) in enumerate(entries, 1)
            ],
            basis=self.answer.basis,
            basis_text=BASIS_TEXTS[self.answer.basis],
            model_version=self.answer.model_version,
            experiments=dict(experiments),
            next_cursor=next_cursor,
        )

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """What each picture was, as exposures keep it."""
        return tuple(None if shown is None else shown.logged for shown in self.shown)


def similar_entries(services: Services, links: Links, answer: Answer) -> list[RecommendedItem]:
    """The entries of a list of similar items: original pictures, since their own look is what is asked for."""
    return [
        recommended(
            found, rank, item_view(services.recommender.catalog.card(found.item_id), links), None, explain=False
        )
        for rank, found in enumerate(answer.recommendations, start=1)
    ]


def taste_view(
    services: Services, links: Links, user_id: str, state: UserState, report: TasteReport, feedback_text: str
) -> Taste:
    """A taste with its styles, products and plain words."""
    return Taste(
        user_id=user_id,
        modes=[_mode_view(services, links, index, mode) for index, mode in enumerate(report.modes)],
        events=report.events,
        basis=report.basis,
        basis_text=BASIS_TEXTS[report.basis] if report.modes else NO_TASTE_TEXT,
        chosen=list(state.styles),
        strength=state.strength,
        reset=state.reset_seq is not None,
        feedback_text=feedback_text,
        model_version=services.recommender.version,
    )


def near_styles(styles: Sequence[StyleNeighbor]) -> list[NearStyle]:
    """Style references near to something, nearest first."""
    return [NearStyle(style_id=s.style_id, title=s.title, similarity=s.similarity) for s in styles]


@dataclass(slots=True)
class _Pictures:
    """Restyled pictures of one answer. A target is looked up once; inline pictures share one deadline."""

    services: Services
    links: Links
    options: RecommendationOptions
    taste: PersonTaste | None
    choose: Choose
    until: float
    engine: str | None
    targets: dict[tuple[str, int | None], _Target | None] = field(default_factory=dict)

    def shown(self, card: ItemCard, mode: int | None, rank: int) -> _Shown | None:
        """How an item's picture is shown; None without a picture or anything to restyle it toward."""
        if card.image is None:
            return None
        choice = self.choose(card.item_id)
        target = self._target(choice.arm.look, mode)
        if target is None:
            return None
        if choice.arm.look == ORIGINAL:
            return _Shown(None, choice, None, {})
        options = self.options
        url = self.links.restyled(
            card.item_id,
            card.image,
            target.toward,
            strength=choice.arm.strength,
            mode=options.mode,
            keep_color=options.keep_color,
            engine=self.engine,
        )
        inline = options.restyle is RestyleMode.INLINE and rank <= MAX_INLINE_IMAGES
        coming = self._submitted(card, target, choice.arm.strength) if inline else None
        return _Shown(url, choice, coming, self._rights(target))

    def _rights(self, target: _Target) -> Mapping[str, str]:
        """What an audit asks of a picture: by which engine, and toward whose work under which license."""
        engine = {"engine": self.engine or self.services.restyler.settings.engine}
        if target.credit is None:
            return engine
        return {**engine, "style": target.credit.style_id, "license": target.credit.license}

    def _target(self, look: str, mode: int | None) -> _Target | None:
        if (look, mode) not in self.targets:
            self.targets[look, mode] = _target(self.services.recommender, self.taste, look, mode, self.options.scene)
        return self.targets[look, mode]

    def _submitted(self, card: ItemCard, target: _Target, strength: float) -> Future[RenderResult]:
        assert card.image is not None  # noqa: S101
        restyler = self.services.restyler
        return restyler.submit(
            card.image,
            target.style,
            strength=strength,
            mode=self.options.mode,
            keep_color=self.options.keep_color,
            width=min(restyler.settings.size, INLINE_WIDTH),
            engine=self.engine,
            deadline_ms=max(0, round(1000 * (self.until - time.monotonic()))),
            credit=target.credit,
        )


@dataclass(frozen=True, slots=True)
class _Shown:
    """A picture's link, how it was chosen, and perhaps the picture itself. Without a link it is the original."""

    url: str | None
    choice: Choice
    coming: Future[RenderResult] | None
    rights: Mapping[str, str]

    @property
    def logged(self) -> Picture:
        """What exposures keep of it."""
        arm = self.choice.arm
        return {"arm": arm.look, "strength": arm.strength, "propensity": self.choice.propensity, **self.rights}

    def finished(self, services: Services) -> RestyledImage | None:
        """As it is answered, at the deadline at the latest."""
        if self.url is None:
            return None
        arm, propensity = self.choice.arm, self.choice.propensity
        link = RestyledImage(url=self.url, arm=arm.look, asked=arm.strength, propensity=propensity)
        if self.coming is None:
            return link
        try:
            picture = self.coming.result()
        except ImageError:
            # One damaged file must not cost the caller the list; the link tells what is wrong with it.
            return link
        services.metrics.picture(picture.status, settled=picture.settled)
        return RestyledImage(
            url=self.url,
            arm=arm.look,
            asked=arm.strength,
            propensity=propensity,
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
    toward: Toward

    @classmethod
    def of(cls, style: StyleVector, credit: StyleCredit | None = None) -> _Target:
        return cls(style, credit, Toward.of(style, None if credit is None else credit.style_id))


def _target(
    recommender: Recommender, taste: PersonTaste | None, look: str, mode: int | None, scene: str | None
) -> _Target | None:
    if scene is not None:
        return _Target.of(
            *recommender.styles.reference_with_credit(recommender.styles.card_for_scene(scene, taste, mode).style_id)
        )
    if look.startswith(STYLE):
        return _Target.of(*recommender.styles.reference_with_credit(look.removeprefix(STYLE)))
    style = None if taste is None else recommender.styles.style_of_taste(taste, mode)
    return None if style is None else _Target.of(style)


def _data_uri(picture: RenderResult) -> str:
    return f"data:{picture.media_type};base64,{base64.b64encode(picture.data).decode()}"


def _mode_view(services: Services, links: Links, index: int, mode: TasteMode) -> TasteModeView:
    return TasteModeView(
        mode=index,
        share=mode.share,
        text=f"{mode.share:.0%} of this taste{_near(mode)}.",
        styles=near_styles(mode.styles),
        items=[item_view(services.recommender.catalog.card(ItemId(item_id)), links) for item_id in mode.items],
    )


def _near(mode: TasteMode) -> str:
    """The styles worth naming: the nearest one, and what is at least half as near."""
    best = max((style.similarity for style in mode.styles), default=0.0)
    titles = [style.title for style in mode.styles if style.similarity > 0 and style.similarity >= best / 2]
    return f": near {' and '.join(titles)}" if titles else ""
