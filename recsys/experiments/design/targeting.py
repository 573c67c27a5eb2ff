"""Targeting: simple conditions, without code, on the requests that an experiment includes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, Field

from recsys.experiments.design.fields import Declared, Word

Folded = Annotated[Word, AfterValidator(str.casefold)]
Country = Annotated[str, Field(pattern=r"^[A-Za-z]{2}$"), AfterValidator(str.casefold)]


@dataclass(frozen=True, slots=True)
class Context:
    """Facts about a request that are known before ranking and do not depend on the arm.

    Case is ignored, except in categories.

    Attributes:
        categories: categories that the request is limited to; empty for all.
        platform: ios, android, web, ...; "" if unknown.
        country: two letters of ISO 3166; "" if unknown.
        language: BCP 47 tag; "" if unknown.
        known_user: True if the user has a history.
    """

    categories: frozenset[str] = frozenset()
    platform: str = ""
    country: str = ""
    language: str = ""
    known_user: bool = False


ANY_CONTEXT = Context()


class Targeting(Declared):
    """Conditions that a request must all meet; one value of a list is enough, and an absent condition is met.

    An unknown fact about a request meets no condition on it.

    Attributes:
        category: the request is limited to one of these.
        platform: one of these.
        country: one of these.
        except_country: none of these.
        language: one of these.
        known_user: True for users with a history only, False for users without one only.
    """

    category: tuple[Word, ...] = ()
    platform: tuple[Folded, ...] = ()
    country: tuple[Country, ...] = ()
    except_country: tuple[Country, ...] = ()
    language: tuple[Folded, ...] = ()
    known_user: bool | None = None

    @property
    def everyone(self) -> bool:
        """True if there is no condition."""
        return self == Targeting()

    def matches(self, context: Context) -> bool:
        """Return True if a request meets all conditions."""
        return (
            (not self.category or any(category in self.category for category in context.categories))
            and (not self.platform or context.platform.casefold() in self.platform)
            and (not self.country or context.country.casefold() in self.country)
            and (not self.except_country or context.country.casefold() not in ("", *self.except_country))
            and (not self.language or context.language.casefold() in self.language)
            and self.known_user in (None, context.known_user)
        )

    def excludes(self, other: Targeting) -> bool:
        """Return True if single conditions show that no request can meet both; False if that is not certain.

        It is about one request only: a user may meet one targeting now and the other one later.
        """
        if None not in (self.known_user, other.known_user) and self.known_user != other.known_user:
            return True
        lists = ((getattr(self, name), getattr(other, name)) for name in ("platform", "country", "language"))
        return any(mine and theirs and not set(mine) & set(theirs) for mine, theirs in lists)
