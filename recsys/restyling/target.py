"""Style targets: the style that an image is restyled toward, resolved in one place for every caller."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recsys.profiles.taste import Taste
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import TextReport
from recsys.schema import ItemId
from style.credit import StyleCredit
from style.errors import VectorError
from style.vector import StyleVector

# 128 bytes in base64, without the padding sign.
_ENCODED_STYLE = re.compile(r"[A-Za-z0-9_-]{171}")


@dataclass(frozen=True, slots=True, eq=False)
class EncodedStyle:
    """Style vector together with its text, as links and cache keys write it.

    Attributes:
        text: 171 URL-safe characters: 8 bits for each number, relative to the largest.
        vector: The vector that `text` decodes to. Its cosine to the vector that was encoded is above 0.999.
    """

    text: str
    vector: StyleVector

    @classmethod
    def from_vector(cls, style: StyleVector) -> EncodedStyle:
        """Encode a style vector. Encoding the result again gives the same text."""
        largest = np.abs(style.values).max()
        numbers = np.rint(style.values / largest * 127).astype(np.int8)
        text = base64.urlsafe_b64encode(numbers.tobytes()).decode().rstrip("=")
        return cls(text, StyleVector.from_values(numbers))

    @classmethod
    def from_text(cls, text: str) -> EncodedStyle:
        """Decode a text of `from_vector`; `text` of the result is its canonical form.

        Raises:
            VectorError: `text` does not encode a style vector.
        """
        return cls.from_vector(_decode(text))


@dataclass(frozen=True, eq=False)
class StyleTarget:
    """Style that an image is restyled toward.

    Attributes:
        vector: The style vector.
        credit: Name and license of the style reference, None if the target is not a style reference.
        words: Words that were understood and the nearest styles, None if the target was not named by words.
    """

    vector: StyleVector
    credit: StyleCredit | None = None
    words: TextReport | None = None

    @cached_property
    def style(self) -> EncodedStyle:
        """Style as links, cache keys and engines use it. It is encoded once for each target."""
        return EncodedStyle.from_vector(self.vector)

    @classmethod
    def resolve(
        cls,
        recommender: Recommender,
        *,
        taste: Taste | None = None,
        component: int | None = None,
        style: str | None = None,
        item: ItemId | None = None,
        scene: str | None = None,
        text: str | None = None,
        vector: str | None = None,
    ) -> StyleTarget | None:
        """Return the target that the arguments name, or None if they name none.

        At most one of `style`, `item`, `scene`, `text` and `vector` counts. `scene` and `text` use the taste, too.

        Args:
            recommender: Model whose items, style references and words are meant.
            taste: Taste of the user. Without any other argument, it is the target.
            component: Component of the taste; default: the one with the largest share.
            style: Id of a style reference.
            item: Item whose own style is meant.
            scene: Scene. Of its style references, the one nearest to the taste is meant; without a taste, the first.
            text: Words. With a taste, the target lies halfway between the taste and the words.
            vector: Text of an `EncodedStyle`.

        Raises:
            UnknownIdError: There is no such item or style reference.
            RightsError: The license of the style reference forbids restyling.
            RequestError: The scene, the words or the component are unknown, or the item has no image.
            VectorError: `vector` does not encode a style vector.
        """
        if scene is not None:
            style = recommender.styles.card_for_scene(scene, taste, component).style_id
        if style is not None:
            return cls(*recommender.styles.reference_with_credit(style))
        if item is not None:
            return cls(recommender.catalog.style(item))
        if vector is not None:
            return cls(_decode(vector))
        taste_vector = None if taste is None else recommender.styles.style_of_taste(taste, component)
        if text is not None:
            words = recommender.similar.style_of_text(text, taste_vector)
            return cls(words.style, words=words)
        return None if taste_vector is None else cls(taste_vector)


def _decode(text: str) -> StyleVector:
    if not _ENCODED_STYLE.fullmatch(text):
        raise VectorError(
            f"an encoded style vector has 171 characters of A-Z a-z 0-9 - _, got {len(text)}: {text[:8]!r}"
        )
    return StyleVector.from_values(np.frombuffer(base64.urlsafe_b64decode(text + "="), dtype=np.int8))
