"""Options of restyled images."""

from __future__ import annotations

from pydantic import Field, model_validator

from recsys.api.schemas.common import KEEP_COLOR_TEXT, MODE_TEXT, DeadlineMs, Share, Strict, Text
from recsys.profiles.text_style import LONGEST_TEXT
from recsys.restyling.render_request import MAX_WIDTH
from style.modes import PaintMode
from style.provenance.mark import ImageFormat


class TargetOptions(Strict):
    """Style target of an image and its encoding. Without a target the answer is the original."""

    user: Text | None = Field(default=None, description="Restyle toward this user's taste.")
    style: Text | None = Field(default=None, description="Restyle toward this style of /v1/styles.")
    item: Text | None = Field(default=None, description="Restyle toward the style of this item.")
    vector: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9_-]{171}$",
        description="Restyle toward this encoded style vector, as links contain it.",
    )
    scene: Text | None = Field(
        default=None,
        description="Restyle toward the style of this scene (see /v1/styles) that is nearest to the taste of `user`; "
        "without a user, toward the first style of the scene.",
        examples=["holiday"],
    )
    text: str | None = Field(
        default=None,
        min_length=1,
        max_length=LONGEST_TEXT,
        description="Restyle toward the style that these words describe in this catalog; with `user`, halfway from "
        "that user's taste. The header `Restyle-Near` names the nearest styles.",
        examples=["dark marble"],
    )
    taste_component: int | None = Field(
        default=None, ge=0, le=3, description="Index of a component of the taste; needs `user`."
    )
    strength: Share | None = Field(
        default=None, description="0: the original; 1: as strong as the limits of fidelity allow."
    )
    mode: PaintMode | None = Field(default=None, description=MODE_TEXT)
    keep_color: bool | None = Field(default=None, description=KEEP_COLOR_TEXT)
    width: int | None = Field(
        default=None, ge=16, le=MAX_WIDTH, description="Largest width in pixels; images are never enlarged."
    )
    format: ImageFormat = Field(default=ImageFormat.JPEG, description="File format.")
    deadline_ms: DeadlineMs | None = Field(
        default=None, description="Time in milliseconds after which the original is served instead."
    )

    @model_validator(mode="after")
    def _check_target(self) -> TargetOptions:
        targets = (self.style, self.item, self.vector, self.scene, self.text)
        given = sum(one is not None for one in targets)
        with_user = self.scene is not None or self.text is not None
        if given > 1 or (given == 1 and self.user is not None and not with_user):
            raise ValueError(
                "give at most one of user, style, item, vector, scene and text; user goes with scene and with text, too"
            )
        if self.taste_component is not None and self.user is None:
            raise ValueError("taste_component needs user: only the taste of a user has components")
        return self


class ImageOptions(TargetOptions):
    """Options of an item's image, with the parameters that only links have."""

    photo: str | None = Field(
        default=None,
        pattern=r"^[0-9a-f]{16}$",
        description="State of photo, style and engine for which a link was made; caches may keep that image forever.",
    )
    engine: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9-]{1,64}$",
        description="Engine, in links of lists that are part of an experiment; needs `signature`. "
        "Default: the shop's setting.",
    )
    signature: str | None = Field(
        default=None, max_length=128, description="Signature of a link; it replaces an API key."
    )

    @model_validator(mode="after")
    def _check_engine(self) -> ImageOptions:
        # Each engine stays in memory, so callers cannot load all of them.
        if self.engine is not None and self.signature is None:
            raise ValueError("engine is accepted only in signed links; leave it out")
        return self


class ItemImageOptions(ImageOptions):
    """Options of an item's image whose id is a parameter."""

    item_id: Text = Field(description="Id of an item.", examples=["p0001"])
