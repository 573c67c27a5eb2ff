"""Which requests an experiment is about: simple conditions on what is known of a request, and no code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from recsys.experiments.design.fields import Declared, Word

Folded = Annotated[Word, AfterValidator(str.casefold)]
Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$"), AfterValidator(str.casefold)]


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a request before anything is ranked, the same whatever the arm.

    `categories`: those it is limited to, empty for all. `platform`: ios, android, web, ...; `country`: two letters of
    ISO 3166; `language`: of BCP 47; "" where unknown. `known_user`: the person has a history. Upper and lower case are
    alike, except in categories, which are the catalog's own.
    """

    categories: frozenset[str] = frozenset()
    platform: str = ""
    country: str = ""
    language: str = ""
    known_user: bool = False


ANY_CONTEXT = Context()


class Targeting(Declared):
    """Conditions that hold together; a list is met by any of its values, an absent condition by everything.

    What is not known of a request meets no condition on it. `category`: the request is limited to one of these.
    `known_user`: true for people with a history alone, false for the others alone. `except_country`: none of these.
    """

    category: tuple[Word, ...] = ()
    platform: tuple[Folded, ...] = ()
    country: tuple[Country, ...] = ()
    except_country: tuple[Country, ...] = ()
    language: tuple[Folded, ...] = ()
    known_user: bool | None = None

    @property
    def everyone(self) -> bool:
        """Whether there is no condition at all."""
        return self == Targeting()

    def matches(self, context: Context) -> bool:
        """Whether a request meets all conditions."""
        return (
            (not self.category or any(category in self.category for category in context.categories))
            and (not self.platform or context.platform.casefold() in self.platform)
            and (not self.country or context.country.casefold() in self.country)
            and (not self.except_country or context.country.casefold() not in ("", *self.except_country))
            and (not self.language or context.language.casefold() in self.language)
            and self.known_user in (None, context.known_user)
        )

    def excludes(self, other: Targeting) -> bool:
        """Whether no request can meet both, as far as single conditions tell; False where that is not certain.

        Of one request only: a person may meet one condition now and the other one later.
        """
        if None not in (self.known_user, other.known_user) and self.known_user != other.known_user:
            return True
        lists = ((getattr(self, name), getattr(other, name)) for name in ("platform", "country", "language"))
        return any(mine and theirs and not set(mine) & set(theirs) for mine, theirs in lists)
