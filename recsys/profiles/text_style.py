"""Style of words: the direction in style space of "dark floral", learned from a catalog's own words.

A ridge regression predicts an item's style direction from the words, and pairs of words, in its title, category and
attributes. Each term is scaled by its frequency, so that the penalty is the same share for all of them. The weight of a
word lies between two extremes: its addition to the words beside it, which describes whole items best, and the mean
style of its items, which fits searches by one word. The mean of each category is taken out of the directions before
(`style_space`), so that "mug" moves nothing and "marble" moves the same way on mugs and lamps. A word has a weight only
if its items are more similar in style than by chance, so that brands and noise move nothing.
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
"""Largest number of characters of a search."""
MOST_WORDS = 200
"""Words of an item that are used: the beginning of a long description."""
MOST_ITEMS = 100_000
"""Items that are used; of a larger catalog every second, third, ... one."""
MOST_TERMS = 4_000
"""Terms that are considered, those on the most items: 2 MB of a bundle."""
FEWEST = 3
"""Least number of items of a known term, since any two styles have something in common."""
CLEAR = 3.0
"""Standard deviations above chance from which the similarity of a term's items counts."""
PENALTY = 0.5
"""Penalty of the ridge regression on scaled terms. 0 gives a word's addition to others, infinity its items' mean."""
LITTLE = 0.01
"""Penalty of the regression on single words, whose residuals decide if a pair adds to its words."""
RARE = 3.0
"""Number of items added to those of each term in its scale, which shrinks the weights of rare terms."""
REFERENCE_WEIGHT = 5.0
"""Weight of a style reference, in items, since its name describes its style."""
SHORTEST_NAME = 4
"""Least number of letters of a term that is known only from style references, which excludes "of"."""
SHORTEST_MISSPELLED = 5
"""Least number of letters of a word that may be misspelled: too many shorter ones are one letter apart."""
EXAMPLES = 8
_NAMED_ONLY = 1e-9
"""Clearness of a term that only a style reference's name has: below all others."""

_ACCENTS = re.compile("[\u0300-\u036f]")
_UNSPACED = re.compile("([\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff])")
"""Letters of Thai, Japanese and Chinese, which are written without spaces: each of them counts as a word."""


class WordShare(NamedTuple):
    """Share of a word in the style of a text.

    Attributes:
        word: The word as it was written.
        share: Shares of a text sum to 1; one below 0 points away from the style.
        read_as: Known word for which a misspelled one was taken; None for a known word.
    """

    word: str
    share: float
    read_as: str | None


