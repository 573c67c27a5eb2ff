"""Links to images: relative, signed, and free of user ids, because addresses end up in logs and caches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from recsys.api.auth.security import SIGNATURE, Security
from recsys.api.route_table import IMAGE_OF_ITEM, image_path
from recsys.config import RestyleSettings
from recsys.restyling.render_request import RenderRequest
from style.preprocess.recipe import NO_RECIPE, Recipe

_DOTS = (".", "..")


@dataclass(frozen=True, slots=True)
class Links:
    """Builder of links.

    Attributes:
        security: Signs the links.
        settings: Defaults of the service; a link names the engine only if it is another one.
        prefix: Path under which a proxy has mounted the service, "" without one.
        recipe: Preprocessing of photos.
    """

    security: Security
    settings: RestyleSettings
    prefix: str
    recipe: Recipe = NO_RECIPE

    def original(self, item_id: str, photo: Path) -> str:
        """Return a link to an item's photo, shrunk to the size of the settings."""
        request = RenderRequest.from_settings(self.settings, photo, None, recipe=self.recipe)
        return self._image_link(item_id, [("width", str(self.settings.size))], request)

    def image(self, item_id: str, request: RenderRequest) -> str:
        """Return a link to an item's restyled image.

        The link holds every option, so that it means the same image for good. A style reference is named by its id;
        another target travels in the link as an encoded vector.
        """
        target = request.target
        query: list[tuple[str, str]] = []
        if target is not None:
            query.append(("vector", target.style.text) if target.credit is None else ("style", target.credit.style_id))
        query += [
            ("strength", f"{request.strength:.3f}"),
            ("mode", request.mode.value),
            ("keep_color", str(request.keep_color).lower()),
            ("width", str(request.width)),
        ]
        if request.engine != self.settings.engine:
            query.append(("engine", request.engine))
        return self._image_link(item_id, query, request)

    def _image_link(self, item_id: str, query: list[tuple[str, str]], request: RenderRequest) -> str:
        state = request.link_state()
        if state:
            query = [*query, ("photo", state)]
        if item_id in _DOTS:
            query = [("item_id", item_id), *query]
        path = IMAGE_OF_ITEM.path if item_id in _DOTS else image_path(item_id)
        signature = self.security.sign(path, query)
        # Only the id of a style can hold characters that have to be escaped; a list has twenty links.
        options = "&".join(f"{name}={quote_plus(value) if name == 'style' else value}" for name, value in query)
        if item_id not in _DOTS:
            path = image_path(quote(item_id, safe=""))
        return f"{self.prefix}{path}?{options}&{SIGNATURE}={signature}"
