"""Words and looks of catalogs in which it is known what each word means."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.dataset.catalog import Catalog
from recsys.errors import RequestError
from recsys.profiles.text_style import LONGEST_TEXT, TextStyleMap, item_texts, words
from recsys.schema import FloatArray

MATERIALS = ("marble", "tartan", "terrazzo", "linen", "copper", "raku", "delft", "shibori")
BLUE, *LOOKS = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 9)))[0].T.astype(np.float32)
MARBLE, TARTAN = LOOKS[:2]
KINDS = ("mug", "lamp", "rug")


def unit(vectors: FloatArray) -> FloatArray:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True), dtype=np.float32)


def shop(count: int = 240) -> tuple[list[str], FloatArray]:
    """Things of eight materials by turns, every third of them blue; a kind and a maker that say nothing of it."""
    random = np.random.default_rng(1)
    rows = np.arange(count)
    looks = np.stack(LOOKS)[rows % 8] + np.where((rows % 3 == 0)[:, None], BLUE, 0)
    texts = [
        f"{MATERIALS[row % 8].title()} {KINDS[random.integers(3)]} {'blue' if row % 3 == 0 else ''} by maker{row}\n"
        f"label{random.integers(9)}"
        for row in rows
    ]
    return texts, unit(looks + 0.3 * unit(random.normal(size=(count, 128))))


@cache
def learned() -> TextStyleMap:
    return TextStyleMap.fit(*shop())


class TestKnownAnswers:
    def test_a_word_points_to_the_look_of_its_items(self) -> None:
        for word, look in (("marble", MARBLE), ("tartan", TARTAN), ("blue", BLUE)):
            found = learned().style_of(word).direction
            assert np.linalg.norm(found) == pytest.approx(1, abs=1e-5)
            assert found @ look > 0.85
        assert abs(learned().style_of("blue").direction @ MARBLE) < 0.3

    def test_words_together_point_between(self) -> None:
        found = learned().style_of("blue marble")
        assert min(found.direction @ MARBLE, found.direction @ BLUE) > 0.4
        assert {share.word for share in found.words} == {"blue", "marble"}
        assert sum(share.share for share in found.words) == pytest.approx(1)
        assert all(share.share > 0.2 for share in found.words)

    def test_what_says_nothing_of_looks_moves_nothing(self) -> None:
        alone = learned().style_of("marble")
        beside = learned().style_of("marble label3 lamp maker7 by zzzzzz")
        assert np.array_equal(alone.direction, beside.direction)
        assert {share.word: share.share for share in beside.words} == pytest.approx(
            {"marble": 1.0, "label3": 0.0, "lamp": 0.0, "by": 0.0}
        )
        assert beside.unknown == ("maker7", "zzzzzz")

    def test_many_words_without_meaning_are_all_silent(self) -> None:
        random = np.random.default_rng(3)
        texts = [" ".join(f"word{number}" for number in random.integers(200, size=8)) for _ in range(400)]
        nothing = TextStyleMap.fit(texts, unit(random.normal(size=(400, 128))))
        assert len(nothing.terms) <= 4  # of some 200 words and as many pairs
        with pytest.raises(RequestError, match=r"recsys build|says nothing"):
            nothing.style_of(next(word for word in nothing.silent or ("word1",)))

    def test_a_product_with_one_photo_in_many_sizes_teaches_no_brand(self) -> None:
        texts, looks = shop()
        same = np.repeat(unit(np.random.default_rng(8).normal(size=(1, 128))), 6, axis=0)
        sizes = [f"acme thing size {size}" for size in range(6)]
        found = TextStyleMap.fit([*texts, *sizes], np.concatenate([looks, same]))
        assert "acme" not in found.terms
        other = unit(same + 0.1 * np.random.default_rng(9).normal(size=same.shape) / 11)
        assert "acme" in TextStyleMap.fit([*texts, *sizes], np.concatenate([looks, other])).terms

    def test_items_without_a_picture_teach_nothing(self) -> None:
        texts, looks = shop()
        with_blind = TextStyleMap.fit([*texts, *["marble tartan"] * 50], np.concatenate([looks, np.zeros((50, 128))]))
        assert with_blind.terms == learned().terms
        assert np.array_equal(with_blind.weights, learned().weights)

    def test_a_style_reference_is_called_after_its_look(self) -> None:
        ikat = unit(np.random.default_rng(5).normal(size=(1, 128)))
        found = TextStyleMap.fit(*shop(), ["Turquoise ikat of old\nholiday"], ikat)
        for text in ("ikat", "turquoise", "holiday", "turquoise ikat"):
            assert found.style_of(text).direction @ ikat[0] > 0.8
        with pytest.raises(RequestError, match="'of', 'old'"):
            found.style_of("of old")
        assert found.style_of("marble").direction @ MARBLE > 0.85

    def test_it_is_the_same_whatever_the_number_of_threads(self) -> None:
        with threadpool_limits(2):
            again = TextStyleMap.fit(*shop())
        assert again.terms == learned().terms
        assert again.weights.tobytes() == learned().weights.tobytes()

    def test_a_large_catalog_is_thinned_out(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("recsys.profiles.text_style.MOST_ITEMS", 150)
        texts, looks = shop(400)  # every third is learned from
        assert TextStyleMap.fit(texts, looks).style_of("tartan").direction @ TARTAN > 0.7

    def test_the_vocabulary_has_an_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("recsys.profiles.text_style.MOST_TERMS", 4)
        found = TextStyleMap.fit(*shop())
        assert len(found.terms) + len(found.silent) <= 4


class TestSpelling:
    @pytest.mark.parametrize("written", ["marbel", "marbles", "mrble", "MARBLE!", "mårble", "ｍａｒｂｌｅ", "marpble"])
    def test_a_letter_more_less_or_wrong_is_understood(self, written: str) -> None:
        found = learned().style_of(written)
        assert found.direction @ MARBLE > 0.85
        assert found.words[0].read_as == (None if words(written) == ["marble"] else "marble")

    @pytest.mark.parametrize("written", ["garble", "rubble", "blu", "marbbbble", "elbram"])
    def test_no_guess_goes_too_far(self, written: str) -> None:
        with pytest.raises(RequestError, match="not known"):
            learned().style_of(written)


class TestScripts:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("大理石の花瓶", "格子柄の毛布"),
            ("мраморная ваза", "клетчатый плед"),
            ("رخام مزهرية", "بطانية منقوشة"),
            ("संगमरमर", "चौखाना"),
            ("หินอ่อน", "ลายสก๊อต"),
            ("μαρμάρινο", "καρό"),
        ],
    )
    def test_any_script_can_be_learned(self, one: str, other: str) -> None:
        texts, looks = shop()
        names = {"Marble": one, "Tartan": other}
        found = TextStyleMap.fit([names.get(text.split()[0], text) for text in texts], looks)
        assert found.style_of(f"{one} 🙂").direction @ MARBLE > 0.8
        assert found.style_of(other).direction @ TARTAN > 0.8

    def test_signs_only_separate(self) -> None:
        assert words("blue\x00marble\n\tno-name\u200b🙂 ½ Straße\ud800x") == [
            *("blue", "marble", "no", "name", "1", "2", "strasse", "x"),
        ]


class TestWrongInput:
    @pytest.mark.parametrize("text", ["", " \n", "🙂🙂", "\x00\x01", "!?", "\u200b"])
    def test_no_word(self, text: str) -> None:
        with pytest.raises(RequestError, match=r"text: there is no word in it; try .*'marble'"):
            learned().style_of(text)

    def test_too_long(self) -> None:
        assert learned().style_of("marble " * (LONGEST_TEXT // 7)).direction @ MARBLE > 0.85
        with pytest.raises(RequestError, match=r"at most 1,000 characters, got 10,000"):
            learned().style_of("x" * 10_000)

    def test_known_words_that_say_nothing(self) -> None:
        with pytest.raises(RequestError, match=r"'lamp', 'rug': describes no style; try .*'marble'"):
            learned().style_of("lamp rug lamp")

    @pytest.mark.parametrize("texts", [[], [""] * 90, ["a b", "c d"]])
    def test_a_catalog_without_words_says_so(self, texts: list[str]) -> None:
        found = TextStyleMap.fit(texts, shop()[1][: len(texts)])
        assert not found
        with pytest.raises(RequestError, match=r"text: no words are known here.*recsys build"):
            found.style_of("marble")

    @given(st.text(max_size=40))
    def test_any_text_beside_a_known_word_is_answered_and_alone_refused(self, text: str) -> None:
        found = learned().style_of(f"{text} marble")
        assert np.linalg.norm(found.direction) == pytest.approx(1, abs=1e-5)
        assert sum(share.share for share in found.words) == pytest.approx(1, abs=1e-5)
        if not set(words(text)) & {word for term in learned().terms for word in term.split()}:
            with pytest.raises(RequestError, match="text: "):
                learned().style_of(text)


def test_texts_of_items_are_titles_categories_and_attributes_that_are_words() -> None:
    frame = pd.DataFrame(
        {
            "item_id": ["a", "b"],
            "title": ["Marble mug", ""],
            "category": ["mug", "Home|Lamp"],
            "price": [1.0, 2.0],
            "available": True,
            "image": "",
            "color": ["blue", None],
            "year": [1999, 2001],
        }
    )
    assert [words(text) for text in item_texts(Catalog.from_frame(frame))] == [
        ["marble", "mug", "mug", "blue"],
        ["home", "lamp"],
    ]