@dataclass(frozen=True, slots=True, eq=False)
class TextStyle:
    """Style of a text: a unit `direction` (128,), the shares of known words, and the unknown words."""

    direction: FloatArray
    words: tuple[WordShare, ...]
    unknown: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class TextStyleMap:
    """Style directions of words.

    Attributes:
        terms: V words, or pairs of words with a space between, that describe a style, clearest first.
        weights: (V, 128) style direction of each term.
        silent: Known words that describe no style.
    """

    terms: tuple[str, ...]
    weights: FloatArray
    silent: tuple[str, ...]

    @classmethod
    def none(cls, dimensions: int) -> TextStyleMap:
        """Return a map without words."""
        return cls((), np.zeros((0, dimensions), np.float32), ())

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        directions: FloatArray,
        names: Sequence[str] = (),
        name_directions: FloatArray | None = None,
    ) -> TextStyleMap:
        """Learn from the words of items and style references; the number of threads does not change the result.

        Args:
            texts: Text of each of I items.
            directions: (I, 128) their style directions, zeros without a photo.
            names: Titles and scenes of S style references.
            name_directions: (S, 128) their style directions.
        """
        items = np.flatnonzero(directions.any(axis=1))
        items = items[:: max(1, ceil(len(items) / MOST_ITEMS))]
        styles = [directions[items], np.zeros((0, directions.shape[1]), np.float32)]
        if name_directions is not None:
            styles[1] = name_directions
        with threadpool_limits(1):
            return _fit([texts[row] for row in items.tolist()], names, np.concatenate(styles).astype(np.float64))

    def __bool__(self) -> bool:
        return len(self.terms) > 0

    def style_of(self, text: str) -> TextStyle:
        """Return the style of a text. Unknown words of five letters and more are read as a known one a letter away.

        Raises:
            RequestError: If no word of the text is known or describes a style, the text has more than `LONGEST_TEXT`
                characters, or the map has no words.
        """
        asked = self._words_of(text)
        read = [self._read(word) for word in asked]
        parts = self._parts([word for word in read if word is not None])
        total = parts.sum(axis=0)
        length = float(np.linalg.norm(total))
        if length < 1e-6:
            known = any(word is not None for word in read)
            verdict = "describes no style" if known else "not known in this catalog"
            first = _quote(tuple(dict.fromkeys(asked))[:3])
            raise RequestError("text", f"{first}: {verdict}; try {_quote(self.examples())}")
        direction = (total / length).astype(np.float32)
        pairs = [(word, known) for word, known in zip(asked, read, strict=True) if known is not None]
        unknown = dict.fromkeys(word for word, known in zip(asked, read, strict=True) if known is None)
        # A word that the text repeats has one entry, with the sum of its shares.
        sums = dict.fromkeys(pairs, 0.0)
        for pair, share in zip(pairs, (parts @ direction / length).tolist(), strict=True):
            sums[pair] += share
        shares = (WordShare(word, share, None if known == word else known) for (word, known), share in sums.items())
        return TextStyle(direction, tuple(shares), tuple(unknown))

    def examples(self) -> tuple[str, ...]:
        """Return a few single words that describe a style most clearly."""
        return tuple(term for term in self.terms if " " not in term)[:EXAMPLES]

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {term: row for row, term in enumerate(self.terms)}

    @cached_property
    def _words(self) -> frozenset[str]:
        """All known words, also those that describe no style or only in a pair."""
        return frozenset(self.silent).union(word for term in self.terms for word in term.split(" "))

    @cached_property
    def _without_letter(self) -> dict[str, str]:
        """Known words by themselves without one letter; of several words the clearest."""
        ranked = [*self.terms, *self.silent]
        found: dict[str, str] = {}
        for word in (term for term in ranked if " " not in term and len(term) >= SHORTEST_MISSPELLED - 1):
            for shorter in _without_a_letter(word):
                found.setdefault(shorter, word)
        return found

    def _words_of(self, text: str) -> list[str]:
        """Return the words of a search. Raises RequestError for one without words, or too long."""
        if not self:
            raise RequestError(
                "text",
                "no words are known here: titles, categories and attributes of this catalog describe no styles. "
                "Search by an image; or give items titles or attributes (color, material, pattern) and photos, and "
                "run `recsys build`",
            )
        if len(text) > LONGEST_TEXT:
            raise RequestError("text", f"at most {LONGEST_TEXT:,} characters, got {len(text):,}; a few words do best")
        asked = words(text)
        if not asked:
            raise RequestError("text", f"there is no word in it; try {_quote(self.examples())}")
        return asked

    def _read(self, word: str) -> str | None:
        """Return the known word that equals `word` or is a letter away; None if there is none."""
        if word in self._words or len(word) < SHORTEST_MISSPELLED:
            return word if word in self._words else None
        likely = [self._without_letter[part] for part in _without_a_letter(word) if part in self._without_letter]
        # The first letter is rarely misspelled.
        likely = [other for other in likely if other[0] == word[0]]
        return min(likely, key=lambda other: (abs(len(other) - len(word)), other)) if likely else None

    def _parts(self, read: Sequence[str]) -> NDArray[np.float64]:
        """Return the part (n, 128) of each of n words in their common direction; a pair is split between its words."""
        counts = Counter(_terms(read))
        parts = np.zeros((len(read), self.weights.shape[1]))
        for index, word in enumerate(read):
            parts[index] += self._part(word, counts)
        for index, (one, other) in enumerate(pairwise(read)):
            parts[index : index + 2] += self._part(f"{one} {other}", counts) / 2
        return parts

    def _part(self, term: str, counts: Counter[str]) -> NDArray[np.float64] | float:
        """Return the part of one occurrence in a term's weight: a word written twice does not count twice."""
        row = self._rows.get(term)
        return 0.0 if row is None else np.asarray(self.weights[row].astype(np.float64) / counts[term])


