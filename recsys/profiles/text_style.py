"""From words to a look: which way in style space "dark floral" points, learned from a catalog's own words.

A ridge regression predicts an item's style direction from the words, and pairs of words, in its title, category and
attributes. Each is scaled by how often it occurs, so that the penalty is the same share for all of them: what a word
means lies between what it adds to the words beside it, which describes whole items best, and the mean look of its
items, which is what people mean who search by one word. The kind of thing is out of the directions already
(`style_space`), so that "mug" moves nothing and "marble" moves the same way on mugs and lamps. A word says something
only if the items that it is on look alike beyond chance: the others have no weight at all, so that brands and noise
move nothing.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import ceil
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from recsys.dataset.catalog import Catalog
from recsys.errors import RequestError
from recsys.schema import BoolArray, FloatArray, IntArray

LONGEST_TEXT = 1_000
"""Characters of a search, at most."""
MOST_WORDS = 200
"""Words of an item that are learned from: the beginning of a long description."""
MOST_ITEMS = 100_000
"""Items that are learned from; of a larger catalog every second, third, ... one."""
MOST_TERMS = 4_000
"""Terms that are looked at, those on the most items: 2 MB of a bundle."""
FEWEST = 3
"""A term on fewer items is not known: any two looks are somehow alike."""
CLEAR = 3.0
"""How many standard deviations above chance the likeness of a term's items must lie."""
PENALTY = 0.5
"""Of the ridge regression on scaled terms. 0 is what a word adds to others alone, infinity the mean of its items."""
LITTLE = 0.01
"""The same, to find what words have not said when it is asked whether a pair adds to them."""
RARE = 3.0
"""A term's scale is as if it were on this many items more: what few items tell is drawn to nothing."""
REFERENCE_SAY = 5.0
"""A style reference counts as this many items: it is called after its look."""
SHORTEST_NAME = 4
"""A word of a style reference's title alone is taken to mean its look from this many letters on: not "of"."""
SHORTEST_MISSPELLED = 5
"""Shorter words are not taken for others: too many are one letter apart."""
EXAMPLES = 8
_TOLD = 1e-9
"""How clear a term is that a style reference's name alone tells: after all others."""

