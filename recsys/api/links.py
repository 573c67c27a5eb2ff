"""Links to pictures: relative, signed, and free of user ids, since addresses end up in logs and caches."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlencode

from recsys.api.security import SIGNATURE, Security
from recsys.config import RestyleSettings
from recsys.pipeline.restyle import encode_style
from style.vector import StyleVector


@dataclass(frozen=True, slots=True)
class Links:
    """Makes links. `prefix` is where a proxy has mounted the service, "" without one."""

    security: Security
    settings: RestyleSettings
    prefix: str

    def original(self, item_id: str) -> str:
        """To the item's picture as it is, shrunk to the size that the settings say."""
        return self._image(item_id, [("width", str(self.settings.size))])

    def restyled(self, item_id: str, style: StyleVector, strength: float | None) -> str:
        """To the item's picture in a style; the style itself travels in the link."""
        amount = self.settings.strength if strength is None else strength
        query = [
            ("vector", encode_style(style)),
            ("strength", f"{amount:.3f}"),
            ("width", str(self.settings.size)),
        ]
        return self._image(item_id, query)

    def _image(self, item_id: str, query: list[tuple[str, str]]) -> str:
        signature = self.security.sign(f"/v1/items/{item_id}/image", query)
        path = f"{self.prefix}/v1/items/{quote(item_id, safe='')}/image"
        return f"{path}?{urlencode([*query, (SIGNATURE, signature)])}"
