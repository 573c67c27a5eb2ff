"""Links to pictures: relative, signed, and free of user ids, since addresses end up in logs and caches."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

from recsys.api.auth.security import SIGNATURE, Security
from recsys.api.route_table import image_path
from recsys.config import RestyleSettings
from recsys.restyling.render_request import encode_style, photo_state, settings_state
from style.modes import PaintMode
from style.vector import StyleVector


@dataclass(frozen=True, slots=True)
class Toward:
    """What pictures of a list go toward, as links have it: `named` by an id of the library, or by the vector itself."""

    encoded: str
    named: tuple[str, str]

    @classmethod
    def of(cls, style: StyleVector, style_id: str | None = None) -> Toward:
        """A style vector, and its id if it is one of the library's."""
        encoded = encode_style(style)
        return cls(encoded, ("vector", encoded) if style_id is None else ("style", style_id))


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links. `prefix` is where a proxy has mounted the service, "" without one; `recipe` the identity of
    the preprocessing."""

    security: Security
    settings: RestyleSettings
    prefix: str
    recipe: str = ""

    def original(self, item_id: str, photo: Path) -> str:
        """To the item's picture as it is, shrunk to the size that the settings say; `photo`: the picture's file."""
        return self._image(item_id, [("width", str(self.settings.size)), *self._state(photo, None)])

    def restyled(
        self,
        item_id: str,
        photo: Path,
        toward: Toward,
        *,
        strength: float | None = None,
        mode: PaintMode | None = None,
        keep_color: bool | None = None,
        engine: str | None = None,
    ) -> str:
        """To the item's picture in a style; a style vector itself travels in the link, unless it has an id.

        What is None is written as the setting of now, so that a link means the same picture for good; the engine's
        name only where it is another one than the setting's.
        """
        settings = self.settings
        other = [] if engine in (None, settings.engine) else [("engine", str(engine))]
        query = [
            toward.named,
            ("strength", f"{settings.strength if strength is None else strength:.3f}"),
            ("mode", (mode or settings.mode).value),
            ("keep_color", str(settings.keep_color if keep_color is None else keep_color).lower()),
            ("width", str(settings.size)),
            *other,
            *self._state(photo, toward.encoded),
        ]
        return self._image(item_id, query)

    def _state(self, photo: Path, encoded: str | None) -> list[tuple[str, str]]:
        state = photo_state(photo, encoded, settings_state(self.settings, self.recipe))
        return [("photo", state)] if state else []

    def _image(self, item_id: str, query: list[tuple[str, str]]) -> str:
        signature = self.security.sign(image_path(item_id), query)
        # Of all values only the id of a style may hold what has to be escaped; a list has twenty links.
        asked = "&".join(f"{name}={quote_plus(value) if name == 'style' else value}" for name, value in query)
        return f"{self.prefix}{image_path(quote(item_id, safe=''))}?{asked}&{SIGNATURE}={signature}"
