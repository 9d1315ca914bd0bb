"""Parse what a person types into the search field: words, years and months.

The words themselves are split by PostgreSQL (`safelight_words`), as those of the photos are.
"""

import re
from dataclasses import dataclass
from typing import Final

_ENGLISH: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_GERMAN: Final = (
    *("januar", "februar", "märz", "april", "mai", "juni"),
    *("juli", "august", "september", "oktober", "november", "dezember"),
)
_SHORT: Final = 3
"""Letters of a short name, such as "Dec"."""


def _month_names() -> dict[str, str]:
    names = {"sept": "09", "maerz": "03", "jänner": "01"}
    for language in (_ENGLISH, _GERMAN):
        for number, name in enumerate(language, 1):
            names[name] = names[name[:_SHORT]] = f"{number:02}"
    return names


_MONTHS: Final = _month_names()
_YEAR: Final = r"(1[89]\d\d|2[01]\d\d)"
_MONTH: Final = r"(0?[1-9]|1[0-2])"
_DAY: Final = r"(0?[1-9]|[12]\d|3[01])"
_year: Final = re.compile(_YEAR, re.ASCII).fullmatch
_year_first: Final = re.compile(rf"{_YEAR}[-/.]{_MONTH}(?:[-/.]{_DAY})?", re.ASCII).fullmatch
_month_first: Final = re.compile(rf"{_MONTH}[-/.]{_YEAR}", re.ASCII).fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchTerm:
    """A part of a query: a photo has all words of the text, or its date.

    The date is ``2019``, ``2019-05``, ``2019-05-07``, or ``05`` for May of any year. Photos are
    those of their local time.
    """

    text: str
    date: str | None = None


def parse_query(query: str) -> tuple[SearchTerm, ...]:
    """Return the terms of a query. A photo is found if it meets all of them."""
    terms: list[SearchTerm] = []
    words = query.split()
    while words:
        date = _parse_two(words[0], words[1]) if len(words) > 1 else None
        length = 2 if date else 1
        text = " ".join(words[:length])
        terms.append(SearchTerm(text=text, date=date or _parse_one(text)))
        del words[:length]
    return tuple(terms)


def _parse_two(first: str, second: str) -> str | None:
    """Return the date of "May 2019" or "2019 May"."""
    for name, year in ((first, second), (second, first)):
        month = _month(name)
        if month and (found := _year(year.strip(",."))):
            return f"{found[1]}-{month}"
    return None


def _parse_one(word: str) -> str | None:
    word = word.strip(",.")
    if _year(word):
        return word
    if found := _year_first(word):
        return "-".join(part.zfill(2) for part in found.groups() if part)
    if found := _month_first(word):
        return f"{found[2]}-{found[1].zfill(2)}"
    return _month(word)


def _month(word: str) -> str | None:
    return _MONTHS.get(word.strip(",.").lower())
