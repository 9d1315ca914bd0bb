"""The languages of the pages. The browser's first one that is among them is used."""

from typing import Final

from fastapi import Request

from safelight.web.http.accept import preferred_locale
from safelight.web.pages.languages.de import GERMAN
from safelight.web.pages.languages.en import ENGLISH
from safelight.web.pages.languages.texts import Texts

LANGUAGES: Final = {texts.language: texts for texts in (ENGLISH, GERMAN)}
"""The texts of the pages by language. The gallery has its own, in ``frontend/src/languages``."""


def page_texts(request: Request) -> Texts:
    """Return the texts for the page that is the response to a request."""
    return LANGUAGES[page_locale(request).partition("-")[0]]


def page_locale(request: Request) -> str:
    """Return the locale of the page, such as "de-AT", for its numbers and dates."""
    return preferred_locale(request.headers, LANGUAGES, default="en-GB")