_ACCENTS = re.compile("[\u0300-\u036f]")
_UNSPACED = re.compile("([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
"""Letters of Thai, Japanese and Chinese, which are written without spaces: each counts as a word."""


class WordShare(NamedTuple):
    """A known word of a text and its share in where the text points; shares sum to 1, one below 0 points away.

    `read_as`: the known word that an unknown one, as it was written, was taken for.
    """

    word: str
    share: float
    read_as: str | None


@dataclass(frozen=True, slots=True, eq=False)
class TextStyle:
    """Where a text points: a unit `direction` (128,), what each known word adds, and the words nobody knows."""

    direction: FloatArray
    words: tuple[WordShare, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TextStyleMap:
    """V `terms` (words, or two words and a space between), clearest first, that say how things look, with
    the `weights` (V, 128) of each; `silent`: words that are known to say nothing."""

    terms: tuple[str, ...]
    weights: FloatArray
    silent: tuple[str, ...]

    @classmethod
    def none(cls, dimensions: int) -> TextStyleMap:
        """A map that knows no word."""
        return cls((), np.zeros((0, dimensions), np.float32), ())

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        directions: FloatArray,
        names: Sequence[str] = (),
        name_directions: FloatArray | None = None,
    ) -> TextStyleMap:
        """From items' texts with their style directions (I, 128), zeros without a picture, and the names (titles and
        scenes) of style references with theirs (S, 128).

        The same input gives the same map whatever the number of threads.
        """
        items = np.flatnonzero(directions.any(axis=1))
        items = items[:: max(1, ceil(len(items) / MOST_ITEMS))]
        looks = [directions[items], np.zeros((0, directions.shape[1]), np.float32)]
        if name_directions is not None:
            looks[1] = name_directions
        with threadpool_limits(1):
            return _fitted([texts[row] for row in items.tolist()], names, np.concatenate(looks).astype(np.float64))

    def __bool__(self) -> bool:
        return len(self.terms) > 0

    def style_of(self, text: str) -> TextStyle:
        """Where a text points.

        Unknown words of five letters and more are read as a known one that is a letter away. Raises RequestError where
        no word is known or says anything, for more than `LONGEST_TEXT` characters, and where nothing was learned.
        """
        asked = self._checked(text)
        read = [self._read(word) for word in asked]
        parts = self._parts([word for word in read if word is not None])
        total = parts.sum(axis=0)
        length = float(np.linalg.norm(total))
        if length < 1e-6:
            raise RequestError("text", self._says_nothing(asked, read))
        direction = (total / length).astype(np.float32)
        pairs = [(word, known) for word, known in zip(asked, read, strict=True) if known is not None]
        unknown = dict.fromkeys(word for word, known in zip(asked, read, strict=True) if known is None)
        return TextStyle(direction, _shares(pairs, parts @ direction / length), tuple(unknown))

    def examples(self) -> tuple[str, ...]:
        """A few single words that say most clearly how things look."""
        return tuple(term for term in self.terms if " " not in term)[:EXAMPLES]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {term: row for row, term in enumerate(self.terms)}

    @cached_property
    def _words(self) -> frozenset[str]:
        """All known words, those too that say nothing or only beside another."""
        return frozenset(self.silent).union(word for term in self.terms for word in term.split(" "))

    @cached_property
    def _misspelled(self) -> dict[str, str]:
        """What is left of a word without one letter, to the word; of several to the clearest."""
        ranked = [*self.terms, *self.silent]
        found: dict[str, str] = {}
        for word in (term for term in ranked if " " not in term and len(term) >= SHORTEST_MISSPELLED - 1):
            for shorter in _without_a_letter(word):
                found.setdefault(shorter, word)
        return found

    def _checked(self, text: str) -> list[str]:
        if not self:
            raise RequestError(
                "text",
                "no words are known here: titles, categories and attributes of this catalog say nothing of looks. "
                "Search by a picture; or give items titles or attributes (color, material, pattern) and pictures, and "
                "run `recsys build`",
            )
        if len(text) > LONGEST_TEXT:
            raise RequestError("text", f"at most {LONGEST_TEXT:,} characters, got {len(text):,}; a few words do best")
        asked = words(text)
        if not asked:
            raise RequestError("text", f"there is no word in it; try {_quoted(self.examples())}")
        return asked

    def _says_nothing(self, asked: Sequence[str], read: Sequence[str | None]) -> str:
        known = any(word is not None for word in read)
        verdict = "says nothing of how things look" if known else "not known in this catalog"
        return f"{_quoted(tuple(dict.fromkeys(asked))[:3])}: {verdict}; try {_quoted(self.examples())}"

    def _read(self, word: str) -> str | None:
        """The known word that `word` is, or may have been meant for; None for neither."""
        if word in self._words or len(word) < SHORTEST_MISSPELLED:
            return word if word in self._words else None
        likely = [self._misspelled[part] for part in _without_a_letter(word) if part in self._misspelled]
        # people seldom get the first letter wrong
        likely = [other for other in likely if other[0] == word[0]]
        return min(likely, key=lambda other: (abs(len(other) - len(word)), other)) if likely else None

    def _parts(self, read: Sequence[str]) -> NDArray[np.float64]:
        """What each of n words adds to where they point together, (n, 128); a pair is shared by its words."""
        counts = Counter(_terms(read))
        parts = np.zeros((len(read), self.weights.shape[1]))
        for place, word in enumerate(read):
            parts[place] += self._part(word, counts)
        for place, (one, other) in enumerate(pairwise(read)):
            parts[place : place + 2] += self._part(f"{one} {other}", counts) / 2
        return parts

    def _part(self, term: str, counts: Counter[str]) -> NDArray[np.float64] | float:
        """One occurrence's part of a term's weight: said twice is not meant twice."""
        row = self._rows.get(term)
        return 0.0 if row is None else np.asarray(self.weights[row].astype(np.float64) / counts[term])


def item_texts(catalog: Catalog) -> list[str]:
    """What words a catalog has for each item: title, category, and attributes that are not numbers."""
    frame = catalog.attributes
    spoken = [frame[name] for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    categories = np.array(catalog.category_names, dtype=object)[catalog.category_codes]
    columns = [catalog.titles, categories, *(column.fillna("").astype(str) for column in spoken)]
    # a line each: words of two columns are no pair
    return ["\n".join(map(str, row)) for row in zip(*columns, strict=True)]


def words(text: str) -> list[str]:
    """The words of a text in its order: letters, digits and their marks, folded; everything else only separates.

    Case, width and accents do not matter. Scripts without spaces are taken letter by letter.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))
    spaced = "".join(sign if unicodedata.category(sign)[0] in "LNM" else " " for sign in plain)
    return _UNSPACED.sub(r" \1 ", spaced).split()


def _terms(found: Sequence[str]) -> list[str]:
    """Words, and pairs of neighbors."""
    return [*found, *(f"{one} {other}" for one, other in pairwise(found))]


def _terms_of(text: str) -> list[str]:
    return [term for line in text.split("\n") for term in _terms(words(line)[:MOST_WORDS])]


def _fitted(texts: Sequence[str], names: Sequence[str], looks: NDArray[np.float64]) -> TextStyleMap:
    counts = Counter(term for text in texts for term in dict.fromkeys(_terms_of(text)))
    frequent = sorted((term for term in counts if counts[term] >= FEWEST), key=lambda term: (-counts[term], term))
    named = {term for name in names for term in _terms_of(name) if len(term) >= SHORTEST_NAME}
    known = sorted({*frequent[:MOST_TERMS], *sorted(named)[:MOST_TERMS]})
    if not known:
        return TextStyleMap.none(looks.shape[1])
    table = _presence([*texts, *names], known)
    say = np.concatenate([_say(looks[: len(texts)]), np.full(len(names), REFERENCE_SAY)])
    if len(texts):
        # what all items share is no word's meaning
        looks = looks - np.average(looks[: len(texts)], axis=0, weights=say[: len(texts)])
    told = np.array([term in named and counts[term] < FEWEST for term in known])
    lesson = _Lesson(known, told, table, say, len(texts))
    clear = lesson.clearness(looks)
    speaking = np.flatnonzero(clear > 0)
    order = speaking[np.argsort(-clear[speaking], kind="stable")]
    terms = tuple(known[row] for row in order.tolist())
    return TextStyleMap(
        terms=terms,
        weights=lesson.ridge(looks, order, PENALTY).astype(np.float32),
        silent=tuple(sorted({term for term in known if " " not in term}.difference(terms))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """What is learned from: V `known` terms, of which some are `told` (V,) by a style reference's name alone, and where
    they are, `table` (n, V) of 0 and 1. The n texts, `items` first, then references, count as `say` (n,)."""

    known: Sequence[str]
    told: BoolArray
    table: csr_matrix
    say: NDArray[np.float64]
    items: int

    def clearness(self, looks: NDArray[np.float64]) -> NDArray[np.float64]:
        """(V,) how clearly each term says how things look, from centered looks (n, 128); 0 where it does not.

        A pair counts for what its words do not say ("royal blue", not "marble lamp"), and if one of them says anything.
        """
        pair = np.array([" " in term for term in self.known])
        clear = np.where(pair, 0.0, np.maximum(self._beyond_chance(looks), _TOLD * self.told))
        alone = np.flatnonzero(clear > 0)
        left = looks - self.table[:, alone] @ self.ridge(looks, alone, LITTLE)
        speaking = {self.known[row] for row in alone.tolist()}
        about = pair & np.array([not speaking.isdisjoint(term.split(" ")) for term in self.known])
        return np.where(about, np.maximum(self._beyond_chance(left), _TOLD * self.told), clear)

    def ridge(self, looks: NDArray[np.float64], terms: IntArray, penalty: float) -> NDArray[np.float64]:
        """Weights (t, 128) of some terms (t,) that predict the looks (n, 128)."""
        # imported by the build alone: a request needs none of it
        from sklearn.linear_model import Ridge

        if not len(terms):
            return np.zeros((0, looks.shape[1]))
        table = csr_matrix(self.table[:, terms])
        scale = 1.0 / np.sqrt(table.T @ self.say + RARE)
        model = Ridge(alpha=penalty, fit_intercept=False, solver="cholesky")
        model.fit(csr_matrix(table.multiply(scale)), looks, sample_weight=self.say)
        return np.asarray(model.coef_, dtype=np.float64).reshape(looks.shape[1], -1).T * scale[:, None]

    def _beyond_chance(self, looks: NDArray[np.float64]) -> NDArray[np.float64]:
        """(V,) by how much the items of each term look more alike than chance explains; 0 where they do not.

        The squared length of the mean of n independent directions with covariance S has mean tr(S) / n and, by the
        central limit theorem, standard deviation sqrt(2 tr(S^2)) / n. A term is clear from `CLEAR` deviations on.
        """
        table, looks, say = self.table[: self.items], looks[: self.items], self.say[: self.items]
        totals = np.asarray(table.T @ say).ravel()
        if not totals.any():
            return np.zeros(len(totals))
        means = np.asarray(table.T @ (looks * say[:, None])) / np.maximum(totals, 1e-9)[:, None]
        weighed = looks * np.sqrt(say / say.sum())[:, None]
        spread = weighed.T @ weighed
        chance = float(np.trace(spread)) + CLEAR * float(np.sqrt(2 * np.square(spread).sum()))
        beyond = totals * np.square(means).sum(axis=1) / max(chance, 1e-12) - 1.0
        return np.where(totals >= FEWEST - 1e-6, np.maximum(beyond, 0.0), 0.0)


def _say(looks: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n,) what each item counts: sizes of one product with one photo count as one item together."""
    if not len(looks):
        return np.zeros(0)
    _, group, sizes = np.unique(looks, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / sizes[group.ravel()])


def _presence(texts: Sequence[str], known: Sequence[str]) -> csr_matrix:
    """1 where a text has a term, (n, V)."""
    from sklearn.feature_extraction.text import CountVectorizer

    vectorizer = CountVectorizer(analyzer=_terms_of, vocabulary=list(known), binary=True, dtype=np.float64)
    return csr_matrix(vectorizer.fit_transform(texts))


def _without_a_letter(word: str) -> list[str]:
    """The word, and it without each one of its letters: two words share one if they are a letter, or a swap of two
    neighbors, apart."""
    return [word, *(word[:place] + word[place + 1 :] for place in range(len(word)))]


def _shares(pairs: Sequence[tuple[str, str]], shares: NDArray[np.float64]) -> tuple[WordShare, ...]:
    """One entry for each word as it was written and as it is known, however often it is there."""
    sums: dict[tuple[str, str], float] = {}
    for pair, share in zip(pairs, shares, strict=True):
        sums[pair] = sums.get(pair, 0.0) + float(share)
    return tuple(WordShare(word, share, None if known == word else known) for (word, known), share in sums.items())


def _quoted(found: Sequence[str]) -> str:
    return ", ".join(repr(word[:40]) for word in found)
