"""Style targets: every way to name one, and the text in which its style travels."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from recsys.errors import RequestError, UnknownIdError
from recsys.profiles.taste import Taste
from recsys.ranking.recommender import Recommender
from recsys.ranking.request import Request
from recsys.restyling.target import EncodedStyle, StyleTarget
from recsys.schema import ItemId, UserId
from style.errors import VectorError
from style.vector import StyleVector
from tests.small_bundles import small_bundle


@pytest.fixture(scope="module")
def small() -> Recommender:
    return Recommender(small_bundle())


@pytest.fixture(scope="module")
def taste(small: Recommender) -> Taste:
    return small.profile(Request(user_id=UserId("u00"))).taste


def resolve(recommender: Recommender, **named: object) -> StyleTarget:
    target = StyleTarget.resolve(recommender, **named)  # type: ignore[arg-type]
    assert target is not None
    return target


def test_a_style_reference_is_credited(small: Recommender) -> None:
    target = resolve(small, style="s1")
    np.testing.assert_array_equal(target.vector.values, small.styles.reference("s1").values)
    assert target.credit is not None
    assert (target.credit.style_id, target.credit.license) == ("s1", "CC0")
    assert target.words is None


def test_an_item_is_its_own_style(small: Recommender) -> None:
    target = resolve(small, item=ItemId("i00"))
    np.testing.assert_array_equal(target.vector.values, small.catalog.style(ItemId("i00")).values)
    assert target.credit is None


def test_a_scene_is_its_reference_nearest_to_the_taste(small: Recommender, taste: Taste) -> None:
    first, near = resolve(small, scene="sale"), resolve(small, scene="sale", taste=taste)
    assert first.credit is not None
    assert near.credit is not None
    assert first.credit.style_id == "s0"
    assert near.credit.style_id == small.styles.card_for_scene("sale", taste).style_id


def test_a_taste_is_the_target_if_nothing_else_is_named(small: Recommender, taste: Taste) -> None:
    expected = small.styles.style_of_taste(taste)
    assert expected is not None
    np.testing.assert_array_equal(resolve(small, taste=taste).vector.values, expected.values)
    assert StyleTarget.resolve(small) is None
    assert StyleTarget.resolve(small, taste=Taste.none(128)) is None


def test_words_start_from_the_taste(small: Recommender, taste: Taste) -> None:
    word = small.bundle.text_style.terms[0]
    plain, moved = resolve(small, text=word), resolve(small, text=word, taste=taste)
    assert plain.words is not None
    assert moved.words is not None
    base = resolve(small, taste=taste).vector
    assert moved.vector.similarity(base) > plain.vector.similarity(base)


def test_a_text_is_the_vector_that_it_encodes(small: Recommender) -> None:
    style = StyleVector.from_values(np.random.default_rng(0).normal(size=128))
    text = EncodedStyle.from_vector(style).text
    target = resolve(small, vector=text)
    assert target.style.text == text
    assert target.style is target.style
    assert style.similarity(target.vector) > 0.999


def test_a_text_that_was_not_written_by_us_gets_its_canonical_form() -> None:
    numbers = np.random.default_rng(1).integers(-20, 21, 128).astype(np.int8)
    text = base64.urlsafe_b64encode(numbers.tobytes()).decode().rstrip("=")
    encoded = EncodedStyle.from_text(text)
    assert encoded.text != text
    assert EncodedStyle.from_text(encoded.text).text == encoded.text
    assert encoded.vector.similarity(StyleVector.from_values(numbers)) > 0.999


def test_unknown_names_are_errors(small: Recommender, taste: Taste) -> None:
    with pytest.raises(UnknownIdError):
        resolve(small, style="none")
    with pytest.raises(UnknownIdError):
        resolve(small, item=ItemId("none"))
    with pytest.raises(RequestError, match="unknown scene"):
        resolve(small, scene="none")
    with pytest.raises(RequestError, match="taste_component"):
        resolve(small, taste=taste, component=9)
    with pytest.raises(VectorError):
        resolve(small, vector="none")
