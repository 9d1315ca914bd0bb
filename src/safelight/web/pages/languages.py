"""The languages of the pages. The browser's first one that is among them is used."""

from typing import Final

from fastapi import Request

from safelight.web.http.accept import preferred_language

LANGUAGES: Final = ("en", "de")
"""Each has a file of texts in ``frontend/src/languages``."""


def page_language(request: Request) -> str:
    """Return the language of the page that is the response to a request."""
    return preferred_language(request.headers, LANGUAGES, default="en")
