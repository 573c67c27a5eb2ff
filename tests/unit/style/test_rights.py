"""What licenses allow, however they are spelt."""

from __future__ import annotations

import pytest

from style.errors import LibraryError
from style.rights import EVERYTHING, Rights, Use, rights_of

TRADE = {Use.ADAPT, Use.TRADE}


@pytest.mark.parametrize("license", ["CC0-1.0", "CC0", "cc0 1.0 Universal", "Public domain", "PDM-1.0", "own work"])
def test_what_is_free_may_be_used_for_everything(license: str) -> None:
    assert rights_of(license) == Rights(license, EVERYTHING)


@pytest.mark.parametrize(
    ("license", "forbidden", "share_alike"),
    [
        ("CC-BY-4.0", set(), False),
        ("CC BY 4.0", set(), False),
        ("Creative Commons Attribution 4.0 International", set(), False),
        ("CC-BY-SA-3.0", set(), True),
        ("CC BY-NC 2.0", {Use.TRADE}, False),
        ("CC-BY-NC-SA-4.0", {Use.TRADE}, True),
        ("CC-BY-ND-4.0", {Use.ADAPT, Use.TRAIN}, False),
        ("cc by-nc-nd 4.0", {Use.ADAPT, Use.TRAIN, Use.TRADE}, False),
        ("Creative Commons Attribution-NonCommercial-NoDerivatives 4.0 International", EVERYTHING - {Use.SHOW}, False),
    ],
)
def test_creative_commons_are_read_in_any_spelling(license: str, forbidden: set[Use], share_alike: bool) -> None:
    rights = rights_of(license)
    assert rights.uses == EVERYTHING - forbidden
    assert rights.attribution
    assert rights.share_alike is share_alike


def test_research_alone_and_reserved_rights() -> None:
    assert rights_of("research use only").uses == EVERYTHING - {Use.TRADE}
    assert rights_of("All rights reserved").uses == frozenset()
    assert rights_of("MIT").attribution


def test_an_unknown_license_is_fine_or_not_as_one_says() -> None:
    rights = rights_of("The shop's contract 17")
    assert rights.uses is None
    assert rights.refusal("x", TRADE, unknown_is_fine=True) is None
    assert "is not one known here" in str(rights.refusal("x", TRADE, unknown_is_fine=False))


def test_a_refusal_names_style_license_use_and_cure() -> None:
    refusal = rights_of("CC-BY-NC-ND-4.0").refusal("waves", TRADE, unknown_is_fine=True)
    assert refusal is not None
    for words in ("'waves'", "'CC-BY-NC-ND-4.0'", "restyling pictures toward it and use in trade", "column 'uses'"):
        assert words in refusal


def test_named_uses_go_before_the_license() -> None:
    assert rights_of("CC-BY-NC-4.0", "show|adapt | trade").missing(TRADE, unknown_is_fine=False) == ()
    assert rights_of("CC0-1.0", "show").missing(TRADE, unknown_is_fine=False) == (Use.ADAPT, Use.TRADE)
    with pytest.raises(LibraryError, match="unknown use 'print'; known ones: show, adapt, train, trade"):
        rights_of("CC0-1.0", "print")