def item_texts(catalog: Catalog) -> list[str]:
    """Return the words of each item: title, category, and attributes that are not numbers."""
    frame = catalog.attributes
    texts = [frame[name] for name in frame.columns if not pd.api.types.is_numeric_dtype(frame[name])]
    categories = np.array(catalog.category_names, dtype=object)[catalog.category_codes]
    columns = [catalog.titles, categories, *(column.fillna("").astype(str) for column in texts)]
    # One line per column, since words of two columns are no pair.
    return ["\n".join(map(str, row)) for row in zip(*columns, strict=True)]


def words(text: str) -> list[str]:
    """Split a text into words: letters, digits and their marks, folded; everything else only separates.

    Case, width and accents do not matter. Scripts without spaces are taken letter by letter.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    plain = unicodedata.normalize("NFC", _ACCENTS.sub("", unicodedata.normalize("NFD", folded)))
    spaced = "".join(sign if unicodedata.category(sign)[0] in "LNM" else " " for sign in plain)
    return _UNSPACED.sub(r" \1 ", spaced).split()


def _terms(found: Sequence[str]) -> list[str]:
    """Return words and pairs of neighboring words."""
    return [*found, *(f"{one} {other}" for one, other in pairwise(found))]


def _terms_of(text: str) -> list[str]:
    return [term for line in text.split("\n") for term in _terms(words(line)[:MOST_WORDS])]


def _fit(texts: Sequence[str], names: Sequence[str], styles: NDArray[np.float64]) -> TextStyleMap:
    from sklearn.feature_extraction.text import CountVectorizer

    counts = Counter(term for text in texts for term in dict.fromkeys(_terms_of(text)))
    frequent = sorted((term for term in counts if counts[term] >= FEWEST), key=lambda term: (-counts[term], term))
    named = {term for name in names for term in _terms_of(name) if len(term) >= SHORTEST_NAME}
    known = sorted({*frequent[:MOST_TERMS], *sorted(named)[:MOST_TERMS]})
    if not known:
        return TextStyleMap.none(styles.shape[1])
    # Table (n, V): 1 if a text has a term.
    vectorizer = CountVectorizer(analyzer=_terms_of, vocabulary=list(known), binary=True, dtype=np.float64)
    table = csr_matrix(vectorizer.fit_transform([*texts, *names]))
    item_weights = np.zeros(0)
    if len(texts):
        # Sizes of one product share a photo and count as one item together.
        _, group, sizes = np.unique(styles[: len(texts)], axis=0, return_inverse=True, return_counts=True)
        item_weights = 1.0 / sizes[group.ravel()]
    weights = np.concatenate([item_weights, np.full(len(names), REFERENCE_WEIGHT)])
    if len(texts):
        # The mean style of all items is the meaning of no word.
        styles = styles - np.average(styles[: len(texts)], axis=0, weights=weights[: len(texts)])
    named_only = np.array([term in named and counts[term] < FEWEST for term in known])
    data = _TrainingData(known, named_only, table, weights, len(texts))
    clear = data.clearness(styles)
    descriptive = np.flatnonzero(clear > 0)
    order = descriptive[np.argsort(-clear[descriptive], kind="stable")]
    terms = tuple(known[row] for row in order.tolist())
    return TextStyleMap(
        terms=terms,
        weights=data.ridge(styles, order, PENALTY).astype(np.float32),
        silent=tuple(sorted({term for term in known if " " not in term}.difference(terms))),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _TrainingData:
    """Terms of n texts, items first, then style references.

    Attributes:
        known: V known terms.
        named_only: (V,) True for terms that only a style reference's name has.
        table: (n, V) 1 if a text has a term, else 0.
        weights: (n,) weight of each text.
        items: Number of texts that are items.
    """

    known: Sequence[str]
    named_only: BoolArray
    table: csr_matrix
    weights: NDArray[np.float64]
    items: int

    def clearness(self, styles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return how clearly each term describes a style (V,), from centered directions (n, 128); 0 if it does not.

        A pair counts only if one of its words is descriptive and the pair adds to them ("royal blue", not "marble
        lamp").
        """
        pair = np.array([" " in term for term in self.known])
        clear = np.where(pair, 0.0, np.maximum(self._beyond_chance(styles), _NAMED_ONLY * self.named_only))
        single = np.flatnonzero(clear > 0)
        # Pairs are tested on the part of the directions that single words do not explain.
        residuals = styles - self.table[:, single] @ self.ridge(styles, single, LITTLE)
        descriptive = {self.known[row] for row in single.tolist()}
        tested = pair & np.array([not descriptive.isdisjoint(term.split(" ")) for term in self.known])
        return np.where(tested, np.maximum(self._beyond_chance(residuals), _NAMED_ONLY * self.named_only), clear)

    def ridge(self, styles: NDArray[np.float64], terms: IntArray, penalty: float) -> NDArray[np.float64]:
        """Fit weights (t, 128) of some terms (t,) that predict the style directions (n, 128)."""
        # Only the build needs scikit-learn, whose import would delay the service.
        from sklearn.linear_model import Ridge

        if not len(terms):
            return np.zeros((0, styles.shape[1]))
        table = csr_matrix(self.table[:, terms])
        scale = 1.0 / np.sqrt(table.T @ self.weights + RARE)
        model = Ridge(alpha=penalty, fit_intercept=False, solver="cholesky")
        model.fit(csr_matrix(table.multiply(scale)), styles, sample_weight=self.weights)
        return np.asarray(model.coef_, dtype=np.float64).reshape(styles.shape[1], -1).T * scale[:, None]

    def _beyond_chance(self, styles: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the excess (V,) of the style similarity of each term's items over chance; 0 if there is none.

        The squared length of the mean of n independent directions with covariance S has mean tr(S) / n and, by the
        central limit theorem, standard deviation sqrt(2 tr(S^2)) / n. A term is clear from `CLEAR` deviations on.
        """
        table, styles, weights = self.table[: self.items], styles[: self.items], self.weights[: self.items]
        totals = np.asarray(table.T @ weights).ravel()
        if not totals.any():
            return np.zeros(len(totals))
        means = np.asarray(table.T @ (styles * weights[:, None])) / np.maximum(totals, 1e-9)[:, None]
        weighted = styles * np.sqrt(weights / weights.sum())[:, None]
        covariance = weighted.T @ weighted
        # tr(S^2) is the sum of squares of the entries of a symmetric S.
        chance = float(np.trace(covariance)) + CLEAR * float(np.sqrt(2 * np.square(covariance).sum()))
        beyond = totals * np.square(means).sum(axis=1) / max(chance, 1e-12) - 1.0
        return np.where(totals >= FEWEST - 1e-6, np.maximum(beyond, 0.0), 0.0)


def _without_a_letter(word: str) -> list[str]:
    """Return the word, and the word without each one of its letters.

    Two words have one of these in common if they differ by a letter or by a swap of two neighboring letters.
    """
    return [word, *(word[:index] + word[index + 1 :] for index in range(len(word)))]


def _quote(found: Sequence[str]) -> str:
    return ", ".join(repr(word[:40]) for word in found)
