"""Render requests for tests: toward a style vector, with the settings of a renderer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recsys.restyling.render_request import RenderRequest
from recsys.restyling.renderer import Renderer
from recsys.restyling.target import StyleTarget
from style.credit import StyleCredit
from style.vector import StyleVector


def request_for(
    renderer: Renderer,
    photo: Path | bytes,
    style: StyleVector | None = None,
    *,
    credit: StyleCredit | None = None,
    **options: Any,
) -> RenderRequest:
    """Build a request with the options of `RenderRequest.from_settings`; without a style, for the original."""
    target = None if style is None else StyleTarget(style, credit)
    return RenderRequest.from_settings(renderer.settings, photo, target, recipe=renderer.recipe, **options)
